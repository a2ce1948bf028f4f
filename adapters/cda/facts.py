"""What every clinical statement has in common: its key, identifiers, status, time, author, nested remarks.

https://hl7.org/fhir/R4/event.html
"""

from dataclasses import dataclass

from adapters.cda import times
from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import known_concept, time, words
from adapters.cda.identifiers import identifiers, number_of
from adapters.cda.map_staff import PERSON, PROVIDER, party
from adapters.cda.node import NOTHING, Node
from adapters.cda.tables import SectionKind, translated
from adapters.contract import Resource

PART = "says which part of the enclosing statement this is; the part itself is mapped there"
TRACKING = "the record of following up a concern, which the guide leaves out: the concern itself is mapped"
OBSERVING = "the status of the act of observing; the status of what was observed is mapped"

_SHELL = frozenset({"id", "code", "statusCode", "text"})
_COMMENT = "2.16.840.1.113883.10.20.22.4.64"
_COMMENT_CODE = "48767-8"
_INDICATION = "2.16.840.1.113883.10.20.22.4.19"
_INSTRUCTION = "2.16.840.1.113883.10.20.22.4.20"
_REASON = "RSON"
#: Moods of what is asked for, planned or wished: none of it has happened.
NOT_YET = frozenset({"INT", "RQO", "PRP", "PRMS", "ARQ", "APT"})
GOAL = "GOL"
_SPEAKER = PERSON | frozenset({"Organization"})


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a statement stands: its section, the narrative that shows it to a reader, the concern that tracks it.

    ``is_told`` is whether the section has a narrative at all.
    """

    section: SectionKind
    narrative: Spot
    concern: Node = NOTHING
    procedure: Link | None = None
    specimen: Link | None = None
    is_told: bool = True


def open_fact(chart: Chart, resource_type: str, statement: Node, code: Node) -> tuple[Link, Spot, Resource]:
    """The link, the place and the first elements of the resource for a statement."""
    number = next((number for node in statement.all("id") if (number := number_of(node))), "")
    signature = f"{_label(code)}|{_stamp(statement)}"
    link = (resource_type, chart.fact_key(resource_type, signature, number, statement))
    spot = chart.spot(link)
    return link, spot, {"identifier": identifiers(statement.all("id"), spot)}


def _label(code: Node) -> str:
    """What tells one coded value from another, for a key."""
    text = code.first("originalText")
    return code.get("code") or code.get("displayName") or text.text or text.first("reference").get("value")


def _stamp(statement: Node) -> str:
    when = statement.first("effectiveTime")
    return when.get("value") or when.first("low").get("value") or when.first("center").get("value")


def status(statement: Node, table: str, spot: Spot, path: str = "status") -> str:
    """The statement's status by the table; ``unknown`` when the sender gives none that the table has."""
    node = statement.first("statusCode")
    found = translated(table, node.get("code"))
    if found:
        spot.attribute(node, "code", path)
        spot.attribute(node, "codeSystem", path)
    return found or "unknown"


def is_negated(statement: Node, spot: Spot, path: str = "") -> bool:
    """Whether the sender states that it is not so; the flag goes where ``path`` says that."""
    said = statement.get("negationInd")
    if said in {"true", "false"}:
        # That it is so needs no word of its own: what is stated says it.
        spot.attribute(statement, "negationInd", path if said == "true" else "")
    return said == "true"


def author(statement: Node, spot: Spot, path: str, concern: Node = NOTHING) -> Resource:
    """The person who wrote the statement last, its own authors before those of the concern around it."""
    writers = statement.all("author") or concern.all("author")
    if not writers:
        return {}
    last = max(enumerate(writers), key=lambda one: (one[1].first("time").get("value"), one[0]))[1]
    return party(last.first("assignedAuthor"), spot.at(path), PERSON)


def asserter(statement: Node, spot: Spot) -> Resource:
    """Who told it; else the first of several authors, whose word the last one only wrote anew."""
    told = informant(statement, spot, "asserter")
    if told or len(statement.all("author")) < 2:
        return told
    first = min(enumerate(statement.all("author")), key=lambda one: (one[1].first("time").get("value"), one[0]))[1]
    return party(first.first("assignedAuthor"), spot.at("asserter"), PERSON)


def informant(statement: Node, spot: Spot, path: str) -> Resource:
    """Who told it: staff, or the patient again; a relative's word goes to the header's participants."""
    entity = statement.first("informant", "assignedEntity")
    return party(entity, spot.at(path), PERSON) if entity else {}


def authored(statement: Node, spot: Spot, path: str, concern: Node = NOTHING) -> str:
    """The earliest time any author gives."""
    stamps = [node.first("time") for node in statement.all("author") or concern.all("author")]
    earliest = min((node for node in stamps if node.get("value")), key=lambda node: node.get("value"), default=None)
    return time(earliest, spot.at(path)) if earliest is not None else ""


def issued(statement: Node, spot: Spot) -> str:
    """When it was written, if that is known to the minute, which FHIR demands here."""
    stamps = [node.first("time").get("value") for node in statement.all("author")]
    exact = any(times.is_instant(times.moment(stamp, spot.chart.hospital.offset)) for stamp in stamps[:1])
    return time(statement.first("author", "time"), spot.at("issued")) if exact else ""


def performers(statement: Node, spot: Spot, path: str, below: str = "") -> list[Resource]:
    """References to all who did it, each entered at its own index of ``path``."""
    entities = [node.first("assignedEntity") for node in statement.all("performer")]
    found: list[Resource] = []
    for entity in entities:
        place = spot.at(f"{path}[{len(found)}]")
        one = party(entity, place.at(below) if below else place, PROVIDER)
        found += [one] if one else []
    return found


def keep_text(statement: Node, setting: Setting) -> None:
    """A link into the narrative needs no copy of the words: the section shows them."""
    reference = statement.first("text", "reference")
    anchors = setting.narrative.chart.document.anchors
    if setting.is_told and reference.get("value").removeprefix("#") in anchors:
        setting.narrative.attribute(reference, "value")


def notes(statement: Node, spot: Spot) -> list[Resource]:
    """Words that stand in the statement itself and nowhere in the narrative, and the comments made on it."""
    text = spot.text(statement.first("text"), "note[0].text")
    found: list[Resource] = [{"text": text}] if text else []
    for act in related(statement, "act"):
        if follows(act, _COMMENT) or act.first("code").get("code") == _COMMENT_CODE:
            one = _comment(act, spot.at(f"note[{len(found)}]"))
            found += [one] if one else []
    return found


def _comment(act: Node, spot: Spot) -> Resource:
    text = words(act.first("text"), spot.at("text"))
    if not text:
        return {}
    set_aside(act, spot, PART)
    return {
        "authorReference": party(act.first("author", "assignedAuthor"), spot.at("authorReference"), _SPEAKER),
        "time": time(act.first("author", "time"), spot.at("time")),
        "text": text,
    }


def reasons(statement: Node, link: Link, spot: Spot) -> list[Resource]:
    """Why it was done; a reason that is a problem of this document is linked to it at the end."""
    found: list[Resource] = []
    for node in explanations(statement):
        place = spot.at(f"reasonCode[{len(found)}]")
        one = known_concept(node.first("value"), place)
        text = "" if one else words(node.first("value"), place.at("text"))
        found += [one] if one else [{"text": text}] if text else []
        spot.chart.indications += [(link, number_of(number)) for number in node.all("id") if number_of(number)]
        set_aside(node, spot, PART)
    return found


def explanations(statement: Node) -> list[Node]:
    """The observations that say why: by their template, or by the relation where they have a value."""
    found = []
    for relation in statement.all("entryRelationship"):
        node = relation.first("observation")
        said = node.first("value")
        named = relation.get("typeCode") == _REASON and (said.get("code") or said.children or said.text)
        found += [node] if node and (named or follows(node, _INDICATION)) else []
    return found


def is_among(node: Node, others: list[Node]) -> bool:
    """Whether it is one of them itself, not one that says the same."""
    return any(node is one for one in others)


_WITH_REASONS = frozenset({"Procedure", "Encounter", "MedicationRequest", "MedicationStatement", "ServiceRequest"})


def link_reasons(chart: Chart) -> None:
    """Name the problems of this document that are given as reasons; a problem may stand after what it explains."""
    for link, number in chart.indications:
        problem = chart.problems.get(number)
        if problem and link[0] in _WITH_REASONS:
            known = chart.known(link, "reasonReference")
            one = chart.link(problem)
            chart.add(link, {"reasonReference": known if one in known else [*known, one]})


def related(statement: Node, element: str = "observation") -> list[Node]:
    """The statements nested in this one."""
    relations = statement.all("entryRelationship")
    return [node for one in relations if (node := one.first(element)) is not NOTHING] if relations else []


def instructions(statement: Node) -> list[Node]:
    """What the patient is told beside a statement."""
    return [act for act in related(statement, "act") if is_instruction(act)]


def is_instruction(act: Node) -> bool:
    return follows(act, _INSTRUCTION)


def with_template(statement: Node, *roots: str) -> Node:
    """The first nested observation that follows one of the templates."""
    for nested in related(statement):
        if follows(nested, *roots):
            return nested
    return NOTHING


def part(statement: Node, root: str, code: str) -> Node:
    """The first nested observation that follows the template, or that has the code which the template fixes."""
    for nested in related(statement):
        if follows(nested, root) or nested.first("code").get("code") == code:
            return nested
    return NOTHING


def follows(node: Node, *roots: str) -> bool:
    """Whether the statement follows one of the templates."""
    return any(template.get("root") in roots for template in node.all("templateId"))


def set_aside(node: Node, spot: Spot, reason: str) -> None:
    """Enter the shell of a statement (number, kind, status, narrative link) as left out; what was mapped stays so."""
    for shell in node.children:
        if shell.name in _SHELL:
            for field in shell.walk():
                field.leave_out(reason)


def set_status_aside(statement: Node, spot: Spot) -> None:
    """The status of observing a problem is always that it was observed: the problem's own status stands elsewhere."""
    statement.first("statusCode").leave_out(OBSERVING)

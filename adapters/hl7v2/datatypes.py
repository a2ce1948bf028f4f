"""Data types shared by all segments: coded elements, identifiers, names, people.

https://build.fhir.org/ig/HL7/v2-to-fhir/datatype_maps.html
"""

import re
from functools import lru_cache

from adapters.contract import Coding, Resource
from adapters.hl7v2.codes import BOUND, TERMINOLOGY, code, folded, table
from adapters.hl7v2.names import human_name, name_text, spoken_name
from adapters.hl7v2.numbers import UCUM, unit_of
from adapters.hl7v2.read import Value
from adapters.hl7v2.scene import Known, Scene
from adapters.hl7v2.times import date_time, in_order, instant

ICD10_WHO = "http://hl7.org/fhir/sid/icd-10"
ISO_3166 = "urn:iso:std:iso:3166"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_HL7_TABLE = re.compile(r"HL7?0*(\d{1,4})", re.IGNORECASE)
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
# Where a coding of a CWE begins, and the component of its version.
_VERSIONS = {1: 7, 4: 8, 10: 13}
_CHECKS = (
    (2, "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit"),
    (3, "http://hl7.org/fhir/StructureDefinition/namingsystem-checkDigit"),
)
_LOCAL = frozenset({"", "L", "LOCAL"})
_URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+", re.IGNORECASE)
_TENS = frozenset({"10", "x10", "X10", "×10", "*10"})
_ICD10 = re.compile(r"([A-Z]\d\d)(?:\.?(\d{1,2}))?[†*+]?")


def absent(reason: str = "unknown") -> Resource:
    """What stands for a required element of which the source says nothing."""
    return {"extension": [{"url": ABSENT, "valueCode": reason}]}


def time(scene: Scene, value: Value, target: str, component: int = 1) -> str | None:
    """A dateTime; one that cannot be read stays unmapped, with a notice."""
    leaf = value.get(component)
    if leaf is None:
        return None
    converted = date_time(leaf[1], scene.hospital.offset)
    if converted is None:
        value.notice("the date or time cannot be read", component)
        return None
    leaf[0].take(target)
    return converted


def exact_time(scene: Scene, value: Value, target: str, component: int = 1) -> str | None:
    """An instant: only a time exact to the second is one, a shorter one stays unmapped."""
    text = value.peek(component)
    converted = instant(text, scene.hospital.offset) if text else None
    if converted:
        value.took(component, target)
    return converted


def period(scene: Scene, start: tuple[Value, int], end: tuple[Value, int], target: str) -> Resource:
    """A period; an end before its start stays unmapped, with a notice."""
    if start[1] not in start[0] and end[1] not in end[0]:
        return {}
    begun = time(scene, start[0], f"{target}.start", start[1]) if start[1] in start[0] else None
    made: Resource = {"start": begun} if begun else {}
    if end[1] not in end[0]:
        return made
    said = date_time(end[0].peek(end[1]), scene.hospital.offset)
    if begun and said and not in_order(begun, said):
        end[0].notice("the end is before the start", end[1])
        return made
    ended = time(scene, end[0], f"{target}.end", end[1])
    return {**made, "end": ended} if ended else made


def moment_or_period(scene: Scene, start: tuple[Value, int], end: tuple[Value, int], at: str, name: str) -> Resource:
    """``name``Period where both ends are said in order, else ``name``DateTime: the one that is said, or the first."""
    offset = scene.hospital.offset
    last = date_time(end[0].peek(end[1]), offset) if end[0].peek(end[1]) else None
    first = date_time(start[0].peek(start[1]), offset) if last else None
    if first and last and in_order(first, last):
        return {f"{name}Period": period(scene, start, end, f"{at}{name}Period")}
    begun = time(scene, start[0], f"{at}{name}DateTime", start[1])
    if first and last:
        end[0].notice("the end is before the start", end[1])
        return {f"{name}DateTime": begun}
    return {f"{name}DateTime": time(scene, end[0], f"{at}{name}DateTime", end[1]) or begun}


def coding_system(scene: Scene, name: str) -> str:
    """The URI of a coding system named in CWE.3; a hospital's own list gets a URI of the hospital."""
    return _system_of(scene.hospital.name, name)


@lru_cache(maxsize=4096)
def _system_of(hospital: str, name: str) -> str:
    row = table("coding-systems").get(name.upper())
    if row:
        return row.system
    numbered = _HL7_TABLE.fullmatch(name)
    if numbered and int(numbered[1]) > 0:
        return f"{TERMINOLOGY}v2-{int(numbered[1]):04d}"
    if _OID.fullmatch(name):
        return f"urn:oid:{name}"
    if _URI.fullmatch(name):
        return name
    return f"urn:vn:code:{hospital}:{re.sub('[^a-z0-9.-]+', '-', name.lower()).strip('-') or 'local'}"


def is_local(name: str) -> bool:
    """Whether CWE.3 says no more than that the code is of the sender's own list."""
    return name.upper() in _LOCAL


def coded(scene: Scene, value: Value, at: str, local: str = "", before: int = 0) -> Resource | None:
    """A CWE or CE: its codings, what the hospital's table or HL7's knows of them, its text.

    ``before`` codings are put before them.
    """
    if not value:
        return None
    kept: list[Resource] = []
    for first in _VERSIONS:
        if first in value:
            kept.append(coding(scene, value, (first, local), f"{at}.coding[{before + len(kept)}]"))
    ours = scene.hospital.codes.get(local)
    if ours:
        kept += [of_row(ours[one["code"]]) for one in kept if one["code"] in ours]
    if kept and local in BOUND:
        kept += _standard(scene, value, kept, local)
    made: Resource = {"coding": kept} if kept else {}
    for component in (9, 2, 5):
        if component in value:
            made["text"] = value.take(component, f"{at}.text")
            break
    return made or None


def _standard(scene: Scene, value: Value, codings: list[Resource], local: str) -> list[Resource]:
    """What the guide makes of a code of the field's HL7 table, sent with the table's name or with none.

    A code that the hospital's file explains is the hospital's, whatever HL7's table says of it.
    """
    name = BOUND[local]
    rows, known = folded(name), table(name)
    own = f"{TERMINOLOGY}{name}"
    ours = scene.hospital.codes.get(local, {})
    more: list[Resource] = []
    for first, one in zip((first for first in _VERSIONS if first in value), codings, strict=False):
        row = rows.get(one["code"].casefold())
        unnamed = first + 2 not in value
        if row is None or one["code"] in ours or not (unnamed or one["system"] == own):
            continue
        same = row.code == one["code"] and row.system in (own, ISO_3166)
        if unnamed and one["code"] in known:
            one["system"] = row.system if same else own
        if not same or one["system"] != row.system:
            more.append(of_row(row))
        elif row.display:
            one.setdefault("display", row.display)
    return [one for one in more if one not in codings]


def coding(scene: Scene, value: Value, which: tuple[int, str], at: str) -> Resource:
    """One coding of a CWE: the component it begins at, and what the hospital's own list is called."""
    first, local = which
    name = value.take(first, f"{at}.code")
    named = value.take(first + 2, f"{at}.system") if first + 2 in value else ""
    made: Resource = {"system": _system_of(scene.hospital.name, local if not named or is_local(named) else named)}
    version = _VERSIONS[first]
    if version in value:
        made["version"] = value.take(version, f"{at}.version")
    made["code"] = name if name.isalnum() else " ".join(name.split())
    if first + 1 in value:
        made["display"] = value.take(first + 1, f"{at}.display")
    return made


def of_row(row: Coding) -> Resource:
    """The standard coding that a table gives."""
    made = {"system": row.system, "code": row.code}
    return {**made, "display": row.display} if row.display else made


def from_table(scene: Scene, value: Value, at: str, name: str) -> Resource | None:
    """A field of an HL7 table: its standard meaning first, then what the sender wrote."""
    said = value.peek(1)
    if not said:
        return coded(scene, value, at, name)
    row = table(name).get(said)
    # A version says more than the standard coding has room for: then what was sent stands beside it.
    same = row is not None and said == row.code and value.peek(2) in ("", row.display) and 7 not in value
    concept = coded(scene, value, at, name, 1 if row and not same else 0) or {}
    if 3 not in value:
        concept["coding"][0]["system"] = f"{TERMINOLOGY}{name}"
    if row is not None:
        concept["coding"] = [of_row(row), *concept["coding"][1 if same else 0 :]]
    return concept


def icd10(scene: Scene, code_text: str) -> list[Resource]:
    """A code of the Ministry's list as given, and as WHO writes it where WHO's list has that length."""
    found = _ICD10.fullmatch(code_text)
    if not found:
        return []
    rest = found[2] or ""
    codings: list[Resource] = [{"system": scene.system("icd10"), "code": code_text}]
    if len(rest) <= 1:
        codings.append({"system": ICD10_WHO, "code": f"{found[1]}.{rest}" if rest else found[1]})
    return codings


def unit(value: Value, at: str) -> Resource:
    """OBX-6: the unit as written, with its UCUM code."""
    take_unit(value, at)
    return unit_said(value)


def unit_said(value: Value) -> Resource:
    """The unit, without taking it: where it goes depends on the value beside it."""
    text, name = value.peek(1), value.peek(2)
    if text in _TENS and name[:1].isdecimal():
        # 10^9/L, whose ^ nobody escaped: what it parts is one unit, and 9/L would be another.
        return unit_of(f"{text}^{name}")
    if value.peek(3).upper() == "UCUM" and text:
        return {"unit": name or text, "system": UCUM, "code": text}
    known = unit_of(text)
    return known if "code" in known or not name else {**unit_of(name), "unit": name}


def take_unit(value: Value, at: str) -> None:
    """Enter the unit in the ledger; the name of a system other than UCUM goes nowhere."""
    value.took(1, f"{at}.unit")
    value.took(2, f"{at}.unit")
    if value.peek(3).upper() == "UCUM" and "system" in unit_said(value):
        value.took(3, f"{at}.system")


def authority_system(value: Value, at: str, component: int = 4) -> tuple[str, str]:
    """The assigning authority: a URI where it is an OID, UUID or URI, and its name."""
    name = value.take(component, f"{at}.assigner.display")
    if (component, 2) not in value:
        return "", name
    system = _universal(value.peek(component, 2), value.peek(component, 3).upper())
    if system:
        value.took(component, f"{at}.system", 2)
        value.took(component, f"{at}.system", 3)
    return system, name


def _universal(universal: str, kind: str) -> str:
    """The URI of an authority's universal id; empty for one that names nothing outside of its own system."""
    if _OID.fullmatch(universal):
        return f"urn:oid:{universal}"
    if kind in ("UUID", "GUID") and universal:
        return f"urn:uuid:{universal.lower()}"
    return universal if kind == "URI" or _URI.fullmatch(universal) else ""


def identifier(scene: Scene, value: Value, at: str, system: str = "", known: Resource | None = None) -> Resource | None:
    """A CX or EI whose system is known from its place, or from its assigning authority.

    ``known`` is what else its place says of it: its use, its type.
    """
    if 1 not in value:
        return None
    number = value.take(1, f"{at}.value")
    universal, assigner = authority_system(value, at) if 4 in value or (4, 2) in value else ("", "")
    kind = value.take(5, f"{at}.type") if 5 in value else ""
    made: Resource = dict(known) if known else {}
    if kind and "type" not in made:
        made["type"] = type_of(kind)
    if system or universal:
        made["system"] = system or universal
    made["value"] = number
    if (7 in value or 8 in value) and (span := period(scene, (value, 7), (value, 8), f"{at}.period")):
        made["period"] = span
    if 2 in value or 3 in value:
        made["extension"] = _check_digit(value, at)
    if 6 in value and not assigner:
        assigner = value.take(6, f"{at}.assigner.display")
    return {**made, "assigner": {"display": assigner}} if assigner else made


def _check_digit(value: Value, at: str) -> list[Resource]:
    """CX.2 and CX.3: the digit that guards a number against slips, and how it is reckoned."""
    said = [(url, n) for n, url in _CHECKS if n in value]
    return [{"url": url, "valueString": value.take(n, f"{at}.extension[{k}].value")} for k, (url, n) in enumerate(said)]


def entity(scene: Scene, value: Value, at: str, system: str) -> Resource | None:
    """An EI: number, and the namespace that gave it. Order numbers get the hospital's own system."""
    if 1 not in value:
        return None
    number = value.take(1, f"{at}.value")
    name = value.take(2, f"{at}.assigner.display") if 2 in value else ""
    given = _universal(value.peek(3), value.peek(4).upper()) if 3 in value else ""
    if given:
        value.took(3, f"{at}.system")
        value.took(4, f"{at}.system")
    made: Resource = {"system": given or system} if given or system else {}
    made["value"] = number
    return {**made, "assigner": {"display": name}} if name else made


def type_of(source: str) -> Resource:
    """The identifier's type by table 0203; an unknown one is kept as text."""
    row = table("v2-0203").get(source.upper())
    if row is None:
        return {"text": source} if source else {}
    return {"coding": [of_row(row)]}


def practitioner(scene: Scene, value: Value, at: str) -> Resource | None:
    """An XCN: a reference to the Practitioner with that number, or the name alone when it has none."""
    if not value:
        return None
    number = value.peek(1)
    if not number:
        said = spoken_name(value, f"{at}.display", first=2)
        return {"display": said} if said else None
    texts = {key: text for key, (_, text) in value.items()}
    known = scene.staff.get(number)
    if known is None or known.texts != texts:
        fresh = not any(account.targets for account, _ in value.values())
        text = _introduced(scene, value, number)
        known = Known(texts, text, {key: account.targets for key, (account, _) in value.items()})
        if fresh:
            scene.staff[number] = known
    else:
        # The doctor of an order is named again in most of its rows: in the same words, it goes to the same places.
        for key, (account, _) in value.items():
            for target in known.targets[key]:
                account.take(target)
    link = scene.reference("Practitioner", number)
    return {**link, "display": known.name} if known.name else link


def _introduced(scene: Scene, value: Value, number: str) -> str:
    """Put who has that number into the Bundle; the name as it is said."""
    here = scene.at("Practitioner", number)
    value.took(1, f"{here}identifier[0].value")
    called = f"{here}name[{_place_of(scene, number, name_text(value, 2))}]"
    made = human_name(value, called, first=2)
    universal, assigner = authority_system(value, f"{here}identifier[0]", 9)
    kind = type_of(value.take(13, f"{here}identifier[0].type"))
    mark: Resource = {"type": kind, "system": universal or scene.system("practitioner"), "value": number}
    mark["assigner"] = {"display": assigner} if assigner else None
    use = code("v2-0200", value.peek(10)) if made else ""
    if use:
        value.took(10, f"{called}.use")
    named = {"use": use, **made} if made and use else made or {}
    add_practitioner(scene, number, {name: part for name, part in mark.items() if part}, named)
    return made["text"] if made else ""


def add_practitioner(scene: Scene, number: str, mark: Resource, named: Resource) -> None:
    """Add who has that number; named a second time with less (no title, no type), what was said before stays.

    Neither ``mark`` nor ``named`` holds anything empty.
    """
    before = scene.draft.live("Practitioner", number)
    said: Resource = {"identifier": [{**known, **mark} for known in before.get("identifier", ())[:1]] or [mark]}
    if named:
        # Spelt in two ways in one message, both names are kept.
        names, place = list(before.get("name", ())), _place_of(scene, number, named["text"])
        said_before = names[place] if place < len(names) else {}
        names[place:] = [{**said_before, **named, **_longer(said_before, named)}, *names[place + 1 :]]
        said["name"] = names
    scene.put("Practitioner", number, said)


def _longer(before: Resource, now: Resource) -> Resource:
    """The degrees and titles that were said before, where they begin as those now do and go on."""
    lists = ((name, before.get(name, ()), now.get(name, ())) for name in ("prefix", "suffix"))
    return {name: known for name, known, said in lists if said and known[: len(said)] == said}


def _place_of(scene: Scene, number: str, text: str) -> int:
    """Which of the names of who has that number this is, or will be."""
    names = [name.get("text") for name in scene.draft.live("Practitioner", number).get("name", ())]
    return names.index(text) if text in names else len(names)

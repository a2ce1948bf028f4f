"""Questions about one code: what it is, whether it is one, which of two is the wider.

https://hl7.org/fhir/R4/codesystem-operations.html
"""

from dataclasses import dataclass
from typing import Any

from fhir_gateway.fhir.parameters import Arguments, answer, parameter
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, NotFound
from fhir_gateway.search.folding import fold
from fhir_gateway.terminology.selection import Member, NotHeld, Part, Selection
from fhir_gateway.terminology.system import Concept, System

Element = dict[str, Any]

LOOKUP = frozenset({"code", "system", "version", "coding", "date", "displayLanguage", "property", "useSupplement"})
SUBSUMES = frozenset({"codeA", "codeB", "system", "version", "codingA", "codingB"})


@dataclass(frozen=True, slots=True)
class Coded:
    """A code as asked about; ``system`` is None where the asker leaves it open."""

    system: str | None
    code: str
    display: str = ""
    version: str = ""


def coded(arguments: Arguments, suffix: str = "") -> Coded:
    """The one code that an operation is about, given as code and system or as coding."""
    coding = arguments.element(f"coding{suffix}")
    if coding is not None:
        return of_coding(coding)
    code = arguments.needed(f"code{suffix}")
    version = arguments.text("version") or arguments.text("systemVersion")
    return Coded(arguments.text("system"), code, arguments.text("display") or "", version or "")


def of_coding(coding: Element) -> Coded:
    """A coding that names no system is of none; a code alone is of whichever system it is asked in."""
    code = coding.get("code")
    if not isinstance(code, str):
        raise BadRequest("a coding needs its code", "coding.code")
    return Coded(coding.get("system", ""), code, coding.get("display", ""), coding.get("version", ""))


def lookup(system: System, code: str, properties: list[str], language: str) -> Resource:
    """What a code system says of a code. Raises NotFound."""
    concept = system.get(code)
    if concept is None:
        raise NotFound("the code system has no such code", "code")
    said = [parameter("name", "String", system.name or system.url)]
    said += [parameter("version", "String", system.version)] if system.version else []
    said.append(parameter("display", "String", _display(concept, language) or concept.code))
    if concept.definition:
        said.append(parameter("definition", "String", concept.definition))
    said += [parameter("designation", "part", _designation(item)) for item in concept.designations]
    return answer(*said, *(_property(*one) for one in _properties(system, concept, properties)))


def _display(concept: Concept, language: str) -> str:
    wanted = language.partition("-")[0].casefold()
    spoken = (item for item in concept.designations if str(item.get("language", "")).partition("-")[0] == wanted)
    found = next(spoken, None) if wanted else None
    return str(found["value"]) if found else concept.display


def _designation(item: Element) -> list[Element]:
    kinds = {"language": "Code", "use": "Coding", "value": "String"}
    return [parameter(name, kind, item[name]) for name, kind in kinds.items() if name in item]


def _properties(system: System, concept: Concept, wanted: list[str]) -> list[tuple[str, str, Any]]:
    """All properties of the concept, or the wanted ones; parents, children and inactive are always known."""
    known = [one for one in concept.properties if one[0] not in ("parent", "child", "inactive")]
    known += [("parent", "Code", parent) for parent in concept.parents]
    known += [("child", "Code", child) for child in system.children(concept.code)]
    known.append(("inactive", "Boolean", concept.inactive))
    return [one for one in known if not wanted or one[0] in wanted or "*" in wanted]


def _property(name: str, kind: str, value: Any) -> Element:
    return parameter("property", "part", [parameter("code", "Code", name), parameter("value", kind, value)])


def subsumption(system: System, first: str, second: str) -> str:
    """How two codes of a system stand to each other. Raises NotFound for a code that is none."""
    for code in (first, second):
        if system.get(code) is None:
            raise NotFound("the code system has no such code", "codeA" if code == first else "codeB")
    if first == second:
        return "equivalent"
    if system.subsumes(first, second):
        return "subsumes"
    return "subsumed-by" if system.subsumes(second, first) else "not-subsumed"


def outcome(code: str) -> Resource:
    return answer(parameter("outcome", "Code", code))


def refused(fault: NotHeld) -> Resource:
    """The verdict on a code of a system that nobody here knows."""
    return _verdict(False, [fault.text], None)


def whole(system: System) -> Selection:
    """All codes of a system, as a value set."""
    return Selection(system.url, system.version, (Part(system.url, system),))


def validated(selection: Selection, codes: list[Coded], abstract: bool = True) -> Resource:
    """Whether one of the codes is in the value set, and said rightly."""
    faults: list[str] = []
    for each in codes:
        try:
            member = selection.find(each.system, each.code)
        except NotHeld as unknown:
            faults.append(unknown.text)
            continue
        if member is None:
            faults.append(_fault(selection, each))
        elif each.version and each.version != (member.version or each.version):
            faults.append(f"the code system is held in version {member.version}, not in the one that was named")
        elif member.concept.abstract and not abstract:
            faults.append("the code is abstract, and cannot be used as a value")
        elif each.display and not _is_called(member, each.display):
            faults.append(f"the display is wrong; the code is called '{member.display}'")
            return _verdict(False, faults, member)
        else:
            return _verdict(True, [], member)
    return _verdict(False, faults or ["no code was given"], None)


def _fault(selection: Selection, asked: Coded) -> str:
    if asked.system == "":
        return "the coding names no system, so its code has no meaning"
    if asked.system is not None and selection.systems and asked.system not in selection.systems:
        return f"nothing of the system is in the value set, whose systems are {', '.join(selection.systems)}"
    return "the code is not in the value set" if len(selection.includes) != 1 else "there is no such code there"


def _is_called(member: Member, display: str) -> bool:
    return fold(display) in {fold(name) for name in (member.display, *member.concept.words)} or not member.display


def _verdict(result: bool, faults: list[str], member: Member | None) -> Resource:
    said = [parameter("result", "Boolean", result)]
    if faults:
        said.append(parameter("message", "String", "; ".join(dict.fromkeys(faults))))
    if member is not None and member.display:
        said.append(parameter("display", "String", member.display))
    return answer(*said)

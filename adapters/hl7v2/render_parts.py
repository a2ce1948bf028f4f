"""FHIR resources as the segments of a message back: patient, providers, orders, results, notes.

https://build.fhir.org/ig/HL7/v2-to-fhir/ - read the other way round
"""

import re
from collections.abc import Iterable, Mapping
from html import unescape
from typing import Any

from adapters.contract import Resource
from adapters.hl7v2.codes import table
from adapters.hl7v2.write import Field, Part

_BREAKS = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h\d)>", re.IGNORECASE)
_TAGS = re.compile(r"<[^>]*>")
_DIGITS = re.compile(r"[-:T]")
_SEX = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
_SYSTEMS = {"http://loinc.org": "LN", "http://snomed.info/sct": "SCT", "http://hl7.org/fhir/sid/icd-10": "I10"}
_STATUS = {"final": "F", "amended": "C", "corrected": "C", "preliminary": "P", "registered": "I", "cancelled": "X"}


def stamp(moment: str) -> str:
    """A FHIR date or dateTime as HL7 writes it; what the source left open stays open."""
    day, _, clock = moment.partition("T")
    found = re.fullmatch(r"(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?", clock)
    plain = day.replace("-", "")
    if not found:
        return plain
    zone = "+0000" if found[4] == "Z" else (found[4] or "").replace(":", "")
    return f"{plain}{found[1]}{found[2]}{found[3] or ''}{zone}"


def concept(given: Mapping[str, Any] | None) -> Field:
    """A CWE of the first two codings and the text."""
    if not given:
        return ""
    codings = list(given.get("coding", ()))[:2]
    text = str(given.get("text", ""))
    if not codings:
        return ("", text)
    parts: list[Part] = []
    for coding in codings:
        system = coding.get("system", "")
        parts += [coding.get("code", ""), coding.get("display", "") or text, _SYSTEMS.get(system, "L")]
    return (*parts, "", "", text) if len(codings) == 2 and text else tuple(parts)


def person(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """XPN: family, given, the words between; a name with a text alone is split at its first word."""
    name: Mapping[str, Any] = next(iter(resource.get("name", ())), {})
    family, given = str(name.get("family", "")), [str(part) for part in name.get("given", ())]
    if not family and not given:
        family, *given = str(name.get("text", "")).split() or [""]
    return (family, given[-1] if given else "", " ".join(given[:-1]), "", " ".join(name.get("prefix", ())))


def packed_person(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """The person of an NDL: the first number, then the name."""
    return (number(resource.get("identifier", ())), *person(resource)[:3])


def patient(pid: Mapping[str, Any], facility: str, mrn: str) -> dict[int, Field]:
    """PID as the receiving hospital knows the patient: its own number first."""
    known = [i for i in pid.get("identifier", ()) if i.get("value")]
    own = [i for i in known if i.get("system") == mrn]
    numbers: list[Field] = [(i["value"], "", "", facility, "MR") for i in own]
    numbers += [(i["value"], "", "", _authority(i), _kind(i)) for i in known if i not in own]
    return {
        1: "1",
        3: numbers,
        5: [person(pid)],
        7: stamp(str(pid.get("birthDate", ""))),
        8: _SEX.get(str(pid.get("gender", "")), ""),
        11: [_address(a) for a in pid.get("address", ())],
        13: [(t.get("value", ""), "PRN", "CP" if t.get("use") == "mobile" else "PH") for t in _phones(pid)],
    }


def _phones(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [t for t in resource.get("telecom", ()) if t.get("system") == "phone"]


def _authority(identifier: Mapping[str, Any]) -> str:
    return str(identifier.get("assigner", {}).get("display", ""))


def _kind(identifier: Mapping[str, Any]) -> str:
    codes = [coding.get("code", "") for coding in identifier.get("type", {}).get("coding", ())]
    # A number that is the patient's at another hospital must not be taken for one of the receiver's own.
    return str(next((code for code in codes if code != "MR"), "XX"))


def _address(address: Mapping[str, Any]) -> Field:
    lines = [str(line) for line in address.get("line", ())] or [str(address.get("text", ""))]
    places = [str(address.get(name, "")) for name in ("city", "state", "postalCode", "country")]
    return (lines[0], " ".join(lines[1:]), *places, "H", "", str(address.get("district", "")))


def diagnosis(place: int, condition: Mapping[str, Any]) -> dict[int, Field]:
    return {1: str(place), 3: concept(condition.get("code")), 5: stamp(str(condition.get("recordedDate", ""))), 6: "F"}


def allergy(place: int, given: Mapping[str, Any]) -> dict[int, Field]:
    category = next(iter(given.get("category", ())), "")
    kinds = {row.code: source for source, row in reversed(table("v2-0127").items())}
    shown = [m for reaction in given.get("reaction", ()) for m in reaction.get("manifestation", ())]
    told: list[Field] = [str(one.get("text", "")) for one in shown]
    return {1: str(place), 2: kinds.get(category, ""), 3: concept(given.get("code")), 5: told}


def observation(place: int, given: Mapping[str, Any]) -> dict[int, Field]:
    """OBX of one result, its value in the type it has."""
    kind, value, unit = _value(given)
    ranges = [str(r.get("text", "")) for r in given.get("referenceRange", ())]
    flags: list[Field] = [concept({"coding": i.get("coding", ())[:1]}) for i in given.get("interpretation", ())]
    return {
        1: str(place),
        2: kind,
        3: concept(given.get("code")),
        5: value,
        6: unit,
        7: ranges[0] if ranges else "",
        8: [flag[0] if isinstance(flag, tuple) else flag for flag in flags],
        11: _STATUS.get(str(given.get("status", "")), "F") if value else "X",
        14: stamp(str(given.get("effectiveDateTime", ""))),
    }


def _value(given: Mapping[str, Any]) -> tuple[str, Field, str]:
    amount = given.get("valueQuantity", {})
    if "value" in amount:
        sign, number = str(amount.get("comparator", "")), str(amount["value"])
        value: Field = (sign, number) if sign else number
        return "SN" if sign else "NM", value, str(amount.get("unit", amount.get("code", "")))
    if "valueCodeableConcept" in given:
        return "CWE", concept(given["valueCodeableConcept"]), ""
    if "valueDateTime" in given:
        return "DTM", stamp(str(given["valueDateTime"])), ""
    text = str(given.get("valueString", given.get("valueInteger", given.get("valueBoolean", ""))))
    return ("TX" if text else ""), text, ""


def narrative(section: Mapping[str, Any]) -> str:
    """The words of a section's XHTML, one line for each of its blocks."""
    div = str(section.get("text", {}).get("div", ""))
    lines = unescape(_TAGS.sub("", _BREAKS.sub("\n", div))).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())


def text_row(place: int, section: Mapping[str, Any], text: str) -> dict[int, Field]:
    """OBX of one section of a document."""
    code = concept({**section.get("code", {}), "text": str(section.get("title", ""))})
    named = code if isinstance(code, tuple) and code[0] else (f"S{place}", str(section.get("title", "")), "L")
    return {1: str(place), 2: "TX", 3: named, 5: text, 11: "F"}


def notes(texts: Iterable[str]) -> list[dict[int, Field]]:
    return [{1: str(place), 3: text} for place, text in enumerate((text for text in texts if text), 1)]


def number(identifiers: Iterable[Mapping[str, Any]]) -> str:
    """The first number of a resource."""
    return next((str(i["value"]) for i in identifiers if i.get("value")), "")


def facility_of(reference: Mapping[str, Any] | None) -> tuple[str, str]:
    """Code and name of a facility named by a logical reference."""
    given = reference or {}
    return str(given.get("identifier", {}).get("value", "")), str(given.get("display", ""))


def of_type(resources: Iterable[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource["resourceType"] == kind]

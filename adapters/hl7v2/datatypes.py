"""Data types shared by all segments: coded elements, identifiers, names, addresses, telecoms, people, places.

https://build.fhir.org/ig/HL7/v2-to-fhir/datatype_maps.html
"""

import re
from functools import lru_cache

from adapters.contract import Resource
from adapters.draft import pruned
from adapters.hl7v2.codes import TERMINOLOGY, code, table
from adapters.hl7v2.numbers import UCUM, positive, unit_of
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene, extension
from adapters.hl7v2.times import date_time, day, in_order, instant

ICD10_WHO = "http://hl7.org/fhir/sid/icd-10"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_CORE = "http://hl7.org/fhir/StructureDefinition/"
_HL7_TABLE = re.compile(r"HL7?0*(\d{1,4})", re.IGNORECASE)
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
# Facility, building, floor, point of care, room, bed, description.
_PL = (4, 7, 8, 1, 2, 3, 9)
_PARTS = ((5, "country"), (6, "area"), (7, "local"), (8, "extension"))
_LOCAL = frozenset({"", "L", "LOCAL"})
_URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+", re.IGNORECASE)
_ICD10 = re.compile(r"([A-Z]\d\d)(?:\.?(\d{1,2}))?[†*+]?")


def absent(reason: str = "unknown") -> Resource:
    """What stands for a required element of which the source says nothing."""
    return {"extension": [{"url": ABSENT, "valueCode": reason}]}


def time(scene: Scene, value: Value, target: str, component: int = 1) -> str | None:
    """A dateTime; one that cannot be read stays unmapped, with a notice."""
    text = value.peek(component)
    if not text:
        return None
    converted = date_time(text, scene.hospital.offset)
    if converted is None:
        value.notice("the date or time cannot be read", component)
        return None
    value.took(component, target)
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
    begun = time(scene, start[0], f"{target}.start", start[1])
    said = date_time(end[0].peek(end[1]), scene.hospital.offset)
    if begun and said and not in_order(begun, said):
        end[0].notice("the end is before the start", end[1])
        return {"start": begun}
    return {"start": begun, "end": time(scene, end[0], f"{target}.end", end[1])}


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


def coded(scene: Scene, value: Value, at: str, local: str = "") -> Resource | None:
    """A CWE or CE: both its codings, its text, and what the hospital's table ``local`` knows of it."""
    if not value:
        return None
    kept = [_coding(scene, value, (1, local), f"{at}.coding[0]")] if value.peek(1) else []
    if value.peek(4):
        kept.append(_coding(scene, value, (4, local), f"{at}.coding[1]"))
    if value.peek(10):
        kept.append(_coding(scene, value, (10, local), f"{at}.coding[2]"))
    ours = scene.hospital.codes.get(local)
    if ours:
        known = [ours[coding["code"]] for coding in kept if coding["code"] in ours]
        kept += [{"system": row.system, "code": row.code, "display": row.display} for row in known]
    text = value.take(9, f"{at}.text") or value.take(2, f"{at}.text") or value.take(5, f"{at}.text")
    return {"coding": kept, "text": text} if kept or text else None


def _coding(scene: Scene, value: Value, which: tuple[int, str], at: str) -> Resource:
    first, local = which
    name = value.take(first, f"{at}.code")
    named = value.take(first + 2, f"{at}.system")
    system = coding_system(scene, local if named.upper() in _LOCAL else named)
    version = value.take({1: 7, 4: 8, 10: 13}[first], f"{at}.version")
    display = value.take(first + 1, f"{at}.display")
    return {"system": system, "version": version, "code": " ".join(name.split()), "display": display}


def from_table(scene: Scene, value: Value, at: str, name: str) -> Resource | None:
    """A field of an HL7 table: its standard meaning first, then what the sender wrote."""
    concept = coded(scene, value, at, name)
    if concept is None or not value.peek(1):
        return concept
    source = concept["coding"][0]
    if not value.peek(3):
        source["system"] = f"{TERMINOLOGY}{name}"
    row = table(name).get(value.peek(1))
    if row is None:
        return concept
    standard = {"system": row.system, "code": row.code, "display": row.display}
    same = source["code"] == row.code and source["display"] in ("", row.display)
    return {**concept, "coding": [standard, *concept["coding"][1 if same else 0 :]]}


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
    if value.peek(3).upper() == "UCUM" and text:
        return {"unit": name or text, "system": UCUM, "code": text}
    known = unit_of(text)
    return known if "code" in known or not name else {**unit_of(name), "unit": name}


def take_unit(value: Value, at: str) -> None:
    """Enter the unit in the ledger; the name of a system other than UCUM goes nowhere."""
    value.took(1, f"{at}.unit")
    value.took(2, f"{at}.unit")
    if value.peek(3).upper() == "UCUM":
        value.took(3, f"{at}.system")


def authority_system(value: Value, at: str, component: int = 4) -> tuple[str, str]:
    """The assigning authority: a URI where it is an OID, UUID or URI, and its name."""
    name = value.take(component, f"{at}.assigner.display")
    universal, kind = value.peek(component, 2), value.peek(component, 3).upper()
    value.took(component, f"{at}.system", 2)
    value.took(component, f"{at}.system", 3)
    if _OID.fullmatch(universal):
        return f"urn:oid:{universal}", name
    if kind in ("UUID", "GUID") and universal:
        return f"urn:uuid:{universal.lower()}", name
    return (universal if kind == "URI" or _URI.fullmatch(universal) else ""), name


def identifier(scene: Scene, value: Value, at: str, system: str = "") -> Resource | None:
    """A CX or EI whose system is known from its place, or from its assigning authority."""
    number = value.take(1, f"{at}.value")
    if not number:
        return None
    universal, assigner = authority_system(value, at)
    kind = type_of(value.take(5, f"{at}.type"))
    return {
        "type": kind,
        "system": system or universal,
        "value": number,
        "period": period(scene, (value, 7), (value, 8), f"{at}.period"),
        "assigner": {"display": assigner},
    }


def entity(scene: Scene, value: Value, at: str, system: str) -> Resource | None:
    """An EI: number, and the namespace that gave it. Order numbers get the hospital's own system."""
    number = value.take(1, f"{at}.value")
    if not number:
        return None
    name = value.take(2, f"{at}.assigner.display")
    universal = value.take(3, f"{at}.system")
    value.took(4, f"{at}.system")
    given = f"urn:oid:{universal}" if _OID.fullmatch(universal) else ""
    return {"system": given or system, "value": number, "assigner": {"display": name}}


def type_of(source: str) -> Resource:
    """The identifier's type by table 0203; an unknown one is kept as text."""
    row = table("v2-0203").get(source.upper())
    if row is None:
        return {"text": source}
    return {"coding": [{"system": row.system, "code": row.code, "display": row.display}]}


def human_name(value: Value, at: str, first: int = 1) -> Resource | None:
    """An XPN, or an XCN from component 2. In Vietnam the middle words (XPN.3) are said before the given one (XPN.2)."""
    family = value.take(first, f"{at}.family")
    own, middle = (value.take(first + n, f"{at}.given") for n in (1, 2))
    suffix = [value.take(first + n, f"{at}.suffix") for n in (3, 5)]
    prefix = value.take(first + 4, f"{at}.prefix")
    text = " ".join(part for part in (family, middle, own) if part)
    if not text:
        return None
    given = [*middle.split(), *own.split()]
    if family and not given:
        # A whole name in the family field: its first word is the family name, the rest a guess like any split.
        family, *given = family.split()
    made: Resource = {"text": text, "family": family, "given": given, "prefix": [prefix], "suffix": suffix}
    if value.beyond(first + 10):
        suffix.append(value.take(first + 13, f"{at}.suffix"))
        made["period"] = _lasting(value, first + 11, at)
    return made


def _lasting(value: Value, component: int, at: str) -> Resource | None:
    """The days from which and until which a name, an address or a number holds: two components after each other."""
    found = [day(value.peek(component + n)) if value.peek(component + n) else None for n in (0, 1)]
    start, end = found
    if not any(found) or (start and end and not in_order(start, end)):
        return None
    for n, name in enumerate(("start", "end")):
        if found[n]:
            value.took(component + n, f"{at}.period.{name}")
    return {"start": start, "end": end}


def person_name(value: Value, at: str) -> Resource | None:
    """An XPN with its use (XPN.7)."""
    made = human_name(value, at)
    if made is None:
        return None
    use = code("v2-0200", value.peek(7))
    if use:
        value.took(7, f"{at}.use")
    return {"use": use, **made}


def address(value: Value, at: str) -> Resource | None:
    """An XAD. A text in its first component alone is a whole address, as many hospitals send it."""
    if not value:
        return None
    street = value.take(1, f"{at}.line[0]")
    number = [value.take(1, f"{at}.line[0]", sub) for sub in (2, 3)]
    lines = [" ".join(part for part in (street, *number) if part), value.take(2, f"{at}.line[1]")]
    city, state = value.take(3, f"{at}.city"), value.take(4, f"{at}.state")
    postal, country = value.take(5, f"{at}.postalCode"), value.take(6, f"{at}.country")
    district = value.take(9, f"{at}.district")
    parts = [*lines, value.take(8, f"{at}.line[2]"), district, city, state]
    use, kind = code("v2-0190", value.peek(7)), code("v2-0190-type", value.peek(7))
    if use or kind:
        value.took(7, f"{at}.use" if use else f"{at}.type")
    text = ", ".join(part for part in parts if part)
    if not text and not country and not postal:
        return None
    places = {"city": city, "district": district, "state": state, "postalCode": postal, "country": country}
    made: Resource = {"use": use, "type": kind, "text": text, "line": [p for p in (*lines, parts[2]) if p], **places}
    if value.beyond(9):
        made["line"] += [line for line in [value.take(19, f"{at}.line")] if line]
        made["period"] = _lasting(value, 13, at)
    return made


def telecom(value: Value, at: str, use: str = "") -> Resource | None:
    """An XTN: the number as dialled, kept as text so that its leading zero stays."""
    kind = value.peek(3).upper()
    mail = value.take(4, f"{at}.value")
    # XTN.1 is what people typed; 5 to 7 are the parsed form of it, and may lack the leading zero.
    number = value.take(1, f"{at}.value") or value.take(12, f"{at}.value") or _dialled(value, at)
    number = mail if mail and (kind in ("INTERNET", "NET") or not number) else number
    if not number:
        return None
    system = "email" if "@" in number else code("v2-0202", kind, "phone")
    if system == "email" and "@" not in number:
        system = "phone"
    value.took(3, f"{at}.system")
    mobile = "mobile" if kind == "CP" else ""
    value.took(2, f"{at}.use")
    made: Resource = {"system": system, "value": number, "use": mobile or code("v2-0201", value.peek(2), use)}
    return {**made, **_of_number(value, at)} if value.beyond(4) else made


def _of_number(value: Value, at: str) -> Resource:
    """The parts of a telephone number, how long it holds, and which is tried first."""
    parts = [(name, value.take(n, f"{at}.extension")) for n, name in _PARTS]
    marks = [extension(f"{_CORE}contactpoint-{name}", valueString=part) for name, part in parts if part]
    rank = positive(value.peek(18))
    if rank:
        value.took(18, f"{at}.rank")
    return {"extension": marks, "rank": rank, "period": _lasting(value, 13, at)}


def _dialled(value: Value, at: str) -> str:
    parts = [value.take(component, f"{at}.value") for component in (5, 6, 7)]
    return " ".join(part for part in parts if part)


def practitioner(scene: Scene, value: Value, at: str) -> Resource | None:
    """An XCN: a reference to the Practitioner with that number, or the name alone when it has none."""
    if not value:
        return None
    number = value.peek(1)
    if not number:
        made = human_name(value, f"{at}.display", first=2)
        return {"display": made["text"]} if made else None
    here = scene.at("Practitioner", number)
    value.took(1, f"{here}identifier[0].value")
    made = human_name(value, f"{here}name[0]", first=2)
    universal, assigner = authority_system(value, f"{here}identifier[0]", 9)
    kind = type_of(value.take(13, f"{here}identifier[0].type"))
    mark = {"type": kind, "system": universal or scene.system("practitioner"), "value": number}
    use = code("v2-0200", value.peek(10))
    if use and made:
        value.took(10, f"{here}name[0].use")
    named = {"use": use, **made} if made else {}
    add_practitioner(scene, number, {**mark, "assigner": {"display": assigner}}, named)
    return {**scene.reference("Practitioner", number), "display": made["text"] if made else ""}


def add_practitioner(scene: Scene, number: str, mark: Resource, named: Resource) -> None:
    """Add who has that number; named a second time with less (no title, no type), what was said before stays."""
    before = scene.draft.live("Practitioner", number)
    said = pruned({"identifier": [mark], "name": [named]})
    for element, rows in said.items():
        known = before.get(element)
        same = "value" if element == "identifier" else "text"
        if known and known[0].get(same) == rows[0].get(same):
            said[element] = [{**known[0], **rows[0]}]
    scene.add("Practitioner", number, said)


def location_key(value: Value) -> str:
    """What names the place of a PL; empty for one that names none."""
    parts = [value.peek(component) for component in _PL]
    return "|".join(parts) if any(parts) else ""


def location(scene: Scene, value: Value, at: str) -> Resource | None:
    """A PL: one Location for the point of care, room and bed named."""
    if not value:
        return None
    parts = [value.peek(component) for component in _PL]
    key = location_key(value)
    if not key:
        return None
    here = scene.at("Location", key)
    for component, path in ((1, "name"), (2, "name"), (3, "name"), (4, "name"), (7, "name"), (8, "name"), (9, "name")):
        value.took(component, f"{here}{path}")
    names = [part for part in (parts[3], parts[4], parts[5], parts[6], parts[1], parts[2], parts[0]) if part]
    kind = "bd" if parts[5] else "ro" if parts[4] else "wa"
    coding = {"system": f"{TERMINOLOGY}location-physical-type", "code": kind}
    physical = {"coding": [coding], "text": value.take(6, f"{here}physicalType.text")}
    scene.add("Location", key, {"name": ", ".join(names), "mode": "instance", "physicalType": physical})
    return {**scene.reference("Location", key), "display": ", ".join(names)}


def facility(scene: Scene) -> Resource:
    """The sending hospital itself."""
    key = f"facility:{scene.hospital.facility_code}"
    if not scene.has_made("Organization", key):
        mark = {"system": scene.system("facility"), "value": scene.hospital.facility_code}
        scene.add("Organization", key, {"identifier": [mark], "active": True, "name": scene.hospital.title})
    return {**scene.reference("Organization", key), "display": scene.hospital.title}


def annotation(scene: Scene, segment: Segment, at: str) -> Resource | None:
    """An NTE: its lines as one comment, with author and time where given."""
    lines = [" ".join(value.take_all(f"{at}.text")) for value in segment.values(3)]
    if not any(lines):
        return None
    who = practitioner(scene, segment.value(5), f"{at}.authorReference")
    when = time(scene, segment.value(6), f"{at}.time")
    author = {"authorReference": who} if who and "reference" in who else {"authorString": who and who["display"]}
    kinds = ((4, "annotationType", "v2-0364"), (9, "alternate-codes", "comment"))
    found = [(name, coded(scene, segment.value(n), f"{at}.extension.value", table)) for n, name, table in kinds]
    marks = [extension(f"{_CORE}{name}", valueCodeableConcept=concept) for name, concept in found if concept]
    return {**({"extension": marks} if marks else {}), **author, "time": when, "text": "\n".join(lines)}

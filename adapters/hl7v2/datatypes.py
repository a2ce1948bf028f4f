"""Data types shared by all segments: coded elements, identifiers, names, addresses, telecoms, people.

https://build.fhir.org/ig/HL7/v2-to-fhir/datatype_maps.html
"""

import re
from functools import lru_cache

from adapters.contract import Resource
from adapters.draft import pruned
from adapters.hl7v2.codes import TERMINOLOGY, code, table
from adapters.hl7v2.numbers import UCUM, positive, unit_of
from adapters.hl7v2.read import Value
from adapters.hl7v2.scene import Scene, extension
from adapters.hl7v2.times import date_time, day, in_order, instant

ICD10_WHO = "http://hl7.org/fhir/sid/icd-10"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_CORE = "http://hl7.org/fhir/StructureDefinition/"
_HL7_TABLE = re.compile(r"HL7?0*(\d{1,4})", re.IGNORECASE)
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
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


def coded(scene: Scene, value: Value, at: str, local: str = "", before: int = 0) -> Resource | None:
    """A CWE or CE: its codings, its text, and what the hospital's table knows of it; ``before`` are put before them."""
    if not value:
        return None
    kept: list[Resource] = []
    for first in (1, 4, 10):
        if value.peek(first):
            kept.append(coding(scene, value, (first, local), f"{at}.coding[{before + len(kept)}]"))
    ours = scene.hospital.codes.get(local)
    if ours:
        known = [ours[one["code"]] for one in kept if one["code"] in ours]
        kept += [{"system": row.system, "code": row.code, "display": row.display} for row in known]
    text = value.take(9, f"{at}.text") or value.take(2, f"{at}.text") or value.take(5, f"{at}.text")
    return {"coding": kept, "text": text} if kept or text else None


def coding(scene: Scene, value: Value, which: tuple[int, str], at: str) -> Resource:
    """One coding of a CWE: the component it begins at, and what the hospital's own list is called."""
    first, local = which
    name = value.take(first, f"{at}.code")
    named = value.take(first + 2, f"{at}.system")
    system = coding_system(scene, local if named.upper() in _LOCAL else named)
    version = value.take({1: 7, 4: 8, 10: 13}[first], f"{at}.version")
    display = value.take(first + 1, f"{at}.display")
    return {"system": system, "version": version, "code": " ".join(name.split()), "display": display}


def from_table(scene: Scene, value: Value, at: str, name: str) -> Resource | None:
    """A field of an HL7 table: its standard meaning first, then what the sender wrote."""
    row = table(name).get(value.peek(1)) if value.peek(1) else None
    # A version says more than the standard coding has room for: then what was sent stands beside it.
    same = row is not None and value.peek(1) == row.code and value.peek(2) in ("", row.display) and not value.peek(7)
    concept = coded(scene, value, at, name, 1 if row and not same else 0)
    if concept is None or not value.peek(1):
        return concept
    if not value.peek(3):
        concept["coding"][0]["system"] = f"{TERMINOLOGY}{name}"
    if row is None:
        return concept
    standard = {"system": row.system, "code": row.code, "display": row.display}
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
    system = _universal(universal, kind)
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
    given = _universal(value.peek(3), value.peek(4).upper())
    if given:
        value.took(3, f"{at}.system")
        value.took(4, f"{at}.system")
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


def spoken_name(value: Value, at: str, first: int = 1) -> str:
    """An XPN, or an XCN from component 2, where FHIR has room for a text alone: title and degree stand in it too."""
    if not name_text(value, first):
        return ""
    order = (4, 0, 2, 1, 3, 5)
    return " ".join(part for n in order if (part := value.take(first + n, at)))


def name_text(value: Value, first: int = 1) -> str:
    """The name as it is said, without title and degree, not yet taken."""
    return " ".join(part for n in (0, 2, 1) if (part := value.peek(first + n)))


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
    lines: list[str] = []
    for component, subs in ((1, (1, 2, 3)), (2, (1,)), (8, (1,))):
        line = " ".join(part for sub in subs if (part := value.take(component, f"{at}.line[{len(lines)}]", sub)))
        lines.extend([line] if line else [])
    city, state = value.take(3, f"{at}.city"), value.take(4, f"{at}.state")
    postal, country = value.take(5, f"{at}.postalCode"), value.take(6, f"{at}.country")
    district = value.take(9, f"{at}.district")
    parts = [*lines, district, city, state]
    use, kind = code("v2-0190", value.peek(7)), code("v2-0190-type", value.peek(7))
    if use or kind:
        value.took(7, f"{at}.use" if use else f"{at}.type")
    text = ", ".join(part for part in parts if part)
    if not text and not country and not postal:
        return None
    places = {"city": city, "district": district, "state": state, "postalCode": postal, "country": country}
    made: Resource = {"use": use, "type": kind, "text": text, "line": lines, **places}
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
        said = spoken_name(value, f"{at}.display", first=2)
        return {"display": said} if said else None
    here = scene.at("Practitioner", number)
    value.took(1, f"{here}identifier[0].value")
    called = f"{here}name[{_place_of(scene, number, name_text(value, 2))}]"
    made = human_name(value, called, first=2)
    universal, assigner = authority_system(value, f"{here}identifier[0]", 9)
    kind = type_of(value.take(13, f"{here}identifier[0].type"))
    mark = {"type": kind, "system": universal or scene.system("practitioner"), "value": number}
    use = code("v2-0200", value.peek(10))
    if use and made:
        value.took(10, f"{called}.use")
    named = {"use": use, **made} if made else {}
    add_practitioner(scene, number, {**mark, "assigner": {"display": assigner}}, named)
    return {**scene.reference("Practitioner", number), "display": made["text"] if made else ""}


def add_practitioner(scene: Scene, number: str, mark: Resource, named: Resource) -> None:
    """Add who has that number; named a second time with less (no title, no type), what was said before stays."""
    before = scene.draft.live("Practitioner", number)
    said = pruned({"identifier": [mark], "name": [named]})
    for known in before.get("identifier", ())[:1]:
        said["identifier"] = [{**known, **said["identifier"][0]}]
    if "name" in said:
        # Spelt in two ways in one message, both names are kept.
        names, place = list(before.get("name", ())), _place_of(scene, number, named["text"])
        names[place:] = [{**(names[place] if place < len(names) else {}), **said["name"][0]}, *names[place + 1 :]]
        said["name"] = names
    scene.add("Practitioner", number, said)


def _place_of(scene: Scene, number: str, text: str) -> int:
    """Which of the names of who has that number this is, or will be."""
    names = [name.get("text") for name in scene.draft.live("Practitioner", number).get("name", ())]
    return names.index(text) if text in names else len(names)

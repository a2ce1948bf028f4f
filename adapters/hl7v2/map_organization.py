"""XON to Organization, and people with their place of work to PractitionerRole.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-prt-to-practitionerrole.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.contacts import address, mail_beside, telecom
from adapters.hl7v2.datatypes import type_of
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene, extension

_PREFERRED = "http://hl7.org/fhir/StructureDefinition/iso21090-preferred"
# Table 0185 by the equipment (XTN.3), else by the use (XTN.2) of a number.
_CONTACTS = {"BP": "B", "CP": "C", "INTERNET": "E", "X.400": "E", "FX": "F", "PRN": "H", "VHN": "H", "WPN": "O"}


def organization(scene: Scene, value: Value, at: str, more: Resource | None = None) -> Resource | None:
    """An XON by its code and name alone, since it is another's resource; as one of its own where ``more`` is known."""
    code_of_it, title = value.peek(10) or value.peek(3), value.peek(1)
    known = {name: part for name, part in (more or {}).items() if part and any(part)}
    # An address alone is no organization (org-1): it stays unmapped.
    if not code_of_it and not title:
        return None
    here = at
    if known:
        key = organization_key(value)
        here = f"{scene.at('Organization', key)}"
    mark = _number(scene, value, f"{here}identifier[0]" if known else f"{here}.identifier")
    value.took(1, f"{here}name" if known else f"{here}.display")
    if known:
        scene.add("Organization", key, {"identifier": [mark], "name": title, **known})
        return {**scene.reference("Organization", key), "display": title}
    return {"type": "Organization", "identifier": mark, "display": title}


def organization_key(value: Value) -> str:
    """What names the Organization that an XON may become; empty for one that names none."""
    named = value.peek(10) or value.peek(3) or value.peek(1)
    return f"xon:{named}" if named else ""


def _number(scene: Scene, value: Value, at: str) -> Resource | None:
    """The number of an XON, what sort of number it is, who gave it."""
    component = 10 if value.peek(10) else 3
    number = value.take(component, f"{at}.value")
    if not number:
        return None
    if value.peek(3) == number:
        value.took(3, f"{at}.value")
    kind, giver = value.take(7, f"{at}.type"), value.take(6, f"{at}.assigner.display")
    made = {"system": scene.system("facility"), "value": number, "assigner": {"display": giver}}
    return {"type": type_of(kind) if kind else None, **made}


def addresses(segment: Segment, field: int, at: str) -> list[Resource]:
    made: list[Resource] = []
    for value in segment.values(field):
        found = address(value, f"{at}address[{len(made)}]")
        made.extend([found] if found else [])
    return made


def telecoms(segment: Segment, field: int, at: str, preferred: int = 0) -> list[Resource]:
    """The numbers of a person or place; the way of contact that is preferred (table 0185) is marked."""
    wanted = segment.peek(preferred).upper() if preferred else ""
    made: list[Resource] = []
    for value in segment.values(field):
        found = telecom(value, f"{at}telecom[{len(made)}]")
        if not found:
            continue
        if wanted and wanted in (_CONTACTS.get(value.peek(3).upper()), _CONTACTS.get(value.peek(2).upper())):
            segment.take(preferred, f"{at}telecom[{len(made)}].extension[0].value")
            found = {"extension": [extension(_PREFERRED, valueBoolean=True)], **found}
        made.append(found)
    return made


def reached(numbers: list[tuple[str, Value]], at: str) -> list[Resource]:
    """The numbers of somebody, each with its use; what is no number takes no place among them."""
    made: list[Resource] = []
    for use, value in numbers:
        found = telecom(value, f"{at}telecom[{len(made)}]", use)
        made.extend([found] if found else [])
        beside = mail_beside(value, f"{at}telecom[{len(made)}]") if found else None
        made.extend([beside] if beside else [])
    return made


def practitioner_role(scene: Scene, key: str, elements: Resource) -> Resource:
    """A PractitionerRole, and the reference to it."""
    scene.add("PractitionerRole", key, elements)
    return scene.reference("PractitionerRole", key)


def role_code(code: str, display: str = "", table: str = "v2-0912") -> Resource:
    return {"coding": [{"system": f"{TERMINOLOGY}{table}", "code": code, "display": display}]}

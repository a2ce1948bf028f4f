"""The patient of the document, and the people who belong to the patient.

https://hl7.org/fhir/R4/patient.html
"""

import re
from datetime import date, timedelta
from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import absence, absent, coding, concept, filled, period, required_concept, time
from adapters.cda.demographics import address, addresses, first_name, names, spoken, telecoms
from adapters.cda.identifiers import identifiers, key_of, number_of
from adapters.cda.map_patient_extensions import extensions
from adapters.cda.map_staff import PROVIDER, organization, party
from adapters.cda.node import NOTHING, Node
from adapters.cda.tables import translated
from adapters.cda.times import is_instant
from adapters.contract import Resource

PROFICIENCY = "http://hl7.org/fhir/StructureDefinition/patient-proficiency"
GUARDIAN = {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "GUARD"}
BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"

_FIRST_YEAR = timedelta(days=366)
_MOTHER_CODES = frozenset({"MTH", "NMTH", "GESTM"})


def patient_key(role: Node, chart: Chart) -> str:
    """The hospital's own patient number, else the first number given, else the document itself."""
    own = _own_ids(role, chart)
    for node in own:
        if key_of(chart, node) == "mrn" and node.get("extension"):
            return node.get("extension")
    return next((number_of(node) for node in own if number_of(node)), f"document:{chart.scope}")


def patient(role: Node, chart: Chart) -> None:
    """The Patient, with no number of the mother on it even where the sender put one there."""
    person = role.first("patient")
    link = ("Patient", chart.patient)
    spot = chart.spot(link)
    elements = {
        "extension": extensions(person, spot),
        "identifier": identifiers(_own_ids(role, chart), spot),
        "name": _patient_names(person, chart, spot),
        "telecom": telecoms(role.all("telecom"), spot),
        **_gender(person.first("administrativeGenderCode"), spot),
        **_birth(person.first("birthTime"), spot),
        **_death(person, spot),
        "address": addresses(role.all("addr"), spot),
        "maritalStatus": concept(person.first("maritalStatusCode"), spot.at("maritalStatus")),
        **_multiple_birth(person, spot),
        "contact": [_contact(node, spot.at(f"contact[{n}]")) for n, node in enumerate(person.all("guardian"))],
        "communication": _languages(person, spot),
        "managingOrganization": organization(role.first("providerOrganization"), spot.at("managingOrganization")),
    }
    chart.add(link, elements)


def _own_ids(role: Node, chart: Chart) -> list[Node]:
    mothers = {number_of(node) for mother in _mothers(chart) for node in mother.all("id") if number_of(node)}
    return [node for node in role.all("id") if number_of(node) not in mothers]


def _mothers(chart: Chart) -> list[Node]:
    """Guardians and participants whom the document calls the patient's mother."""
    root = chart.document.root
    role = root.first("recordTarget", "patientRole")
    people = role.first("patient").all("guardian")
    people += [node.first("associatedEntity") for node in root.all("participant")]
    people += [node.first("relatedEntity") for node in root.all("informant")]
    return [node for node in people if node.first("code").get("code") in _MOTHER_CODES]


def _person_of(relative: Node) -> Node:
    for name in ("guardianPerson", "associatedPerson", "relatedPerson"):
        if relative.first(name):
            return relative.first(name)
    return relative.first("guardianOrganization")


def _patient_names(person: Node, chart: Chart, spot: Spot) -> list[Resource]:
    """The names; one that is really the mother's, in the first year of life, is only temporary."""
    found = names(person.all("name"), spot)
    if _in_first_year(person, chart):
        mothers = {spoken(_person_of(mother).first("name")).casefold() for mother in _mothers(chart)} - {""}
        return [_temporary(name) if _is_of(name, mothers) else name for name in found]
    return found


def _is_of(name: Resource, people: set[str]) -> bool:
    return any(person in name.get("text", "").casefold() for person in people)


def _temporary(name: Resource) -> Resource:
    return {"use": "temp", **name} | {"use": "temp"}


def _in_first_year(person: Node, chart: Chart) -> bool:
    stamps = (person.first("birthTime").get("value")[:8], chart.document.root.first("effectiveTime").get("value")[:8])
    try:
        born, written = (date.fromisoformat(stamp) for stamp in stamps)
    except ValueError:
        return False
    return written - born <= _FIRST_YEAR


def _gender(node: Node, spot: Spot) -> dict[str, Any]:
    gender = translated("gender", node.get("code"))
    if gender:
        spot.attribute(node, "code", "gender")
        spot.attribute(node, "codeSystem", "gender")
        spot.attribute(node, "displayName", "gender")
        return {"gender": gender}
    if node.get("code"):
        spot.chart.notice(node.place, "a gender code that no table has")
        return {"_gender": absent("unsupported")}
    if node.get("nullFlavor") == "UNK":
        spot.attribute(node, "nullFlavor", "gender")
        return {"gender": "unknown"}
    return {"_gender": absence(node, spot.at("gender"))}


def _birth(node: Node, spot: Spot) -> dict[str, Any]:
    born = time(node, spot.at("birthDate"))
    if not born:
        return {"_birthDate": absence(node, spot.at("birthDate"))}
    exact = [{"url": BIRTH_TIME, "valueDateTime": born}] if is_instant(born) else []
    return {"birthDate": born[:10], "_birthDate": filled({"extension": exact})}


def _death(person: Node, spot: Spot) -> dict[str, Any]:
    died = time(person.first("sdtc:deceasedTime"), spot.at("deceasedDateTime"))
    if died:
        return {"deceasedDateTime": died}
    return _flag(person.first("sdtc:deceasedInd"), spot, "deceasedBoolean")


def _multiple_birth(person: Node, spot: Spot) -> dict[str, Any]:
    order = person.first("sdtc:multipleBirthOrderNumber")
    if re.fullmatch(r"[1-9][0-9]?", order.get("value")):
        return {"multipleBirthInteger": int(spot.attribute(order, "value", "multipleBirthInteger"))}
    return _flag(person.first("sdtc:multipleBirthInd"), spot, "multipleBirthBoolean")


def _flag(node: Node, spot: Spot, path: str) -> dict[str, Any]:
    if node.get("value") not in {"true", "false"}:
        return {}
    return {path: spot.attribute(node, "value", path) == "true"}


def _contact(guardian: Node, spot: Spot) -> Resource:
    """A guardian is one by law, whatever else to the patient."""
    relationship = concept(guardian.first("code"), spot.at("relationship[1]"))
    contact = {
        "relationship": [{"coding": [GUARDIAN]}, *([relationship] if relationship else [])],
        "name": first_name(_person_of(guardian).all("name")[:1], spot) if guardian.first("guardianPerson") else {},
        "telecom": telecoms(guardian.all("telecom"), spot),
        "address": address(guardian.first("addr"), spot.at("address")),
        "organization": organization(guardian.first("guardianOrganization"), spot.at("organization")),
    }
    return filled(contact)


def _languages(person: Node, spot: Spot) -> list[Resource]:
    found: list[Resource] = []
    for node in person.all("languageCommunication"):
        place = spot.at(f"communication[{len(found)}]")
        code = place.attribute(node.first("languageCode"), "code", "language.coding[0].code")
        if code:
            language = {"coding": [{"system": "urn:ietf:bcp:47", "code": code}]}
            preferred = _flag(node.first("preferenceInd"), place, "preferred")
            found.append({"extension": _proficiency(node, place), "language": language, **preferred})
    return found


def _proficiency(node: Node, spot: Spot) -> list[Resource]:
    """How the language is used (spoken, written) and how well."""
    parts: list[Resource] = []
    for name, element in (("type", "modeCode"), ("level", "proficiencyLevelCode")):
        place = spot.at(f"extension[0].extension[{len(parts)}].valueCoding")
        found = coding(node.first(element), place)
        parts += [{"url": name, "valueCoding": found}] if found else []
    return [{"url": PROFICIENCY, "extension": parts}] if parts else []


def general_practitioners(chart: Chart) -> None:
    """Performers of the documented service whose function is to be the patient's own doctor."""
    found: list[Resource] = []
    link = ("Patient", chart.patient)
    for service in chart.document.root.all("documentationOf"):
        for node in service.first("serviceEvent").all("performer"):
            function = node.first("functionCode")
            place = chart.spot(link).at(f"generalPractitioner[{len(found)}]")
            one = party(node.first("assignedEntity"), place, PROVIDER) if function.get("code") == "PCP" else {}
            if one and one not in found:
                found.append(one)
                for name in ("code", "codeSystem", "displayName"):
                    place.attribute(function, name)
                place.text(function.first("originalText"))
    chart.add(link, {"generalPractitioner": found} if found else {})


def relatives(chart: Chart) -> None:
    """Guardians and personal participants as people of their own, linked to the patient but never the patient."""
    root = chart.document.root
    for guardian in root.first("recordTarget", "patientRole", "patient").all("guardian"):
        related_person(guardian, NOTHING, chart)
    for participant in root.all("participant"):
        if participant.first("associatedEntity", "associatedPerson"):
            related_person(participant.first("associatedEntity"), participant.first("time"), chart)


def related_person(relative: Node, when: Node, chart: Chart) -> Link | None:
    """One RelatedPerson: the same one wherever the document names the same person in the same role."""
    person = _person_of(relative)
    name = spoken(person.first("name"))
    if not name or person.name == "guardianOrganization":
        return None
    code = relative.first("code")
    link = ("RelatedPerson", f"{chart.patient}|{code.get('codeSystem')}|{code.get('code')}|{name.casefold()}")
    spot = chart.spot(link)
    relationship = required_concept(code, spot.at("relationship[0]"))
    elements = {
        "identifier": identifiers(relative.all("id"), spot, chart.known(link, "identifier")),
        "patient": chart.subject(),
        "relationship": [relationship],
        "name": names(person.all("name"), spot, chart.known(link, "name")),
        "telecom": telecoms(relative.all("telecom"), spot, known=chart.known(link, "telecom")),
        "address": addresses(relative.all("addr"), spot, chart.known(link, "address")),
        "period": period(when, spot.at("period")),
    }
    chart.add(link, elements)
    return link

"""Medicines: taken ones as statements, given ones as administrations, ordered and planned ones as requests.

https://hl7.org/fhir/R4/medicationstatement.html
"""

from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import absent, first_time, known_concept, required_concept, timing
from adapters.cda.facts import (
    Setting,
    author,
    authored,
    informant,
    is_negated,
    keep_text,
    notes,
    open_fact,
    performers,
    reasons,
    status,
)
from adapters.cda.identifiers import identifier
from adapters.cda.map_dosages import ASKED, dosages, given, when
from adapters.cda.map_observations import remarks
from adapters.cda.map_staff import organization
from adapters.cda.map_supplies import asked_for, dispenses, order_of, orders
from adapters.cda.node import NOTHING, Node
from adapters.cda.tables import translated
from adapters.contract import Resource


def medication(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """One medicine; what is asked for is a request, what staff gave is an administration, all else a statement."""
    if statement.get("moodCode") in ASKED:
        link = _request(chart, statement, setting)
    elif setting.procedure or setting.section.kind == "administered":
        link = _administration(chart, statement, setting)
    else:
        link = _statement(chart, statement)
    keep_text(statement, setting)
    remarks(chart, statement, setting, link)
    if link[0] != "MedicationRequest":
        orders(chart, statement, setting, link)
    dispenses(chart, statement, setting, link)
    return [link]


def drug(statement: Node) -> Node:
    """The code of the medicine itself."""
    return statement.first("consumable", "manufacturedProduct", "manufacturedMaterial", "code")


def _medicine(chart: Chart, statement: Node, spot: Spot) -> dict[str, Any]:
    """The medicine as a code; as a resource of its own where maker, lot, form or vehicle are told."""
    product = statement.first("consumable", "manufacturedProduct")
    material = product.first("manufacturedMaterial")
    if not _is_described(statement, product):
        return {"medicationCodeableConcept": named_drug(statement, spot.at("medicationCodeableConcept"))}
    link, place, elements = open_fact(chart, "Medication", product, drug(statement))
    elements |= {
        "code": named_drug(statement, place.at("code")),
        "manufacturer": organization(product.first("manufacturerOrganization"), place.at("manufacturer")),
        "form": known_concept(_form(statement), place.at("form")),
        "ingredient": _vehicles(statement, place),
        "batch": {"lotNumber": place.text(material.first("lotNumberText"), "batch.lotNumber")},
    }
    chart.add(link, elements)
    return {"medicationReference": chart.link(link, elements["code"].get("text", ""))}


def named_drug(statement: Node, spot: Spot) -> Resource:
    """The code, with the name that the sender calls it by where the code does not bring its own words."""
    code, name = drug(statement), statement.first("consumable", "manufacturedProduct", "manufacturedMaterial", "name")
    found = required_concept(code, spot, name or statement.first("text"))
    called = spot.text(name, "text") if name.text and not code.first("originalText") else ""
    return {**found, "text": called} if called else found


def _is_described(statement: Node, product: Node) -> bool:
    """Whether more is told of the product than its code."""
    maker = product.first("manufacturerOrganization", "name").text
    lot = product.first("manufacturedMaterial", "lotNumberText").text
    return bool(maker or lot or _form(statement).get("code") or _dissolved_in(statement))


def _form(statement: Node) -> Node:
    """Tablet, spray: the unit of administration, unless it is the unit that a bare number counts."""
    dose = statement.first("doseQuantity")
    counts = dose.get("value") and dose.get("unit") in {"", "1"}
    return NOTHING if counts else statement.first("administrationUnitCode")


def _dissolved_in(statement: Node) -> list[Node]:
    taken = [one.first("participantRole", "playingEntity") for one in statement.all("participant") if _is_part(one)]
    return [entity for entity in taken if entity.first("code").get("code") or entity.first("name").text]


def _is_part(participant: Node) -> bool:
    return participant.get("typeCode") == "CSM"


def _vehicles(statement: Node, place: Spot) -> list[Resource]:
    """What it is dissolved in; a part that does nothing itself."""
    found: list[Resource] = []
    for entity in _dissolved_in(statement):
        here = place.at(f"ingredient[{len(found)}].itemCodeableConcept")
        item = known_concept(entity.first("code"), here)
        text = here.text(entity.first("name"), "text")
        found.append({"itemCodeableConcept": {**item, "text": text or item.get("text", "")}, "isActive": False})
    return found


def _statement(chart: Chart, statement: Node) -> Link:
    link, spot, elements = open_fact(chart, "MedicationStatement", statement, drug(statement))
    taken = status(statement, "medication_statement_status", spot)
    told = informant(statement, spot, "informationSource") or author(statement, spot, "informationSource")
    elements |= {
        "status": "not-taken" if is_negated(statement, spot, "status") else taken,
        **_medicine(chart, statement, spot),
        "subject": chart.subject(),
        **timing(when(statement), spot, "effective"),
        "dateAsserted": authored(statement, spot, "dateAsserted"),
        "informationSource": told,
        "reasonCode": reasons(statement, link, spot),
        "dosage": dosages(statement, spot.at("dosage[0]"), timed=False),
        "note": notes(statement, spot),
    }
    elements["context"] = chart.encounter_at(first_time(elements, "effective"))
    chart.add(link, elements)
    return link


def _administration(chart: Chart, statement: Node, setting: Setting) -> Link:
    link, spot, elements = open_fact(chart, "MedicationAdministration", statement, drug(statement))
    done = status(statement, "administration_status", spot)
    moment = timing(when(statement), spot, "effective") or {"_effectiveDateTime": absent()}
    elements |= {
        "partOf": [chart.link(setting.procedure)] if setting.procedure else [],
        "status": "not-done" if is_negated(statement, spot, "status") else done,
        **_medicine(chart, statement, spot),
        "subject": chart.subject(),
        "context": chart.encounter_at(first_time(moment, "effective")),
        **moment,
        "performer": [{"actor": actor} for actor in performers(statement, spot, "performer", "actor")],
        "reasonCode": reasons(statement, link, spot),
        "dosage": given(statement, spot.at("dosage")),
        "note": notes(statement, spot),
    }
    chart.add(link, elements)
    return link


def _request(chart: Chart, statement: Node, setting: Setting) -> Link:
    link, spot, elements = open_fact(chart, "MedicationRequest", statement, drug(statement))
    planned = setting.section.kind == "plan" and statement.get("moodCode") == "INT"
    intent = "plan" if planned else translated("medication_intent", statement.get("moodCode")) or "order"
    not_to = is_negated(statement, spot, "doNotPerform")
    by = performers(statement, spot, "performer")[:1]
    order = order_of(statement)
    elements |= {
        "status": status(statement, "medication_request_status", spot),
        "intent": intent,
        "doNotPerform": _not_to(statement, not_to),
        **_medicine(chart, statement, spot),
        "subject": chart.subject(),
        "groupIdentifier": identifier(order.first("id"), spot.at("groupIdentifier")),
        "authoredOn": authored(statement, spot, "authoredOn", order),
        "requester": author(statement, spot, "requester") or author(order, spot, "requester"),
        "performer": by[0] if by else {},
        "reasonCode": reasons(statement, link, spot),
        "dosageInstruction": dosages(statement, spot.at("dosageInstruction[0]"), timed=True),
        "dispenseRequest": asked_for(order, spot.at("dispenseRequest")),
        "note": notes(statement, spot),
    }
    chart.add(link, elements)
    return link


def _not_to(statement: Node, negated: bool) -> bool | None:
    """Said only where the sender says it, either way."""
    return negated if statement.get("negationInd") in {"true", "false"} else None

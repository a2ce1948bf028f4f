"""Medicines: taken or given ones as statements, ordered and planned ones as requests.

https://hl7.org/fhir/R4/medicationstatement.html
"""

import re
from typing import Any

from adapters.cda.chart import Chart, Link, Spot
from adapters.cda.datatypes import (
    concept,
    first_time,
    known_concept,
    period,
    required_concept,
    start,
    system_uri,
    timing,
    words,
)
from adapters.cda.facts import (
    PART,
    Setting,
    author,
    authored,
    follows,
    notes,
    is_negated,
    keep_text,
    open_fact,
    related,
    set_aside,
    status,
    with_template,
)
from adapters.cda.node import NOTHING, Node
from adapters.cda.quantities import number, quantity, range_, ratio
from adapters.cda.tables import translated
from adapters.contract import Resource

_INDICATION = "2.16.840.1.113883.10.20.22.4.19"
_INSTRUCTION = "2.16.840.1.113883.10.20.22.4.20"
_SIGNATURE = "2.16.840.1.113883.10.20.22.4.147"
_PERIODS = frozenset({"s", "min", "h", "d", "wk", "mo", "a"})
_ASKED = frozenset({"INT", "RQO", "PRP", "PRMS", "ARQ"})


def medication(chart: Chart, statement: Node, setting: Setting) -> list[Link]:
    """One medicine; what is asked for is a request, what is or was taken is a statement."""
    asked = statement.get("moodCode") in _ASKED
    link = _request(chart, statement, setting) if asked else _statement(chart, statement)
    keep_text(statement, setting)
    return [link]


def drug(statement: Node) -> Node:
    """The code of the medicine itself."""
    return statement.first("consumable", "manufacturedProduct", "manufacturedMaterial", "code")


def _medicine(chart: Chart, statement: Node, spot: Spot) -> dict[str, Any]:
    """The medicine as a code; as a resource of its own where maker or lot are told."""
    product = statement.first("consumable", "manufacturedProduct")
    material = product.first("manufacturedMaterial")
    fallback = material.first("name") or statement.first("text")
    maker, lot = product.first("manufacturerOrganization", "name"), material.first("lotNumberText")
    if not (maker.text or lot.text):
        return {
            "medicationCodeableConcept": required_concept(
                drug(statement), spot.at("medicationCodeableConcept"), fallback
            )
        }
    link, place, elements = open_fact(chart, "Medication", product, drug(statement))
    elements |= {
        "code": required_concept(drug(statement), place.at("code"), fallback),
        "manufacturer": {"display": place.text(maker, "manufacturer.display")},
        "batch": {"lotNumber": place.text(lot, "batch.lotNumber")},
    }
    chart.draft.add(*link, elements)
    return {"medicationReference": chart.link(link, elements["code"].get("text", ""))}


def _statement(chart: Chart, statement: Node) -> Link:
    link, spot, elements = open_fact(chart, "MedicationStatement", statement, drug(statement))
    taken = status(statement, "medication_statement_status", spot)
    elements |= {
        "status": "not-taken" if is_negated(statement, spot, "status") else taken,
        **_medicine(chart, statement, spot),
        "subject": chart.subject(),
        **timing(_when(statement), spot, "effective"),
        "dateAsserted": authored(statement, spot, "dateAsserted"),
        "informationSource": author(statement, spot, "informationSource"),
        "reasonCode": _reasons(statement, spot),
        "dosage": _dosages(statement, spot.at("dosage[0]"), timed=False),
        "note": notes(statement, spot),
    }
    elements["context"] = chart.encounter_at(first_time(elements, "effective"))
    chart.draft.add(*link, elements)
    return link


def _request(chart: Chart, statement: Node, setting: Setting) -> Link:
    link, spot, elements = open_fact(chart, "MedicationRequest", statement, drug(statement))
    planned = setting.section.kind == "plan" and statement.get("moodCode") == "INT"
    intent = "plan" if planned else translated("medication_intent", statement.get("moodCode")) or "order"
    not_to = is_negated(statement, spot, "doNotPerform")
    elements |= {
        "status": status(statement, "medication_request_status", spot),
        "intent": intent,
        "doNotPerform": True if not_to else None,
        **_medicine(chart, statement, spot),
        "subject": chart.subject(),
        "authoredOn": authored(statement, spot, "authoredOn"),
        "requester": author(statement, spot, "requester"),
        "reasonCode": _reasons(statement, spot),
        "dosageInstruction": _dosages(statement, spot.at("dosageInstruction[0]"), timed=True),
        "dispenseRequest": _supply(statement, spot.at("dispenseRequest")),
        "note": notes(statement, spot),
    }
    chart.draft.add(*link, elements)
    return link


def _when(statement: Node) -> Node:
    """The effective time that says when, not how often."""
    times = statement.all("effectiveTime")
    return next((node for node in times if not node.first("period") and not node.first("event")), NOTHING)


def _dosages(statement: Node, spot: Spot, timed: bool) -> list[Resource]:
    found = {
        "text": _signature(statement, spot),
        "patientInstruction": _instruction(statement, spot),
        "timing": _timing(statement, spot.at("timing"), timed),
        "route": concept(statement.first("routeCode"), spot.at("route")),
        "site": concept(statement.first("approachSiteCode"), spot.at("site")),
        "doseAndRate": _dose(statement, spot.at("doseAndRate[0]")),
        "maxDosePerPeriod": ratio(statement.first("maxDoseQuantity"), spot.at("maxDosePerPeriod")),
        "asNeededCodeableConcept": _condition_of_use(statement, spot.at("asNeededCodeableConcept")),
    }
    form = statement.first("administrationUnitCode")
    if form.get("code") and not found["doseAndRate"]:
        found["method"] = concept(form, spot.at("method"))
    kept = {name: value for name, value in found.items() if value}
    return [kept] if kept else []


def _condition_of_use(statement: Node, spot: Spot) -> Resource:
    """What makes it needed, such as pain."""
    return known_concept(statement.first("precondition", "criterion", "value"), spot)


def _signature(statement: Node, spot: Spot) -> str:
    """The doctor's own words on how to take it."""
    free = (node for node in related(statement, "substanceAdministration") if follows(node, _SIGNATURE))
    return words(next(free, NOTHING).first("text"), spot.at("text"))


def _instruction(statement: Node, spot: Spot) -> str:
    """What the patient is told."""
    told = next((node for node in related(statement, "act") if follows(node, _INSTRUCTION)), NOTHING)
    set_aside(told, spot, PART)
    return words(told.first("text"), spot.at("patientInstruction"))


def _timing(statement: Node, spot: Spot, timed: bool) -> Resource:
    repeat = _repeat(statement, spot.at("repeat"))
    if not timed:
        return {"repeat": repeat} if repeat else {}
    when = _when(statement)
    if when.first("low") or when.first("high"):
        bounds = period(when, spot.at("repeat.boundsPeriod"))
        return {"repeat": {**({"boundsPeriod": bounds} if bounds else {}), **repeat}}
    event = start(when, spot.at("event[0]"))
    return {"event": [event] if event else [], "repeat": repeat}


def _repeat(statement: Node, spot: Spot) -> dict[str, Any]:
    """Every six hours is a frequency of one in a period of six hours."""
    length = next((node.first("period") for node in statement.all("effectiveTime") if node.first("period")), NOTHING)
    amount = number(length.get("value"))
    found: dict[str, Any] = {}
    if amount is not None and amount > 0 and length.get("unit") in _PERIODS:
        found = {"frequency": 1, "period": amount, "periodUnit": length.get("unit")}
        spot.attribute(length, "value", "period")
        spot.attribute(length, "unit", "periodUnit")
    count = statement.first("repeatNumber")
    if re.fullmatch(r"[1-9][0-9]{0,8}", count.get("value")) and statement.get("moodCode") in _ASKED:
        found["count"] = int(spot.attribute(count, "value", "count"))
    return found


def _dose(statement: Node, spot: Spot) -> list[Resource]:
    """Dose and rate; a bare number counts the unit of administration (tablets, puffs)."""
    found = {
        **_amount(statement.first("doseQuantity"), spot, "dose"),
        **_amount(statement.first("rateQuantity"), spot, "rate"),
    }
    form = statement.first("administrationUnitCode")
    if "unit" not in found.get("doseQuantity", {"unit": ""}) and form.get("code"):
        found["doseQuantity"] |= _counted(form, spot.at("doseQuantity"))
    return [found] if found else []


def _counted(form: Node, spot: Spot) -> Resource:
    """The unit of administration as the unit of the dose."""
    system = system_uri(spot.chart, form.get("codeSystem"))
    unit = spot.attribute(form, "displayName", "unit")
    code = spot.attribute(form, "code", "code" if system else "unit")
    if system:
        spot.attribute(form, "codeSystem", "system")
        return {"unit": unit or code, "system": system, "code": code}
    return {"unit": unit or code}


def _amount(node: Node, spot: Spot, name: str) -> dict[str, Any]:
    if node.first("low") or node.first("high"):
        limits = range_(node, spot.at(f"{name}Range"))
        return {f"{name}Range": limits} if limits else {}
    amount = quantity(node, spot.at(f"{name}Quantity"))
    return {f"{name}Quantity": amount} if amount else {}


def _reasons(statement: Node, spot: Spot) -> list[Resource]:
    value = with_template(statement, _INDICATION).first("value")
    reason = known_concept(value, spot.at("reasonCode[0]"))
    set_aside(with_template(statement, _INDICATION), spot, PART)
    return [reason] if reason else []


def _supply(statement: Node, spot: Spot) -> Resource:
    """How much to dispense, and how often again."""
    order = next((node for node in related(statement, "supply") if node.get("moodCode") in _ASKED), NOTHING)
    amount = quantity(order.first("quantity"), spot.at("quantity"))
    again = order.first("repeatNumber")
    repeats = again.get("value")
    allowed = (
        int(spot.attribute(again, "value", "numberOfRepeatsAllowed")) if re.fullmatch(r"[0-9]{1,8}", repeats) else None
    )
    return {"quantity": amount, "numberOfRepeatsAllowed": allowed}

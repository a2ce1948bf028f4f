"""RXO and RXE to MedicationRequest, RXD to MedicationDispense, RXA to MedicationAdministration; RXR and RXC with them.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-rxo-to-medicationrequest.html
"""

from dataclasses import dataclass

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY, code
from adapters.hl7v2.datatypes import absent, coded, entity, period, practitioner, time, unit
from adapters.hl7v2.map_dosage import ORDERED, Treatment, instructed
from adapters.hl7v2.map_order_control import asked, group, numbers, order_number, request_status
from adapters.hl7v2.map_order_details import add_control, add_secrecy
from adapters.hl7v2.map_pharmacy import dispensing, taken_where
from adapters.hl7v2.map_provenance import add_order_provenance
from adapters.hl7v2.map_timing import old_priority, old_timing, quantity, says
from adapters.hl7v2.numbers import number, positive
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import day

_DISCONTINUED = frozenset({"DC", "OD", "DR"})


@dataclass(frozen=True, slots=True)
class Layout:
    """Where RXO, RXE and RXD keep the same things; 0 where they do not say it."""

    drug: int
    form: int
    amount: int
    amount_unit: int
    strength: int
    strength_unit: int
    low: int = 0
    high: int = 0
    dose_unit: int = 0
    instructions: tuple[int, ...] = ()
    refills: int = 0
    indication: int = 0
    daily: int = 0
    lot: int = 0
    expiry: int = 0
    maker: int = 0
    volume: int = 0
    volume_unit: int = 0
    rate: int = 0
    rate_unit: int = 0


RXO = Layout(1, 5, 11, 12, 18, 19, 2, 3, 4, (6, 7), 13, 20, 23, 0, 0, 0, 25, 26, 21, 22)
RXE = Layout(2, 6, 10, 11, 25, 26, 3, 4, 5, (7, 21), 12, 27, 19, 0, 0, 0, 33, 34, 23, 24)
RXD = Layout(2, 6, 4, 5, 16, 17, lot=18, expiry=19, maker=20, indication=21, daily=12)
RXA = Layout(5, 8, 6, 7, 13, 14, lot=15, expiry=16, maker=17, indication=19)


def map_request(scene: Scene, orc: Segment | None, row: Segment, original: Resource | None) -> Treatment:
    """RXO, what the doctor asked for, or RXE, what the pharmacy made of it; alone, either is the order."""
    layout = RXO if row.name == "RXO" else RXE
    number_of_it = order_number(orc) or row.peek(15 if row.name == "RXE" else 0)
    key = _key(scene, "MedicationRequest", number_of_it, row, layout)
    at = scene.at("MedicationRequest", key)
    encoded = row.name == "RXO" and "RXE" in scene.names
    intent = "filler-order" if original else "original-order" if encoded else "order"
    elements, drug = _drug(scene, row, layout, ("MedicationRequest", key))
    dose = _dosage(scene, row, layout, f"{at}dosageInstruction[0]")
    often = _old_timings(orc, row)
    rhythms = (old_timing(scene, value, f"{at}dosageInstruction[0].timing") for value in often)
    dose["timing"] = next((rhythm for rhythm in rhythms if says(rhythm)), None)
    made = scene.add(
        "MedicationRequest",
        key,
        {
            "identifier": _with_prescription(scene, orc, row, at),
            "status": _status(orc, at),
            "intent": intent,
            "priority": next((said for value in often if (said := old_priority(value, f"{at}priority"))), ""),
            **elements,
            "subject": scene.patient(),
            "encounter": scene.encounter(),
            **_asked(scene, orc, row, at),
            "basedOn": [{"reference": f"urn:uuid:{original['id']}"}] if original else [],
            "groupIdentifier": group(scene, orc, f"{at}groupIdentifier"),
            "dosageInstruction": [dose] if any(dose.values()) else [],
            "category": taken_where(orc, at),
            "dispenseRequest": {
                **_dispense_request(row, layout, f"{at}dispenseRequest"),
                **dispensing(scene, row, f"{at}dispenseRequest"),
            },
            "substitution": _substitution(row, at),
        },
    )
    if orc:
        add_secrecy(scene, orc.value(28), made)
        add_order_provenance(scene, orc, made)
    return Treatment(made, drug, number_of_it)


def map_dispense(scene: Scene, orc: Segment | None, rxd: Segment, request: Resource | None) -> Treatment:
    number_of_it = order_number(orc) or rxd.peek(7)
    key = _key(scene, "MedicationDispense", f"{number_of_it}|{rxd.peek(3)}", rxd, RXD)
    at = scene.at("MedicationDispense", key)
    elements, drug = _drug(scene, rxd, RXD, ("MedicationDispense", key))
    prescription = entity(scene, rxd.value(7), f"{at}authorizingPrescription[0].identifier", scene.system("order"))
    link = {"reference": f"urn:uuid:{request['id']}"} if request else {"type": "MedicationRequest"}
    links: list[Resource] = [{**link, "identifier": prescription}] if request or prescription else []
    people = [practitioner(scene, who, f"{at}performer[{n}].actor") for n, who in enumerate(rxd.values(10))]
    daily = quantity(rxd.value(12), f"{at}dosageInstruction[0].maxDosePerPeriod.numerator")
    dose = {"maxDosePerPeriod": {"numerator": daily, "denominator": _per_day()}} if daily else {}
    made = scene.add(
        "MedicationDispense",
        key,
        {
            "identifier": numbers(scene, orc, at),
            "status": "completed",
            **elements,
            "subject": scene.patient(),
            "context": scene.encounter(),
            "performer": [{"actor": person} for person in people if person],
            "authorizingPrescription": links,
            "quantity": _amount(rxd, RXD, f"{at}quantity"),
            "whenHandedOver": time(scene, rxd.value(3), f"{at}whenHandedOver"),
            "note": [{"text": value.take_text(f"{at}note[{n}].text")} for n, value in enumerate(rxd.values(9))],
            "dosageInstruction": [dose] if dose else [],
        },
    )
    return Treatment(made, drug, number_of_it)


def map_administration(scene: Scene, orc: Segment | None, rxa: Segment, request: Resource | None) -> Treatment:
    number_of_it = order_number(orc)
    key = _key(scene, "MedicationAdministration", f"{number_of_it}|{rxa.peek(3)}", rxa, RXA)
    at = scene.at("MedicationAdministration", key)
    elements, drug = _drug(scene, rxa, RXA, ("MedicationAdministration", key))
    status = code("v2-0322", rxa.peek(20).upper(), "completed")
    rxa.take(20, f"{at}status")
    people = [practitioner(scene, who, f"{at}performer[{n}].actor") for n, who in enumerate(rxa.values(10))]
    doers = [{"actor": person} for person in people if person] + _ordering(scene, orc, f"{at}performer")
    amount = _amount(rxa, RXA, f"{at}dosage.dose")
    made = scene.add(
        "MedicationAdministration",
        key,
        {
            "identifier": numbers(scene, orc, at),
            "status": status,
            "statusReason": [coded(scene, value, f"{at}statusReason[0]", "v2-0116") for value in rxa.values(18)[:1]],
            **elements,
            "subject": scene.patient(),
            "context": scene.encounter(),
            **_given(scene, rxa, at),
            "performer": doers,
            "reasonCode": [coded(scene, v, f"{at}reasonCode[{n}]", "reason") for n, v in enumerate(rxa.values(19))],
            "request": {"reference": f"urn:uuid:{request['id']}"} if request else None,
            "dosage": {"dose": amount} if amount else None,
        },
    )
    if orc:
        add_control(orc, made, at)
        add_secrecy(scene, orc.value(28), made)
    return Treatment(made, drug, number_of_it)


def _ordering(scene: Scene, orc: Segment | None, at: str) -> list[Resource]:
    """ORC-12: who ordered what was given."""
    people = [practitioner(scene, who, f"{at}.actor") for who in orc.values(12)] if orc else []
    role = {"coding": [{"system": f"{TERMINOLOGY}v2-0443", "code": "OP", "display": "Ordering Provider"}]}
    return [{"function": role, "actor": person} for person in people if person]


def add_route(scene: Scene, rxr: Segment, treatment: Treatment) -> None:
    """RXR: by which way, where on the body, how."""
    made = treatment.made
    single = made["resourceType"] == "MedicationAdministration"
    path = "dosage" if single else "dosageInstruction[0]"
    at = f"{made['resourceType']}/{made['id']}#{path}"
    parts = {
        "route": coded(scene, rxr.value(1), f"{at}.route", "v2-0162"),
        "site": coded(scene, rxr.value(2), f"{at}.site", "v2-0163"),
        "method": coded(scene, rxr.value(4), f"{at}.method", "v2-0165"),
    }
    how = None if single else coded(scene, rxr.value(5), f"{at}.additionalInstruction[0]", "routing-instruction")
    said = {name: part for name, part in parts.items() if part}
    if said or how:
        target = made.setdefault("dosage", {}) if single else made.setdefault("dosageInstruction", [{}])[0]
        target.update(said)
        if how:
            target["additionalInstruction"] = [*target.get("additionalInstruction", ()), how]
        if single:
            # mad-1 wants a dose; RXA-6 did not say it.
            target.setdefault("dose", absent())


def add_component(scene: Scene, rxc: Segment, treatment: Treatment) -> None:
    """RXC: one part of a mixture."""
    if treatment.drug is None:
        return
    listed = treatment.drug.setdefault("ingredient", [])
    at = f"Medication/{treatment.drug['id']}#ingredient[{len(listed)}]"
    concept = coded(scene, rxc.value(2), f"{at}.itemCodeableConcept", "medication")
    # How much of it is in the mixture says more than how strong it was before.
    amount, scale = (3, 4) if rxc.peek(3) else (5, 6)
    read = number(rxc.peek(amount)) if rxc.peek(amount) else None
    part: Resource = {"itemCodeableConcept": concept or absent()}
    if rxc.peek(1).upper() in ("A", "B"):
        rxc.take(1, f"{at}.isActive")
        part["isActive"] = rxc.peek(1).upper() == "A"
    if read:
        rxc.take(amount, f"{at}.strength.numerator.value")
        named = unit(rxc.value(scale), f"{at}.strength.numerator")
        part["strength"] = {"numerator": {"value": read.value, **named}, "denominator": {"value": 1}}
    listed.append(part)


def _key(scene: Scene, kind: str, number_of_it: str, row: Segment, layout: Layout) -> str:
    what = row.peek(layout.drug) or row.peek(layout.drug, 2)
    where = number_of_it.strip("|") or f"{scene.encounter_key or scene.patient_key}@{scene.header.peek(10)}"
    return scene.key(kind, where, row.name if kind == "MedicationRequest" else "", what)


def _with_prescription(scene: Scene, orc: Segment | None, row: Segment, at: str) -> list[Resource]:
    made = numbers(scene, orc, at)
    if row.name == "RXE":
        known = [other["value"] for other in made]
        if row.peek(15) in known:
            row.take(15, f"{at}identifier[{known.index(row.peek(15))}].value")
            return made
        own = entity(scene, row.value(15), f"{at}identifier[{len(made)}]", scene.system("order"))
        made.extend([own] if own else [])
    return made


def _asked(scene: Scene, orc: Segment | None, row: Segment, at: str) -> Resource:
    """Who asked: ORC-12, else the provider named in the pharmacy row itself; why: the row's indication."""
    layout, field = (RXO, 14) if row.name == "RXO" else (RXE, 13)
    said = asked(scene, orc, at)
    person = said.get("requester") or practitioner(scene, row.value(field), f"{at}requester")
    reasons = [reason for reason in said.get("reasonCode", ()) if reason]
    for value in row.values(layout.indication):
        reasons.append(coded(scene, value, f"{at}reasonCode[{len(reasons)}]", "reason"))
    return {**said, "requester": person, "reasonCode": reasons}


def _drug(scene: Scene, row: Segment, layout: Layout, owner: tuple[str, str]) -> tuple[Resource, Resource | None]:
    """medication[x]: a code, or a Medication where form, strength, lot or components are named."""
    details = (layout.form, layout.strength, layout.lot, layout.expiry, layout.maker)
    if "RXC" not in scene.names and not any(row.peek(field) for field in details if field):
        at = scene.at(*owner)
        concept = coded(scene, row.value(layout.drug), f"{at}medicationCodeableConcept", "medication")
        return {"medicationCodeableConcept": concept or absent()}, None
    key = "|".join(owner)
    at = scene.at("Medication", key)
    concept = coded(scene, row.value(layout.drug), f"{at}code", "medication") or absent()
    lot = row.take(layout.lot, f"{at}batch.lotNumber") if layout.lot else ""
    made = scene.add(
        "Medication",
        key,
        {
            "code": concept,
            "manufacturer": _maker(row, layout, at),
            "form": coded(scene, row.value(layout.form), f"{at}form", "medication-form"),
            "ingredient": _strength(row, layout, at, concept),
            "batch": {"lotNumber": lot, "expirationDate": _expiry(row, layout, at)},
        },
    )
    return {"medicationReference": scene.reference("Medication", key)}, made


def _maker(row: Segment, layout: Layout, at: str) -> Resource | None:
    if not layout.maker:
        return None
    value = row.value(layout.maker)
    title, mark = value.take(2, f"{at}manufacturer.display"), value.take(1, f"{at}manufacturer.identifier.value")
    return {"type": "Organization", "identifier": {"value": mark}, "display": title} if title or mark else None


def _expiry(row: Segment, layout: Layout, at: str) -> str | None:
    said = day(row.peek(layout.expiry)) if layout.expiry and row.peek(layout.expiry) else None
    if said:
        row.take(layout.expiry, f"{at}batch.expirationDate")
    return said


def _strength(row: Segment, layout: Layout, at: str, concept: Resource) -> list[Resource]:
    """Strength is of the drug itself: so much in a unit of it, or in the volume said."""
    read = number(row.peek(layout.strength)) if row.peek(layout.strength) else None
    if read is None:
        return []
    here = f"{at}ingredient[0].strength"
    row.take(layout.strength, f"{here}.numerator.value")
    top = {"value": read.value, **unit(row.value(layout.strength_unit), f"{here}.numerator")}
    volume = number(row.peek(layout.volume)) if layout.volume and row.peek(layout.volume) else None
    bottom: Resource = {"value": 1}
    if volume:
        row.take(layout.volume, f"{here}.denominator.value")
        bottom = {"value": volume.value, **unit(row.value(layout.volume_unit), f"{here}.denominator")}
    return [{"itemCodeableConcept": concept, "strength": {"numerator": top, "denominator": bottom}}]


def _amount(row: Segment, layout: Layout, at: str) -> Resource | None:
    read = number(row.peek(layout.amount)) if row.peek(layout.amount) else None
    if read is None:
        return None
    row.take(layout.amount, f"{at}.value")
    return {"value": read.value, **unit(row.value(layout.amount_unit), at)}


def _status(orc: Segment | None, at: str) -> str:
    """A drug that is discontinued was taken until then: stopped, not cancelled."""
    status = code("medication-status", request_status(orc, at), "unknown")
    return "stopped" if status == "cancelled" and orc and orc.peek(1).upper() in _DISCONTINUED else status


def _old_timings(orc: Segment | None, row: Segment) -> list[Value]:
    """Where messages before 2.5 say how often: RXE-1, and ORC-7 where that names no rhythm."""
    own = [row.value(1)] if row.name == "RXE" else []
    return own if orc is None or (own and own[0].peek(2)) else [orc.value(7), *own]


def _dosage(scene: Scene, row: Segment, layout: Layout, at: str) -> Resource:
    """How much each time, how much a day, and the instruction."""
    daily = quantity(row.value(layout.daily), f"{at}.maxDosePerPeriod.numerator")
    return {
        **instructed(scene, [value for field in layout.instructions for value in row.values(field)], at),
        "doseAndRate": _with_rate(row, layout, f"{at}.doseAndRate[0]", _dose(row, layout, f"{at}.doseAndRate[0]")),
        "maxDosePerPeriod": {"numerator": daily, "denominator": _per_day()} if daily else None,
    }


def _given(scene: Scene, rxa: Segment, at: str) -> Resource:
    """A moment, or a period where the end is another one than the start."""
    if rxa.peek(4) and rxa.peek(4) != rxa.peek(3):
        span = period(scene, (rxa.value(3), 1), (rxa.value(4), 1), f"{at}effectivePeriod")
        return {"effectivePeriod": span} if any(span.values()) else {"_effectiveDateTime": absent()}
    begun = time(scene, rxa.value(3), f"{at}effectiveDateTime")
    rxa.take(4, f"{at}effectiveDateTime")
    return {"effectiveDateTime": begun} if begun else {"_effectiveDateTime": absent()}


def _dose(row: Segment, layout: Layout, at: str) -> list[Resource]:
    low, high = (number(row.peek(field)) if row.peek(field) else None for field in (layout.low, layout.high))
    if low is None:
        return []
    single = high is None or high.value < low.value
    here = f"{at}.doseQuantity" if single else f"{at}.doseRange.low"
    row.take(layout.low, f"{here}.value")
    scale = unit(row.value(layout.dose_unit), here)
    if high is None or single:
        return [{"type": ORDERED, "doseQuantity": {"value": low.value, **scale}}]
    row.take(layout.high, f"{at}.doseRange.high.value")
    span = {"low": {"value": low.value, **scale}, "high": {"value": high.value, **scale}}
    return [{"type": ORDERED, "doseRange": span}]


def _with_rate(row: Segment, layout: Layout, at: str, doses: list[Resource]) -> list[Resource]:
    """How fast an infusion runs, beside how much of it is given."""
    read = number(row.peek(layout.rate)) if row.peek(layout.rate) else None
    if read is None:
        return doses
    row.take(layout.rate, f"{at}.rateQuantity.value")
    speed = {"value": read.value, **unit(row.value(layout.rate_unit), f"{at}.rateQuantity")}
    return [{**(doses[0] if doses else {"type": ORDERED}), "rateQuantity": speed}]


def _per_day() -> Resource:
    return {"value": 1, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}


def _dispense_request(row: Segment, layout: Layout, at: str) -> Resource:
    refills = row.peek(layout.refills)
    count = 0 if refills == "0" else positive(refills)
    if count is not None and refills:
        row.take(layout.refills, f"{at}.numberOfRepeatsAllowed")
    return {"numberOfRepeatsAllowed": count if refills else None, "quantity": _amount(row, layout, f"{at}.quantity")}


def _substitution(row: Segment, at: str) -> Resource | None:
    """Field 9 of both rows, table 0161: N no, anything else that is said yes."""
    said = row.peek(9).upper()
    if said not in ("N", "Y", "G", "T"):
        return None
    row.take(9, f"{at}substitution.allowedBoolean")
    return {"allowedBoolean": said != "N"}

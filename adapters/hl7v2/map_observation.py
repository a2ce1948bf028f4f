"""OBX to Observation, or to the attachment of its report.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-obx-to-observation.html
"""

import re

from adapters.contract import Resource
from adapters.draft import pruned
from adapters.hl7v2.codes import TERMINOLOGY, code
from adapters.hl7v2.datatypes import absent, coded, from_table, practitioner, take_unit, time, unit_said
from adapters.hl7v2.map_observation_details import DETAILS, add_result_details
from adapters.hl7v2.map_report import Order
from adapters.hl7v2.numbers import reference_range
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.values import TEXT, value_of

_ABSENT = {"X": "not-performed", "N": "not-performed", "I": "temp-unknown", "O": "temp-unknown"}
_LABORATORY = frozenset({"LAB", "CH", "HM", "MB", "SR", "BLB", "BG", "CP", "SP", "TX", "VR", "MCB", "MYC", "IMM", "GE"})
_IMAGING = frozenset({"RAD", "RX", "CT", "NMR", "NMS", "RUS", "OUS", "VUS", "CUS", "XRC", "CTH"})
# Who read the result, and the laboratory.
_ANSWERABLE = frozenset({15, 16, 23})
# Rows that complete a result with what they have not looked through.
_COMPLETING = frozenset({"ROL", "PRT", "RXA", "RF1"})
_QUANTITY = "valueQuantity"
_MEASURED = {"valueRange": ".low", "valueRatio": ".numerator"}
# A word, which a sub-id (1, 2.1, A) is not.
_NAME = re.compile(r"[^\W\d_]{2}")
_IMPRESSION = frozenset({"19005-8", "IMP", "KETLUAN", "KL"})


def map_observation(scene: Scene, obx: Segment, order: Order | None) -> Resource:
    key = _key(scene, obx, order)
    at = scene.at("Observation", key)
    sent = obx.sent
    scale = unit_said(sent[6]) if sent.get(6) else {}
    value = value_of(scene, obx, at, scale)
    # The value stands before what is noted of it.
    obx.take(2, f"{at}{next(iter(value), 'dataAbsentReason')}")
    concept = _code(scene, obx, at)
    for part in value.get("component", ()):
        part["code"] = pruned(concept)
    marks = enumerate(obx.values(8)) if 8 in sent else ()
    flags = [from_table(scene, one, f"{at}interpretation[{n}]", "v2-0078") for n, one in marks]
    limits = obx.take(7, f"{at}referenceRange[0]")
    detailed = obx.says(DETAILS)
    # Built without anything empty and put as it is: a report has twenty of these.
    made = scene.put(
        "Observation",
        key,
        {
            "basedOn": [{"reference": f"urn:uuid:{order.request['id']}"}] if order else [],
            "status": _status(obx, at),
            "category": _category(order),
            "code": concept,
            "subject": scene.patient(),
            "encounter": scene.encounter(),
            **_effective(scene, obx, at, order),
            **value,
            **(_unit(obx, value, at) if 6 in sent else {}),
            "dataAbsentReason": None if value else _reason(obx),
            "interpretation": [flag for flag in flags if flag],
            "method": coded(scene, sent[17], f"{at}method", "method") if 17 in sent else None,
            "bodySite": coded(scene, sent[20], f"{at}bodySite", "body-site") if 20 in sent else None,
            "performer": _performers(scene, obx, at) if obx.says(_ANSWERABLE) else [],
            "device": _device(obx, at) if 18 in sent else None,
            "referenceRange": [reference_range(limits, scale)] if limits else [],
        },
        clean=not detailed and scene.names.isdisjoint(_COMPLETING),
    )
    if detailed:
        add_result_details(scene, obx, made)
    _file(obx, order, made)
    return made


def continues(obx: Segment, before: Segment | None) -> bool:
    """Whether a text row is one more line of the row before: same code, same sub-id, both of text type."""
    if before is None or obx.peek(2).upper() not in TEXT or before.peek(2).upper() not in TEXT:
        return False
    # Systems cut one text at their line length and number the rows; as rows of their own they would be unreadable.
    here, there = ([row.peek(3), row.peek(3, 2), row.peek(4)] for row in (obx, before))
    return here == there


def add_line(scene: Scene, obx: Segment, observation: Resource) -> None:
    """Put one more line of text under an Observation; what the row repeats of the first one went there too."""
    at = f"Observation/{observation['id']}#"
    lines = [value.take_text(f"{at}valueString") for value in obx.values(5)]
    text = "\n".join([observation.get("valueString", ""), *lines]).strip("\n")
    if text:
        scene.draft.rewritten.update([at[:-1]] if observation.pop("dataAbsentReason", None) else [])
        observation["valueString"] = text
    kind = "value" if text else "dataAbsentReason"
    for field, path in ((2, kind), (3, "code"), (4, "code"), (11, "status"), (14, "effective")):
        for value in obx.values(field):
            value.take_all(f"{at}{path}")


def _key(scene: Scene, obx: Segment, order: Order | None) -> str:
    # Without OBX-1: a corrected result may stand in another row, and must meet the one it corrects.
    base = order.key if order else f"{scene.encounter_key or scene.patient_key}@{obx.peek(14)}"
    return scene.key("Observation", base, obx.peek(3) or obx.peek(3, 2), obx.peek(4))


def _code(scene: Scene, obx: Segment, at: str) -> Resource:
    """OBX-3; analysers that number their channels there, or write nothing, name the test in OBX-4."""
    concept = coded(scene, obx.value(3), f"{at}code", "observation")
    if (concept is None or "text" not in concept) and (not obx.peek(3) or obx.peek(3).isdecimal()):
        name = obx.peek(4)
        if _NAME.search(name):
            obx.take(4, f"{at}code.text")
            return {**(concept or {}), "text": name}
    return concept or absent()


def _status(obx: Segment, at: str) -> str:
    status = code("v2-0085", obx.peek(11).upper())
    if status:
        obx.take(11, f"{at}status")
    elif obx.peek(11):
        obx.notice(11, "the result status is not known")
    return status or "unknown"


def _performers(scene: Scene, obx: Segment, at: str) -> list[Resource | None]:
    """Who read the result (OBX-16) and the laboratory that made it (OBX-23, before 2.5.1 OBX-15)."""
    found = [practitioner(scene, who, f"{at}performer[{n}]") for n, who in enumerate(obx.values(16))]
    made = [person for person in found if person]
    known: list[tuple[str, str]] = []
    # Where its address or its director is named, the laboratory is a resource of its own.
    laboratory = () if obx.value(24) or obx.value(25) else ((23, 10, 1),)
    for field, number, title in (*laboratory, (15, 1, 2)):
        value = obx.value(field)
        said = (value.peek(number), value.peek(title))
        place = known.index(said) if said in known else len(known)
        value.took(number, f"{at}performer[{len(made) + place}].identifier.value")
        value.took(title, f"{at}performer[{len(made) + place}].display")
        known.extend([said] if any(said) and said not in known else [])
    return [*made, *(_place(scene, number, title) for number, title in known)]


def _place(scene: Scene, number: str, title: str) -> Resource:
    made: Resource = {"type": "Organization"}
    if number:
        made["identifier"] = {"system": scene.system("facility"), "value": number}
    return {**made, "display": title} if title else made


def _device(obx: Segment, at: str) -> Resource | None:
    number = obx.take(18, f"{at}device.identifier.value")
    title = obx.value(18).take(2, f"{at}device.identifier.assigner") if number else ""
    mark: Resource = {"value": number, "assigner": {"display": title}} if title else {"value": number}
    return {"identifier": mark} if number else None


def _category(order: Order | None) -> list[Resource]:
    section = order.section if order else ""
    kind = "laboratory" if section in _LABORATORY else "imaging" if section in _IMAGING else ""
    return [{"coding": [{"system": f"{TERMINOLOGY}observation-category", "code": kind}]}] if kind else []


def _effective(scene: Scene, obx: Segment, at: str, order: Order | None) -> Resource:
    moment = time(scene, obx.value(14), f"{at}effectiveDateTime")
    return {"effectiveDateTime": moment} if moment else pruned(order.effective) if order else {}


def _unit(obx: Segment, value: Resource, at: str) -> Resource:
    """OBX-6 in the ledger where the value holds it; beside words, or nothing, it is kept as a note."""
    written = obx.value(6)
    if not written:
        return {}
    if _QUANTITY in value:
        take_unit(written, f"{at}{_QUANTITY}")
        return {}
    place = next((f"{name}{side}" for name, side in _MEASURED.items() if name in value), "")
    parts = value.get("component", ())
    place = place or next((f"component[{n}].{_QUANTITY}" for n, part in enumerate(parts) if _QUANTITY in part), "")
    if place:
        take_unit(written, f"{at}{place}")
        return {}
    notes = value.get("note", [])
    return {"note": [*notes, {"text": f"OBX-6: {written.take_text(f'{at}note[{len(notes)}].text')}"}]}


def _reason(obx: Segment) -> Resource:
    reason = _ABSENT.get(obx.peek(11), "unknown")
    return {"coding": [{"system": f"{TERMINOLOGY}data-absent-reason", "code": reason}]}


def _file(obx: Segment, order: Order | None, observation: Resource) -> None:
    """List the result in its report; an impression is also the report's conclusion."""
    if obx.peek(4):
        obx.take(4, f"Observation/{observation['id']}#id")
    if order is None or order.report is None:
        return
    order.report.setdefault("result", []).append({"reference": f"urn:uuid:{observation['id']}"})
    codes = [coding.get("code", "").upper() for coding in observation["code"].get("coding", ())]
    if not _IMPRESSION.isdisjoint(codes) or _is_impression(obx):
        at = f"DiagnosticReport/{order.report['id']}#conclusion"
        for value in obx.values(5):
            value.take_all(at)
        order.report["conclusion"] = observation.get("valueString", "")


def _is_impression(obx: Segment) -> bool:
    """The suffix &IMP of an imaging report's code, or the Vietnamese word for it."""
    said = obx.value(3)
    return ((1, 2) in said and said.peek(1, 2).upper() == "IMP") or said.peek(2).casefold() == "kết luận"

"""REF^I12, the referral: RF1 and PRD to ServiceRequest, and the referral note as a Composition.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-rf1-to-servicerequest.html
"""

from adapters.contract import Resource
from adapters.draft import pruned
from adapters.hl7v2.codes import code
from adapters.hl7v2.contacts import telecom
from adapters.hl7v2.datatypes import add_practitioner, coded, entity, period, time, type_of
from adapters.hl7v2.map_place import facility
from adapters.hl7v2.names import human_name, spoken_name
from adapters.hl7v2.narrative import sections
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene

_REFERRAL = {"coding": [{"system": "http://snomed.info/sct", "code": "3457005", "display": "Patient referral"}]}
_NOTE = {"coding": [{"system": "http://loinc.org", "code": "57133-1", "display": "Referral note"}]}
_TITLE = "Giấy chuyển tuyến"


def map_referral(scene: Scene, rf1: Segment) -> None:
    """The request and its note. The gateway opens the case and builds the signed document from them."""
    key = _key(scene, rf1)
    at = scene.at("ServiceRequest", key)
    requester = _requester(scene, at) or facility(scene)
    scene.add(
        "ServiceRequest",
        key,
        {
            "identifier": _identifiers(scene, rf1, at),
            "status": "revoked" if scene.event.trigger == "I14" else "active",
            "intent": "order",
            "category": [_REFERRAL],
            "priority": _priority(rf1, at),
            "code": coded(scene, rf1.value(3), f"{at}code", "v2-0281"),
            "subject": scene.patient(),
            "encounter": scene.encounter(),
            "occurrencePeriod": period(scene, (rf1.value(7), 1), (rf1.value(8), 1), f"{at}occurrencePeriod"),
            "authoredOn": time(scene, rf1.value(9), f"{at}authoredOn"),
            "requester": requester,
            "performer": _performers(scene, rf1, at),
            "reasonCode": _reasons(scene, rf1, at),
            "reasonReference": [_link(made) for made in scene.made("Condition")],
            "note": [{"text": text} for text in _notes(scene, f"{at}note[0].text")],
        },
    )
    if scene.event.trigger != "I14":
        _map_note(scene, rf1, key, requester)


def _key(scene: Scene, rf1: Segment) -> str:
    number = rf1.peek(6) or rf1.peek(11) or f"{scene.encounter_key or scene.patient_key}@{scene.header.peek(10)}"
    return scene.key("ServiceRequest", "referral", number)


def _identifiers(scene: Scene, rf1: Segment, at: str) -> list[Resource]:
    own = entity(scene, rf1.value(6), f"{at}identifier[0]", scene.system("document"))
    other = entity(scene, rf1.value(11), f"{at}identifier[1]", "")
    return [made for made in (own, other) if made]


def _priority(rf1: Segment, at: str) -> str:
    priority = code("priority", rf1.peek(2).upper())
    if priority:
        rf1.value(2).take_all(f"{at}priority")
    return priority


def _reasons(scene: Scene, rf1: Segment, at: str) -> list[Resource]:
    reasons = [coded(scene, value, f"{at}reasonCode[{n}]", "v2-0336") for n, value in enumerate(rf1.values(10))]
    return [reason for reason in reasons if reason]


def _providers(scene: Scene, role: str) -> list[Segment]:
    return [prd for prd in scene.segments if prd.name == "PRD" and role in [v.peek(1).upper() for v in prd.values(1)]]


def _requester(scene: Scene, at: str) -> Resource | None:
    """PRD with the role RP: who refers, as a Practitioner when it has a number."""
    for prd in _providers(scene, "RP"):
        prd.value(1).take_all(f"{at}requester")
        number = prd.peek(7)
        if not number:
            said = spoken_name(prd.value(2), f"{at}requester.display")
            return {"display": said} if said else None
        here = scene.at("Practitioner", number)
        prd.take(7, f"{here}identifier[0].value")
        name = human_name(prd.value(2), f"{here}name[0]")
        phone = telecom(prd.value(5), f"{here}telecom[0]", "work")
        kind = type_of(prd.value(7).take(2, f"{here}identifier[0].type"))
        mark = {"type": kind, "system": scene.system("practitioner"), "value": number}
        add_practitioner(scene, number, pruned(mark), name or {})
        scene.add("Practitioner", number, {"telecom": [phone]})
        return {**scene.reference("Practitioner", number), "display": name["text"] if name else ""}
    return None


def _performers(scene: Scene, rf1: Segment, at: str) -> list[Resource]:
    """PRD with the role RT: the facility referred to, by its code alone: it is another hospital's resource."""
    made: list[Resource] = []
    rows = _providers(scene, "RT")
    for prd in rows:
        here = f"{at}performer[{len(made)}]"
        prd.value(1).take_all(here)
        number = _facility_code(prd, here)
        display = _facility_name(prd, f"{here}.display") or spoken_name(prd.value(2), f"{here}.display")
        if number or display:
            mark = {"system": scene.system("facility"), "value": number} if number else None
            made.append({"identifier": mark, "display": display})
    if made:
        return [*made, *_asked(rows, at, len(made))]
    receiver = scene.header.take(6, f"{at}performer[0].identifier.value")
    if receiver:
        return [{"identifier": {"system": scene.system("facility"), "value": receiver}}]
    rf1.notice(1, "the message does not say to which facility the patient is referred")
    return []


def _asked(rows: list[Segment], at: str, after: int) -> list[Resource]:
    """Who is asked for there by name, after the facilities: the case goes to the first performer."""
    made: list[Resource] = []
    for prd in rows:
        # Without a title of the facility the name has become one.
        if prd.peek(10) or prd.peek(4, 9):
            said = spoken_name(prd.value(2), f"{at}performer[{after + len(made)}].display")
            made.extend([{"type": "Practitioner", "display": said}] if said else [])
    return made


def _facility_code(prd: Segment, at: str) -> str:
    """The code in XON.10 or XON.3 of PRD-10, in the facility of PRD-4, or a PRD-7 that is a facility's number."""
    places: list[tuple[Value, int]] = [(prd.value(10), 10), (prd.value(10), 3), (prd.value(4), 4)]
    places += [(value, 1) for value in prd.values(7) if value.peek(2).upper() in ("FI", "XX", "CSKCB", "")]
    for value, component in places:
        if value.peek(component):
            return value.take(component, f"{at}.identifier.value")
    return ""


def _facility_name(prd: Segment, target: str) -> str:
    return prd.value(10).take(1, target) or prd.value(4).take(9, target)


def _notes(scene: Scene, target: str) -> list[str]:
    """Comments that follow RF1 and PRD, and those at the end after the visit, belong to the referral itself."""
    texts: list[str] = []
    before = ""
    for segment in scene.segments:
        if segment.name == "NTE" and before in ("RF1", "PRD", "PV1", "PV2"):
            texts.extend(value.take_text(target) for value in segment.values(3))
        before = before if segment.name == "NTE" else segment.name
    return [text for text in texts if text]


def _map_note(scene: Scene, rf1: Segment, key: str, requester: Resource) -> None:
    at = scene.at("Composition", key)
    date = (
        time(scene, rf1.value(9), f"{at}date")
        or time(scene, rf1.value(7), f"{at}date")
        or time(scene, scene.header.value(7), f"{at}date")
    )
    request = scene.draft.live("ServiceRequest", key)
    author = requester if "reference" in requester else facility(scene)
    scene.add(
        "Composition",
        key,
        {
            "status": "final",
            "type": _NOTE,
            "subject": scene.patient(),
            "encounter": scene.encounter(),
            "date": date,
            "author": [author],
            "title": _TITLE,
            "custodian": facility(scene),
            "event": [{"detail": [_link(request)]}],
            "section": sections(request, scene.made),
        },
    )


def _link(resource: Resource) -> Resource:
    return {"reference": f"urn:uuid:{resource['id']}"}

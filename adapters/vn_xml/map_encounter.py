"""XML1 (or a document that stands alone) to Encounter: the visit, how it began, how it ended.

https://hl7.org/fhir/R4/encounter.html
"""

from decimal import Decimal

from adapters.contract import Resource
from adapters.vn_xml.codes import ACT_CODE, UCUM, listed, national
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.records import Record, Take
from adapters.vn_xml.sensitivity import HIV_ENTITLEMENT

OUTCOME = "urn:vn:byt:ket-qua-dtri"
INPATIENT: Resource = {"system": ACT_CODE, "code": "IMP", "display": "inpatient encounter"}
UNKNOWN_CLASS: Resource = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}
DIED = {"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "exp", "display": "Expired"}


def encounter(episode: Episode, diagnoses: list[Resource]) -> None:
    """The visit of the head row."""
    record = episode.head
    target = episode.target("Encounter", episode.key)
    take = record.into(target)
    own_class = _class(record, target)
    elements: Resource = {
        "identifier": _identifiers(episode, take),
        "status": _status(record),
        "class": own_class,
        "classHistory": _admitted(episode, record, target),
        "type": _types(episode, record, target),
        "priority": _priority(record),
        "subject": episode.patient(),
        "basedOn": _incoming_slip(episode, take),
        "period": episode.period(record, "NGAY_VAO", "NGAY_RA", f"{target}#period"),
        "length": _length(record, target),
        "reasonCode": _reasons(episode, record, target),
        "diagnosis": diagnoses,
        "hospitalization": _hospitalization(episode, record, target),
        "location": _departments(episode, record, target),
        "serviceProvider": _provider(episode, record, target),
        "extension": _outcome(episode, record, target),
    }
    episode.add("Encounter", episode.key, elements)


def _identifiers(episode: Episode, take: Take) -> list[Resource]:
    systems = episode.hospital.systems
    found = [{"system": systems["episode"], "value": take("MA_LK", "identifier[0].value")}]
    number = take("MA_HSBA", "identifier[1].value")
    return [*found, {"system": systems["visit"], "value": number}] if number else found


def _status(record: Record) -> str:
    """A check-in says that the patient is there, or already admitted; the rest is written when the visit is over."""
    if record.table == "XML0":
        admitted = "in-progress" if record.text("NGAY_VAO_NOI_TRU") else "arrived"
        return admitted if record.text("NGAY_VAO") else "planned"
    return "finished" if record.text("NGAY_RA") else "unknown"


def _class(record: Record, target: str) -> Resource:
    row = listed("MA_LOAI_KCB", record.text("MA_LOAI_KCB"))
    if row:
        record.take("MA_LOAI_KCB", f"{target}#class.code")
        return {"system": row["system"], "code": row["standard"], "display": row["standard_display"]}
    return INPATIENT if record.text("NGAY_VAO_NOI_TRU") else UNKNOWN_CLASS


def _admitted(episode: Episode, record: Record, target: str) -> list[Resource]:
    start = episode.time(record, "NGAY_VAO_NOI_TRU", f"{target}#classHistory[0].period.start")
    return [{"class": INPATIENT, "period": {"start": start}}] if start else []


def _types(episode: Episode, record: Record, target: str) -> list[Resource]:
    kind = episode.concept(record, "MA_LOAI_KCB", f"{target}#type[0]")
    if kind:
        kind["coding"] = kind["coding"][:1]  # the standard code stands in class
    entitlement = episode.concept(record, "MA_DOITUONG_KCB", f"{target}#type[{1 if kind else 0}]")
    if record.text("MA_DOITUONG_KCB") == HIV_ENTITLEMENT:
        episode.labels.add("HIV")
    return [kind, entitlement]


def _priority(record: Record) -> Resource:
    if record.text("MA_DOITUONG_KCB") != "2":
        return {}
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActPriority", "code": "EM", "display": "emergency"}
    return {"coding": [coding], "text": "Cấp cứu"}


def _incoming_slip(episode: Episode, take: Take) -> list[Resource]:
    number = take("GIAY_CHUYEN_TUYEN", "basedOn[0].identifier.value")
    if not number:
        return []
    system = national(episode.hospital, "GIAY_CHUYEN_TUYEN")
    return [{"type": "ServiceRequest", "identifier": {"system": system, "value": number}}]


def _length(record: Record, target: str) -> Resource:
    days = record.text("SO_NGAY_DTRI")
    if not (days.isascii() and days.isdigit()):
        return {}
    record.take("SO_NGAY_DTRI", f"{target}#length.value")
    return {"value": Decimal(days), "unit": "ngày", "system": UCUM, "code": "d"}


def _reasons(episode: Episode, record: Record, target: str) -> list[Resource]:
    visit = {"text": record.take("LY_DO_VV", f"{target}#reasonCode[0].text")}
    here = f"{target}#reasonCode[{int(bool(visit['text']))}]"
    words = record.take("LY_DO_VNT", f"{here}.text")
    admission = episode.concept(record, "MA_LY_DO_VNT", here, words)
    reasons = [reason for reason in (visit if visit["text"] else None, admission) if reason]
    injury = episode.concept(record, "MA_TAI_NAN", f"{target}#reasonCode[{len(reasons)}]")
    return [*reasons, injury] if injury else reasons


def _hospitalization(episode: Episode, record: Record, target: str) -> Resource:
    """Origin is the facility before this one, destination the one after; the sender is neither."""
    stay = f"{target}#hospitalization"
    return {
        "origin": _elsewhere(episode, record.take("MA_NOI_DI", f"{stay}.origin")),
        "destination": _elsewhere(episode, record.take("MA_NOI_DEN", f"{stay}.destination")),
        "dischargeDisposition": disposition(episode, record, f"{stay}.dischargeDisposition"),
    }


def _elsewhere(episode: Episode, code: str) -> Resource:
    return episode.facility(code) if code else {}


def disposition(episode: Episode, record: Record, target: str) -> Resource:
    """How the patient left; a death is the standard code before any other."""
    found = episode.concept(record, "MA_LOAI_RV", target)
    if record.text("KET_QUA_DTRI") == "5":
        found["coding"] = [*found.get("coding", [])[:1], DIED]
    return found


def _departments(episode: Episode, record: Record, target: str) -> list[Resource]:
    codes = [code for code in record.many("MA_KHOA") if code]
    if codes:
        record.take("MA_KHOA", f"{target}#location.location")
    return [{"location": episode.department(code, "Location")} for code in codes]


def _provider(episode: Episode, record: Record, target: str) -> Resource:
    """MA_CSKCB, else the facility of the envelope, else the sending hospital."""
    envelope = episode.dossier.envelope
    stated = envelope.text("MACSKCB")
    code = record.take("MA_CSKCB", f"{target}#serviceProvider")
    if not code:
        code = envelope.take("MACSKCB", f"{target}#serviceProvider")
        told = "no MA_CSKCB; the envelope's facility, or the sending hospital, is taken instead"
        episode.reading.note(record.place, told)
    elif stated == code:
        envelope.take("MACSKCB", f"{target}#serviceProvider")
    elif stated:
        envelope.ignore("MACSKCB", "differs from MA_CSKCB, which is taken as the truth")
        envelope.note("MACSKCB", "differs from MA_CSKCB, which is taken as the truth")
    if code and code != episode.hospital.facility_code:
        record.note("MA_CSKCB", "not the facility code that this hospital is registered with")
    return episode.facility(code)


def _outcome(episode: Episode, record: Record, target: str) -> list[Resource]:
    found = episode.concept(record, "KET_QUA_DTRI", f"{target}#extension")
    return [{"url": OUTCOME, "valueCodeableConcept": found}] if found else []


def bed(episode: Episode, location: Resource) -> None:
    """Add a stay in a bed to the visit."""
    resource = episode.add("Encounter", episode.key, {})
    resource.setdefault("location", []).append(location)

"""XML3, services and supplies: MA_NHOM decides whether a row is a test, a procedure, a bed or only a bill.

https://hl7.org/fhir/R4/servicerequest.html
"""

from dataclasses import dataclass, field

from adapters.contract import Resource
from adapters.vn_xml.codes import (
    ICD9_CM,
    codings,
    concept,
    decimal_of,
    icd10,
    icd10_codes,
    listed,
    national,
    quantity,
    those,
    worded,
)
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.map_conditions import label
from adapters.vn_xml.map_encounter import bed
from adapters.vn_xml.records import Record
from adapters.vn_xml.sensitivity import label_of_diagnosis, label_of_test, restrict

SUPPLY = "supply row: consumables are billed, not part of the clinical record"
TRANSPORT = "transport row: fuel and kilometres are billed, not part of the clinical record"
BED = "bed row: only the place and the time of the stay are clinical"
ANAESTHESIA = "urn:vn:byt:pp-vo-cam"


@dataclass(slots=True)
class Services:
    """What XML3 gave to the other tables: requests by service code, their rows, and the procedures done."""

    requests: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Record] = field(default_factory=dict)
    procedures: list[str] = field(default_factory=list)


def services(episode: Episode) -> Services:
    """All rows of XML3, each by the kind of its cost group."""
    found = Services()
    for row in episode.dossier.rows("XML3"):
        kind = _kind(row)
        if kind == "supply":
            row.ignore_rest(SUPPLY)
        elif kind == "transport":
            row.ignore_rest(TRANSPORT)
        elif kind == "bed":
            _bed(episode, row)
        elif kind == "procedure":
            found.procedures.append(_procedure(episode, row))
        else:
            _request(episode, row, found)
    _repeated_codes(episode)
    return found


def detailed_rows(episode: Episode) -> list[Record]:
    """The rows that become resources of their own, as beds, supplies and journeys do not."""
    return [row for row in episode.dossier.rows("XML3") if _kind(row) not in ("supply", "transport", "bed")]


def _repeated_codes(episode: Episode) -> None:
    """A procedure of XML1 that a row states with its time is that row's."""
    stated = set(episode.head.many("MA_PTTT_QT"))
    for row in detailed_rows(episode):
        if stated.intersection(row.many("MA_PTTT_QT")):
            for target in row.targets("MA_PTTT_QT"):
                episode.head.take("MA_PTTT_QT", target)


def _kind(row: Record) -> str:
    if row.text("MA_VAT_TU") and not row.text("MA_DICH_VU"):
        return "supply"
    return listed("MA_NHOM", row.text("MA_NHOM")).get("kind", "other")


def _bed(episode: Episode, row: Record) -> None:
    target = episode.target("Encounter", episode.key)
    row.take("MA_LK", f"{target}#identifier[0].value")
    number = row.take("MA_GIUONG", f"{target}#location.location.identifier.value")
    name = row.take("TEN_DICH_VU", f"{target}#location.location.display")
    if not (number or name):
        return
    start = "NGAY_TH_YL" if row.text("NGAY_TH_YL") else "NGAY_YL"
    period = episode.period(row, start, "NGAY_KQ", f"{target}#location.period")
    identifier = {"system": national(episode.hospital, "MA_GIUONG"), "value": number} if number else None
    location = {"type": "Location", "identifier": identifier, "display": name}
    bed(episode, {**_ward(episode, row, target), "location": location, "period": period})
    row.ignore_rest(BED)


def _ward(episode: Episode, row: Record, target: str) -> Resource:
    """The kind of bed by its service code, and the department it stands in."""
    kind = episode.concept(row, "MA_DICH_VU", f"{target}#location.physicalType")
    code = row.take("MA_KHOA", f"{target}#location.extension")
    ward = [{"url": national(episode.hospital, "MA_KHOA"), "valueReference": episode.department(code)}] if code else []
    return {"extension": ward, "physicalType": kind}


def _code(episode: Episode, row: Record, target: str) -> Resource:
    """The service code and the ICD-9-CM code of the procedure, with the service's name."""
    coding = codings(episode.hospital, "MA_DICH_VU", row.take("MA_DICH_VU", f"{target}#code.coding[0].code"))
    text = row.take("TEN_DICH_VU", f"{target}#code.text")
    row.take("MA_PTTT_QT", f"{target}#code.coding.code")
    return worded(coding + [{"system": ICD9_CM, "code": code} for code in row.many("MA_PTTT_QT") if code], text)


def _reasons(episode: Episode, row: Record, target: str) -> list[Resource]:
    """ICD-10 and traditional codes of the reason, where they are given."""
    row.take("MA_BENH", f"{target}#reasonCode")
    found = [icd10(episode.hospital, code) for code in icd10_codes(row, "MA_BENH") if code]
    row.take("MA_BENH_YHCT", f"{target}#reasonCode")
    return found + [concept(episode.hospital, "MA_BENH_YHCT", code) for code in row.many("MA_BENH_YHCT") if code]


def _body_site(episode: Episode, row: Record, target: str) -> list[Resource]:
    return those(episode.concept(row, "VI_TRI_TH_DVKT", f"{target}#bodySite[0]"))


def _label(episode: Episode, row: Record, resource: Resource) -> None:
    """Restrict a service whose reason or name is secret; the reason is the episode's as well."""
    for code in icd10_codes(row, "MA_BENH"):
        label(episode, resource, code)
    reasons = {label_of_diagnosis(code) for code in icd10_codes(row, "MA_BENH")}
    restrict(resource, {*reasons, label_of_test(row.text("TEN_DICH_VU"))})


def _request(episode: Episode, row: Record, found: Services) -> None:
    key = episode.row_key(row)
    target = episode.begin(row, "ServiceRequest", key)
    code = row.text("MA_DICH_VU")
    found.requests.setdefault(code, key)
    found.rows.setdefault(code, row)
    orderers = episode.staff(row, "MA_BAC_SI", f"{target}#requester")
    elements: Resource = {
        "status": "completed" if row.text("NGAY_KQ") or row.text("NGAY_TH_YL") else "unknown",
        "intent": "order",
        "category": those(episode.concept(row, "MA_NHOM", f"{target}#category[0]")),
        "code": _code(episode, row, target),
        "quantityQuantity": _amount(row, target),
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        **_occurrence(episode, row, target),
        "authoredOn": episode.time(row, "NGAY_YL", f"{target}#authoredOn"),
        "requester": orderers[0] if orderers else None,
        "performer": episode.staff(row, "NGUOI_THUC_HIEN", f"{target}#performer"),
        "reasonCode": _reasons(episode, row, target),
        "supportingInfo": [*_department(episode, row, target), *orderers[1:]],
        "bodySite": _body_site(episode, row, target),
        "note": _equipment(row, target),
        "extension": _anaesthesia(episode, row, target),
    }
    _label(episode, row, episode.put("ServiceRequest", key, elements))


def _amount(row: Record, target: str) -> Resource:
    number = decimal_of(row.text("SO_LUONG")) if row.text("SO_LUONG") else None
    if number is None:
        return {}
    row.take("SO_LUONG", f"{target}#quantityQuantity.value")
    return quantity(number, row.take("DON_VI_TINH", f"{target}#quantityQuantity.unit"))


def _occurrence(episode: Episode, row: Record, target: str) -> Resource:
    """From performed to result, where both are given."""
    if row.text("NGAY_TH_YL") and row.text("NGAY_KQ"):
        return {"occurrencePeriod": episode.period(row, "NGAY_TH_YL", "NGAY_KQ", f"{target}#occurrencePeriod")}
    name = "NGAY_TH_YL" if row.text("NGAY_TH_YL") else "NGAY_KQ"
    return {"occurrenceDateTime": episode.time(row, name, f"{target}#occurrenceDateTime")}


def _department(episode: Episode, row: Record, target: str) -> list[Resource]:
    code = row.take("MA_KHOA", f"{target}#supportingInfo")
    return [episode.department(code)] if code else []


def _equipment(row: Record, target: str) -> list[Resource]:
    labelled = (("MA_MAY", "Máy"), ("MA_HIEU_SP", "Mã hiệu"), ("MA_GIUONG", "Giường"))
    words = ((title, row.take(name, f"{target}#note")) for name, title in labelled)
    return [{"text": f"{title}: {text}"} for title, text in words if text]


def _procedure(episode: Episode, row: Record) -> str:
    key = episode.row_key(row)
    target = episode.begin(row, "Procedure", key)
    orderers = episode.staff(row, "MA_BAC_SI", f"{target}#recorder")
    elements: Resource = {
        "status": "completed" if row.text("NGAY_TH_YL") or row.text("NGAY_KQ") else "unknown",
        "category": episode.concept(row, "MA_NHOM", f"{target}#category"),
        "code": _code(episode, row, target),
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        **_performed(episode, row, target),
        "recorder": orderers[0] if orderers else None,
        "performer": _performers(episode, row, target),
        "reasonCode": _reasons(episode, row, target),
        "bodySite": _body_site(episode, row, target),
        "note": [*_ordered(episode, row, target), *_quantity(row, target), *_equipment(row, target)],
        "extension": _anaesthesia(episode, row, target),
    }
    _label(episode, row, episode.put("Procedure", key, elements))
    return key


def _performed(episode: Episode, row: Record, target: str) -> Resource:
    if row.text("NGAY_TH_YL") and row.text("NGAY_KQ"):
        return {"performedPeriod": episode.period(row, "NGAY_TH_YL", "NGAY_KQ", f"{target}#performedPeriod")}
    name = "NGAY_TH_YL" if row.text("NGAY_TH_YL") else "NGAY_KQ"
    return {"performedDateTime": episode.time(row, name, f"{target}#performedDateTime")}


def _performers(episode: Episode, row: Record, target: str) -> list[Resource]:
    staff = episode.staff(row, "NGUOI_THUC_HIEN", f"{target}#performer")
    if not staff:
        return []
    code = row.take("MA_KHOA", f"{target}#performer.onBehalfOf")
    return [
        {"actor": person, "onBehalfOf": episode.department(code)} if code else {"actor": person} for person in staff
    ]


def _ordered(episode: Episode, row: Record, target: str) -> list[Resource]:
    """Procedure has no order time of its own; it stands in a note with its words."""
    when = episode.time(row, "NGAY_YL", f"{target}#note.time")
    return [{"time": when, "text": "Thời điểm ra y lệnh"}] if when else []


def _quantity(row: Record, target: str) -> list[Resource]:
    number = row.take("SO_LUONG", f"{target}#note")
    return [{"text": f"Số lượng: {number} {row.take('DON_VI_TINH', f'{target}#note')}".strip()}] if number else []


def _anaesthesia(episode: Episode, row: Record, target: str) -> list[Resource]:
    found = episode.concept(row, "PP_VO_CAM", f"{target}#extension")
    return [{"url": ANAESTHESIA, "valueCodeableConcept": found}] if found else []

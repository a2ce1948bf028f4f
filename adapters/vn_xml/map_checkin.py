"""XML0 (trạng thái khám chữa bệnh): a patient has arrived, and the first thing ordered for them.

Sent before there is an XML1: Patient, Coverage and Encounter come from its fullest row; each row adds its first order.
https://hl7.org/fhir/R4/valueset-encounter-status.html
"""

from adapters.contract import Resource
from adapters.vn_xml.codes import concept
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.records import Record
from adapters.vn_xml.repeats import repeats
from adapters.vn_xml.sensitivity import label_of_drug, label_of_test, restrict

ALREADY_THERE = "the row orders nothing that is mapped"


def fullest_first(rows: list[Record]) -> list[Record]:
    """A later check-in of the same visit adds its admission: the row that says most speaks for patient and visit."""
    return sorted(rows, key=lambda row: -len(list(row.texts())))


def check_ins(episode: Episode) -> None:
    """What each check-in row orders."""
    for row in episode.dossier.rows("XML0"):
        key = episode.row_key(row)
        service = _service(episode, row, key) if row.text("MA_DICH_VU") or row.text("TEN_DICH_VU") else None
        drug = _drug(episode, row, key) if row.text("MA_THUOC") or row.text("TEN_THUOC") else None
        if service is None and drug is None:
            _number(episode, row)
        repeats(episode, row)


def _service(episode: Episode, row: Record, key: str) -> Resource:
    target = episode.begin(row, "ServiceRequest", key)
    code = episode.concept(row, "MA_DICH_VU", f"{target}#code", row.take("TEN_DICH_VU", f"{target}#code.text"))
    elements = {
        "status": "active",
        "intent": "order",
        "code": code,
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        "authoredOn": episode.time(row, "NGAY_YL", f"{target}#authoredOn"),
    }
    resource = episode.add("ServiceRequest", key, elements)
    restrict(resource, {label_of_test(row.text("TEN_DICH_VU"))})
    return resource


def _drug(episode: Episode, row: Record, key: str) -> Resource:
    target = episode.begin(row, "MedicationRequest", key)
    path = f"{target}#medicationCodeableConcept"
    code, name = row.take("MA_THUOC", f"{path}.coding[0].code"), row.take("TEN_THUOC", f"{path}.text")
    drug = concept(episode.hospital, "MA_THUOC", code, name)
    elements = {
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": drug,
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        "authoredOn": episode.time(row, "NGAY_YL", f"{target}#authoredOn"),
    }
    resource = episode.add("MedicationRequest", key, elements)
    restrict(resource, {label_of_drug(row.text("TEN_THUOC"))})
    return resource


def _number(episode: Episode, row: Record) -> None:
    row.take("MA_LK", f"{episode.target('Encounter', episode.key)}#identifier[0].value")
    row.ignore("STT", "running number of the upload, not of the episode")
    row.ignore("NGAY_YL", ALREADY_THERE)

"""XML14 (giấy hẹn khám lại) to a proposed Appointment with its slip number, day, doctor and reason.

https://hl7.org/fhir/R4/appointment.html
"""

from adapters.contract import Resource
from adapters.vn_xml.codes import icd10
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.map_visit import revisit
from adapters.vn_xml.records import Record
from adapters.vn_xml.repeats import repeats


def revisits(episode: Episode) -> None:
    """Each XML14."""
    for index, record in enumerate(episode.dossier.rows("XML14"), 1):
        _revisit(episode, record, f"{episode.key}|XML14|{index}")
        repeats(episode, record)


def _revisit(episode: Episode, record: Record, key: str) -> None:
    target = episode.target("Appointment", key)
    number = record.take("SO_GIAYHEN_KL", f"{target}#identifier[0].value")
    when = episode.time(record, "NGAY_HEN_KL", f"{target}#requestedPeriod[0].start")
    doctors = episode.staff(record, "MA_BAC_SI", f"{target}#participant")
    found: Resource = {
        **revisit(episode, when),
        "identifier": [{"system": episode.hospital.systems["document"], "value": number}] if number else [],
        "reasonCode": _reasons(episode, record, target),
        "created": episode.date(record, "NGAY_CT", f"{target}#created"),
        "comment": record.take("CHAN_DOAN_RV", f"{target}#comment"),
        "supportingInformation": [
            episode.encounter(),
            episode.facility(record.take("MA_CSKCB", f"{target}#supportingInformation")),
            *episode.staff(record, "MA_TTDV", f"{target}#supportingInformation"),
        ],
    }
    found["participant"] += [{"actor": doctor, "status": "needs-action"} for doctor in doctors]
    record.take("MA_LK", f"{target}#supportingInformation[0]")
    episode.add("Appointment", key, found)


def _reasons(episode: Episode, record: Record, target: str) -> list[Resource]:
    record.take("MA_BENH_CHINH", f"{target}#reasonCode[0]")
    code = record.text("MA_BENH_CHINH")
    return [icd10(episode.hospital, code)] if code else []

"""XML12 (giám định y khoa): a medical assessment board's minutes as a Composition, its figures as an Observation.

The table belongs to no episode and carries its own person; beside an XML1 it is taken only when it is the same person.
https://hl7.org/fhir/R4/composition.html
"""

from adapters.contract import Resource
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.identifiers import citizen_number, insurance_card, insurance_number
from adapters.vn_xml.map_panels import panel
from adapters.vn_xml.map_patient import CORE, address, birth, human_name
from adapters.vn_xml.narrative import Document, Section, compose, sections
from adapters.vn_xml.records import Record

MINUTES = Document("", "", "Biên bản giám định y khoa", "", "NGAY_HOP")
NUMBERS = ("SO_CCCD", "MA_BHXH", "MA_THE_BHYT")


def assessment_key(record: Record) -> str:
    """What names one person's assessment: the day of the board, the number in its minutes, the person's number."""
    person = next((record.text(name) for name in NUMBERS if record.text(name)), "")
    parts = (record.text("NGAY_HOP"), record.text("SO_BIEN_BAN"), person)
    return f"giam-dinh:{'|'.join(parts)}" if parts[1] or parts[2] else ""


def assessments(episode: Episode) -> None:
    """Each XML12 of the person of the episode."""
    for record in episode.dossier.rows("XML12"):
        if record is not episode.head and not _same_person(episode.head, record):
            record.note("HO_TEN", "another person than the head of the dossier; the row is left unmapped")
            continue
        _person(episode, record)
        _minutes(episode, record, assessment_key(record) or f"{episode.key}|XML12")


def _same_person(head: Record, record: Record) -> bool:
    if any(record.text(name) and record.text(name) in head.many(name) for name in NUMBERS):
        return True
    names = head.text("HO_TEN").casefold(), record.text("HO_TEN").casefold()
    return names[0] == names[1] != "" and head.text("NGAY_SINH")[:8] == record.text("NGAY_SINH")[:8]


def _person(episode: Episode, record: Record) -> None:
    """Identity as the board wrote it; what the patient is called elsewhere stays as it is there."""
    target = episode.target("Patient", episode.patient_key)
    take = record.into(target)
    known = episode.add("Patient", episode.patient_key, {})
    numbers = known.setdefault("identifier", [])
    for number in _numbers(episode, record, target):
        same = [row for row in numbers if (row["system"], row["value"]) == (number["system"], number["value"])]
        numbers += [] if same else [number]
    said: Resource = {
        "name": [human_name(take("HO_TEN", "name[0].text"), "official")],
        **birth(episode, record, "NGAY_SINH", target),
        "address": [address(episode, record, "DIA_CHI", target)],
        "telecom": [{"system": "phone", "value": take("DIEN_THOAI", "telecom[0].value")}],
        "managingOrganization": episode.own_facility(),
    }
    work = take("NGHE_NGHIEP", "extension")
    if work:
        said["extension"] = [{"url": f"{CORE}/vn-ext-occupation", "valueCodeableConcept": {"text": work}}]
    missing = {name: value for name, value in said.items() if name not in known and value not in ([{}], [])}
    episode.add("Patient", episode.patient_key, missing)


def _numbers(episode: Episode, record: Record, target: str) -> list[Resource]:
    take = record.into(target)
    found = []
    if record.text("SO_CCCD"):
        citizen = citizen_number(episode.hospital, take("SO_CCCD", "identifier.value"))
        citizen["assigner"] = {"display": take("NOI_CAP_CCCD", "identifier.assigner.display")}
        citizen["period"] = {"start": episode.date(record, "NGAY_CAP_CCCD", f"{target}#identifier.period.start")}
        found.append(citizen)
    if record.text("MA_THE_BHYT"):
        found.append(insurance_card(episode.hospital, take("MA_THE_BHYT", "identifier.value")))
    if record.text("MA_BHXH").strip("0"):
        found.append(insurance_number(episode.hospital, take("MA_BHXH", "identifier.value")))
    else:
        record.ignore("MA_BHXH", "ten zeros: no social insurance number")
    return found


def _minutes(episode: Episode, record: Record, key: str) -> None:
    of_visit = episode.head is not record
    composition = compose(episode, record, MINUTES, key)
    if not of_visit:
        composition.pop("encounter", None)
    target = episode.target("Composition", key)
    number = record.take("SO_BIEN_BAN", f"{target}#identifier.value")
    if number:
        composition["identifier"] = {"system": episode.hospital.systems["document"], "value": number}
    figures = panel(episode, record, "assessment", f"{key}|figures", of_visit=of_visit)
    cited = [{"reference": f"urn:uuid:{figures['id']}"}] if figures else []
    composition["section"] = sections(record, target, _sections(cited))


def _sections(cited: list[Resource]) -> list[Section]:
    return [
        Section("Kết quả khám", "", (("KET_QUA_KHAM", ""),), cited),
        Section("Đề nghị", "", (("DE_NGHI", ""), ("DUOC_XACDINH", "Được xác định"))),
        Section("Hội đồng", "", (("NGUOI_CHU_TRI", "Người chủ trì"), ("CHUC_VU", "Chức vụ"))),
        Section(
            "Căn cứ",
            "",
            (
                ("SO_VAN_BAN_CAN_CU", "Số văn bản"),
                ("SO_GIAY_GIOI_THIEU", "Số giấy giới thiệu"),
                ("GIOI_THIEU_CUA", "Giới thiệu của"),
                ("MA_DONVI", "Mã đơn vị"),
                ("NGAY_DE_NGHI", "Ngày đề nghị"),
                ("NGAY_CHUNG_TU", "Ngày chứng từ"),
            ),
        ),
    ]

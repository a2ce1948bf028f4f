"""XML10 (nghỉ dưỡng thai) and XML11 (nghỉ việc hưởng bảo hiểm xã hội): certificates of leave, as Compositions.

https://hl7.org/fhir/R4/composition.html
"""

from adapters.vn_xml.episode import Episode
from adapters.vn_xml.identifiers import insurance_number
from adapters.vn_xml.map_documents import add_number, parents, signer_name, temporary_card
from adapters.vn_xml.narrative import Document, Section, compose, diagnosis_links, sections
from adapters.vn_xml.records import Record
from adapters.vn_xml.repeats import repeats

MATERNITY = Document("", "", "Giấy chứng nhận nghỉ dưỡng thai", "MA_BS", "NGAY_CT")
SICK_LEAVE = Document("", "", "Giấy chứng nhận nghỉ việc hưởng bảo hiểm xã hội", "MA_BS", "NGAY_CT")
TERMINATION = Section(
    "Đình chỉ thai nghén",
    "",
    (
        ("MA_DINH_CHI_THAI", "Đình chỉ thai (1 có, 0 không)"),
        ("NGUYENNHAN_DINHCHI", "Nguyên nhân"),
        ("TUOI_THAI", "Tuổi thai (tuần)"),
    ),
)


def certificates(episode: Episode) -> None:
    """Each XML10 and XML11."""
    for table, document in (("XML10", MATERNITY), ("XML11", SICK_LEAVE)):
        episode.part = table
        for index, record in enumerate(episode.dossier.rows(table), 1):
            _certificate(episode, record, document, f"{episode.key}|{table}|{index}")


def _certificate(episode: Episode, record: Record, document: Document, key: str) -> None:
    composition = compose(episode, record, document, key)
    target = episode.target("Composition", key)
    signer_name(episode, record)
    number = record.take("SO_CT", f"{target}#identifier.value")
    if number:
        composition["identifier"] = {"system": episode.hospital.systems["document"], "value": number}
    composition["section"] = sections(record, target, _sections(episode))
    _insurance_number(episode, record)
    temporary_card(episode, record)
    repeats(episode, record, but=("CHAN_DOAN_RV", "PP_DIEUTRI"))
    parents(episode, record, episode.patient_key)


def _sections(episode: Episode) -> list[Section]:
    leave = (
        ("SO_NGAY", "Số ngày nghỉ"),
        ("SO_NGAY_NGHI", "Số ngày nghỉ"),
        ("TU_NGAY", "Từ ngày"),
        ("DEN_NGAY", "Đến ngày"),
    )
    numbers = (("SO_SERI", "Số seri"), ("SO_KCB", "Số khám chữa bệnh"), ("MAU_SO", "Mẫu số"), ("DON_VI", "Đơn vị"))
    return [
        Section("Chẩn đoán", "29308-4", (("CHAN_DOAN_RV", ""),), diagnosis_links(episode)),
        Section("Phương pháp điều trị", "29554-3", (("PP_DIEUTRI", ""),)),
        TERMINATION,
        Section("Thời gian nghỉ", "", leave),
        Section("Chứng từ", "", numbers),
    ]


def _insurance_number(episode: Episode, record: Record) -> None:
    """The social insurance number of the patient, added to what the head row says of them."""
    if not record.text("MA_BHXH").strip("0"):
        record.ignore("MA_BHXH", "ten zeros: no social insurance number")
        return
    target = episode.target("Patient", episode.patient_key)
    add_number(episode, insurance_number(episode.hospital, record.take("MA_BHXH", f"{target}#identifier.value")))

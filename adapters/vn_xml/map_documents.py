"""XML7 (giấy ra viện) and XML8 (tóm tắt hồ sơ bệnh án) to Compositions, and the parents they name.

https://hl7.org/fhir/R4/composition.html
"""

from adapters.contract import Resource
from adapters.vn_xml.codes import ROLE_CODE
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.identifiers import insurance_card, insurance_number, staff_key
from adapters.vn_xml.map_patient import human_name, is_newborn
from adapters.vn_xml.narrative import Document, Section, compose, diagnosis_links, sections
from adapters.vn_xml.records import Record
from adapters.vn_xml.repeats import repeats

DISCHARGE = Document("18842-5", "Discharge summary", "Giấy ra viện", "MA_BS", "NGAY_CT")
SUMMARY = Document("34133-9", "Summarization of Episode Note", "Tóm tắt hồ sơ bệnh án", "", "NGAY_CT")

#: In a child's letter beside its mother's episode these tell about the child.
CHILDS_OWN = ("CHAN_DOAN_RV", "PP_DIEUTRI")


def discharge_letters(episode: Episode) -> None:
    """Each XML7; in a multiple birth there is one per child."""
    for index, record in enumerate(episode.dossier.rows("XML7"), 1):
        _discharge_letter(episode, record, f"{episode.key}|XML7|{index}")


def _discharge_letter(episode: Episode, record: Record, key: str) -> None:
    child = _child(episode, record)
    composition = compose(episode, record, DISCHARGE, key, child)
    target = episode.target("Composition", key)
    cited = [] if child else diagnosis_links(episode)
    signer_name(episode, record)
    _archive_number(episode, record, composition, target)
    composition["section"] = sections(record, target, _discharge_sections(cited))
    repeats(episode, record, but=CHILDS_OWN if child else ())
    parents(episode, record, child or episode.patient_key)


def _discharge_sections(cited: list[Resource]) -> list[Section]:
    return [
        Section("Chẩn đoán ra viện", "11535-2", (("CHAN_DOAN_RV", ""),), cited),
        Section("Phương pháp điều trị", "29554-3", (("PP_DIEUTRI", ""),)),
        Section(
            "Đình chỉ thai nghén",
            "",
            (
                ("MA_DINH_CHI_THAI", "Đình chỉ thai (1 có, 0 không)"),
                ("NGUYENNHAN_DINHCHI", "Nguyên nhân"),
                ("THOIGIAN_DINHCHI", "Thời gian"),
                ("TUOI_THAI", "Tuổi thai (tuần)"),
            ),
        ),
        Section("Khoa ra viện và ghi chú", "", (("MA_KHOA_RV", "Khoa"), ("GHI_CHU", "Ghi chú"))),
        Section(
            "Nghỉ điều trị ngoại trú",
            "",
            (("SO_NGAY_NGHI", "Số ngày"), ("NGOAITRU_TUNGAY", "Từ ngày"), ("NGOAITRU_DENNGAY", "Đến ngày")),
        ),
    ]


def _child(episode: Episode, record: Record) -> str:
    """The newborn's key when the letter is for a child and the episode is the mother's; else empty."""
    card = record.text("MA_THE_TAM")
    if not card:
        return ""
    if is_newborn(episode) or episode.head is record:
        record.take("MA_THE_TAM", f"{episode.target('Patient', episode.patient_key)}#identifier")
        return ""
    if not any(row.text("MA_THE_TAM") == card for row in episode.dossier.rows("XML9")):
        record.note("MA_THE_TAM", "a temporary card, but neither a newborn's episode nor a birth certificate beside it")
        return ""
    record.take("MA_THE_TAM", f"{episode.target('Patient', card)}#identifier[0].value")
    return card


def signer_name(episode: Episode, record: Record) -> None:
    """The name that stands beside the signer's code."""
    name = record.text("TEN_BS")
    if name and record.text("MA_BS"):
        code = record.many("MA_BS")[0]
        episode.practitioner(code)
        place = one_more_name(episode, "Practitioner", staff_key(code), {"text": name})
        record.take("TEN_BS", f"{episode.target('Practitioner', staff_key(code))}#name[{place}].text")


def one_more_name(episode: Episode, kind: str, key: str, name: Resource) -> int:
    """Where the name stands among those the resource has; documents that disagree about it are all kept."""
    if not name:
        return 0
    known: list[Resource] = episode.draft.live(kind, key).setdefault("name", [])
    texts = [row["text"] for row in known]
    if name["text"] not in texts:
        known.append(name)
    return texts.index(name["text"]) if name["text"] in texts else len(texts)


def temporary_card(episode: Episode, record: Record) -> None:
    """The card of a newborn or an organ donor, in a document about the patient of the episode."""
    card = record.text("MA_THE_TAM")
    if not card:
        return
    record.take("MA_THE_TAM", f"{episode.target('Patient', episode.patient_key)}#identifier")
    add_number(episode, insurance_card(episode.hospital, card, temporary=True))


def add_number(episode: Episode, number: Resource) -> None:
    """One more identifier of the patient, unless the head row gave it."""
    known: list[Resource] = episode.add("Patient", episode.patient_key, {}).setdefault("identifier", [])
    if all(row["value"] != number["value"] for row in known):
        known.append(number)


def _archive_number(episode: Episode, record: Record, composition: Resource, target: str) -> None:
    number = record.take("SO_LUU_TRU", f"{target}#identifier.value")
    if number:
        composition["identifier"] = {"system": episode.hospital.systems["document"], "value": number}


def summaries(episode: Episode) -> None:
    """Each XML8."""
    for index, record in enumerate(episode.dossier.rows("XML8"), 1):
        key = f"{episode.key}|XML8|{index}"
        composition = compose(episode, record, SUMMARY, key)
        target = episode.target("Composition", key)
        composition["section"] = sections(record, target, _summary_sections(episode))
        temporary_card(episode, record)
        repeats(episode, record)
        parents(episode, record, episode.patient_key)


def _summary_sections(episode: Episode) -> list[Section]:
    return [
        Section("Chẩn đoán vào viện", "46241-6", (("CHAN_DOAN_VAO", ""),)),
        Section("Chẩn đoán ra viện", "11535-2", (("CHAN_DOAN_RV", ""),), diagnosis_links(episode)),
        Section("Quá trình bệnh lý và diễn biến lâm sàng", "8648-8", (("QT_BENHLY", ""),)),
        Section("Tóm tắt kết quả cận lâm sàng", "30954-2", (("TOMTAT_KQ", ""),)),
        Section("Phương pháp điều trị", "29554-3", (("PP_DIEUTRI", ""),)),
        Section(
            "Con",
            "",
            (("NGAY_SINHCON", "Ngày sinh"), ("NGAY_CONCHET", "Ngày chết"), ("SO_CONCHET", "Số con chết")),
        ),
        Section("Đơn vị và ghi chú", "", (("DON_VI", "Đơn vị công tác"), ("GHI_CHU", "Ghi chú"))),
    ]


def parents(episode: Episode, record: Record, child: str) -> None:
    """Mother, father and guardian that a document names."""
    for role, name, number in (("MTH", "HO_TEN_ME", "MA_ME"), ("FTH", "HO_TEN_CHA", "MA_CHA")):
        _relative(episode, record, child, (role, name, number))
    _relative(episode, record, child, ("GUARD", "NGUOI_GIAM_HO", ""))


def _relative(episode: Episode, record: Record, child: str, fields: tuple[str, str, str]) -> None:
    """A person named beside a child: RelatedPerson, never a link between the two Patients."""
    role, name, number = fields
    known = record.text(number).strip("0")
    if not known:
        record.ignore(number, "ten zeros: the parent has no social insurance number")
        if not record.text(name):
            return
    key = f"{child}|{role}"
    take = record.into(episode.target("RelatedPerson", key))
    elements = {
        "identifier": [insurance_number(episode.hospital, take(number, "identifier[0].value"))] if known else [],
        "patient": episode.link("Patient", child),
        "relationship": [{"coding": [{"system": ROLE_CODE, "code": role}]}],
    }
    episode.add("RelatedPerson", key, elements)
    place = one_more_name(episode, "RelatedPerson", key, human_name(record.text(name), "official"))
    take(name, f"name[{place}].text")

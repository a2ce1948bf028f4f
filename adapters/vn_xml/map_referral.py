"""XML13 (giấy chuyển tuyến) to a referral: a ServiceRequest to the target facility and the Composition it travels in.

The sender is MA_CSKCB. MA_CSKCB_DI (3176) or MA_NOI_DI (130, 4750) is the facility before the sender, never the sender.
https://hl7.org/fhir/R4/servicerequest.html
"""

from dataclasses import dataclass, field

from adapters.contract import Resource
from adapters.vn_xml.codes import SNOMED, icd10
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.map_encounter import disposition
from adapters.vn_xml.narrative import Document, Section, compose, diagnosis_links, sections
from adapters.vn_xml.records import Record
from adapters.vn_xml.repeats import repeats

REFERRAL = Document("57133-1", "Referral note", "Giấy chuyển tuyến", "MA_BAC_SI", "NGAY_RA")
CATEGORY = {"coding": [{"system": SNOMED, "code": "3457005", "display": "Patient referral"}]}
TARGETS = ("MA_CSKCB_DEN", "MA_NOI_DEN")
BEFORE = ("MA_CSKCB_DI", "MA_NOI_DI")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Keys of what the episode's tables gave, to be cited by the referral."""

    signs: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    medications: list[str] = field(default_factory=list)
    procedures: list[str] = field(default_factory=list)


def referrals(episode: Episode, evidence: Evidence) -> None:
    """Each XML13, in either shape."""
    for index, record in enumerate(episode.dossier.rows("XML13"), 1):
        key = f"{episode.key}|XML13|{index}"
        _request(episode, record, key)
        _composition(episode, record, key, evidence)
        _visit(episode, record)
        repeats(episode, record)


def _request(episode: Episode, record: Record, key: str) -> None:
    target = episode.target("ServiceRequest", key)
    doctors = episode.staff(record, "MA_BAC_SI", f"{target}#requester")
    sender = record.take("MA_CSKCB", f"{target}#supportingInfo")
    elements: Resource = {
        "identifier": _numbers(episode, record, target),
        "status": "active",
        "intent": "order",
        "category": [CATEGORY],
        "code": {"text": "Chuyển tuyến khám bệnh, chữa bệnh"},
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        "authoredOn": episode.time(record, "NGAY_RA", f"{target}#authoredOn"),
        "requester": doctors[0] if doctors else episode.facility(sender),
        "performer": _performer(episode, record, target),
        "reasonCode": _reasons(episode, record, target),
        "reasonReference": diagnosis_links(episode),
        "supportingInfo": [episode.facility(sender), *_before(episode, record, target), *doctors[1:]],
        "note": _transport(record, target),
    }
    episode.add("ServiceRequest", key, elements)


def _numbers(episode: Episode, record: Record, target: str) -> list[Resource]:
    """File, register and slip number, each in its own system: all three may read 15."""
    system = episode.hospital.systems["document"]
    labelled = (
        ("SO_HOSO", "so-ho-so", "Số hồ sơ"),
        ("SO_CHUYENTUYEN", "so-chuyen-tuyen", "Số vào sổ chuyển tuyến"),
        ("GIAY_CHUYEN_TUYEN", "giay-chuyen-tuyen", "Số giấy chuyển tuyến"),
    )
    found = []
    for index, (name, kind, label) in enumerate(labelled):
        value = record.take(name, f"{target}#identifier[{index}].value")
        if value:
            found.append({"type": {"text": label}, "system": f"{system}:{kind}", "value": value})
    return found


def _performer(episode: Episode, record: Record, target: str) -> list[Resource]:
    code = next((record.take(name, f"{target}#performer[0]") for name in TARGETS if record.text(name)), "")
    if not code:
        code = episode.head.text("MA_NOI_DEN")
        record.note("MA_CSKCB_DEN", "no target facility in the referral")
    if not code:
        return []
    number = {"system": episode.hospital.systems["facility"], "value": code}
    return [{"type": "Organization", "identifier": number, "display": f"Cơ sở {code}"}]


def _reasons(episode: Episode, record: Record, target: str) -> list[Resource]:
    """Why the patient is moved, then what the patient has."""
    found = [episode.concept(record, "MA_LYDO_CT", f"{target}#reasonCode[0]")]
    for name in ("MA_BENH_CHINH", "MA_BENH_KT"):
        record.take(name, f"{target}#reasonCode")
        found += [icd10(episode.hospital, code) for code in record.many(name) if code]
    return found


def _before(episode: Episode, record: Record, target: str) -> list[Resource]:
    """The facilities before the sender, which 3176 gives as a list."""
    found = []
    for name in BEFORE:
        record.take(name, f"{target}#supportingInfo")
        for code in record.many(name):
            if code:
                facility = episode.facility(code)
                found.append({**facility, "display": "Cơ sở đã khám, điều trị trước khi đến cơ sở chuyển"})
    return found


def _transport(record: Record, target: str) -> list[Resource]:
    labelled = (
        ("PHUONGTIEN_VC", "Phương tiện vận chuyển"),
        ("HOTEN_NGUOI_HT", "Người hộ tống"),
        ("CHUCDANH_NGUOI_HT", "Chức danh người hộ tống"),
    )
    words = ((label, record.take(name, f"{target}#note")) for name, label in labelled)
    return [{"text": f"{label}: {text}"} for label, text in words if text]


def _composition(episode: Episode, record: Record, key: str, evidence: Evidence) -> None:
    composition = compose(episode, record, REFERRAL, key)
    target = episode.target("Composition", key)
    request = episode.link("ServiceRequest", key)
    composition["event"] = [{"detail": [request]}]
    number = record.take("GIAY_CHUYEN_TUYEN", f"{target}#identifier.value")
    if number:
        composition["identifier"] = {"system": episode.hospital.systems["document"], "value": number}
    composition["custodian"] = episode.facility(record.take("MA_CSKCB", f"{target}#custodian"))
    composition["section"] = sections(record, target, _sections(episode, evidence, request))


def _sections(episode: Episode, evidence: Evidence, request: Resource) -> list[Section]:
    def cited(resource_type: str, keys: list[str]) -> list[Resource]:
        return [episode.link(resource_type, key) for key in keys]

    treated = cited("MedicationRequest", evidence.medications) + cited("Procedure", evidence.procedures)
    return [
        Section("Dấu hiệu lâm sàng", "29545-1", (("DAU_HIEU_LS", ""),), cited("Observation", evidence.signs)),
        Section("Chẩn đoán", "29308-4", (("CHAN_DOAN_RV", ""),), diagnosis_links(episode)),
        Section("Quá trình bệnh lý", "8648-8", (("QT_BENHLY", ""),)),
        Section("Tóm tắt kết quả", "30954-2", (("TOMTAT_KQ", ""),), cited("Observation", evidence.results)),
        Section("Phương pháp điều trị", "29554-3", TREATMENT, treated),
        Section("Tình trạng người bệnh lúc chuyển", "10184-0", (("TINH_TRANG_CT", ""),)),
        Section("Hướng điều trị", "18776-5", (("HUONG_DIEU_TRI", ""),), [request]),
    ]


#: The older shape names services and drugs, and gives the treatment a second time under XML1's spelling.
TREATMENT = (
    ("PP_DIEUTRI", ""),
    ("PP_DIEU_TRI", "Phương pháp điều trị"),
    ("TEN_DICH_VU", "Dịch vụ kỹ thuật đã thực hiện"),
    ("TEN_THUOC", "Thuốc đã dùng"),
)


def _visit(episode: Episode, record: Record) -> None:
    """A referral that stands alone also tells where the visit came from and went to."""
    if record is not episode.head:
        return
    target = f"{episode.target('Encounter', episode.key)}#hospitalization"
    before = [code for name in BEFORE for code in record.many(name) if code]
    after = [record.text(name) for name in TARGETS if record.text(name)]
    for name in (*BEFORE, *TARGETS):
        record.take(name, target)
    stay = {
        "origin": episode.facility(before[-1]) if before else None,
        "destination": episode.facility(after[0]) if after else None,
        "dischargeDisposition": disposition(episode, record, f"{target}.dischargeDisposition"),
    }
    episode.add("Encounter", episode.key, {"hospitalization": stay})

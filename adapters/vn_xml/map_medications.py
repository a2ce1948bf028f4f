"""XML2, the drugs of an episode: each row a MedicationRequest, and a MedicationAdministration when it was carried out.

https://hl7.org/fhir/R4/medicationrequest.html
"""

from adapters.contract import Resource
from adapters.vn_xml.codes import absent, codings, decimal_of, quantity, those, worded
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.records import Record, Take
from adapters.vn_xml.sensitivity import label_of_drug, restrict


def medications(episode: Episode, services: dict[str, str]) -> list[str]:
    """All rows; ``services`` gives the ServiceRequest key of a service code. Returns the keys."""
    return [_medication(episode, row, services) for row in episode.dossier.rows("XML2")]


def _medication(episode: Episode, row: Record, services: dict[str, str]) -> str:
    key = episode.row_key(row)
    target = episode.begin(row, "MedicationRequest", key)
    take = row.into(target)
    prescribers = episode.staff(row, "MA_BAC_SI", f"{target}#requester")
    elements: Resource = {
        "status": "completed" if row.text("NGAY_TH_YL") else "unknown",
        "intent": "order",
        "category": those(episode.concept(row, "MA_NHOM", f"{target}#category[0]")),
        "medicationCodeableConcept": _drug(episode, row, target),
        "subject": episode.patient(),
        "encounter": episode.encounter(),
        "supportingInformation": [*_elsewhere(episode, row, target), *prescribers[1:]],
        "authoredOn": episode.time(row, "NGAY_YL", f"{target}#authoredOn"),
        "requester": prescribers[0] if prescribers else None,
        "reasonCode": _purpose(episode, row, target, services),
        "basedOn": _based_on(episode, row, target, services),
        "note": _notes(take),
        "dosageInstruction": those(_dosage(episode, row, target)),
        "dispenseRequest": _dispensed(row, target),
    }
    labels = {label_of_drug(row.text("TEN_THUOC"))}
    restrict(episode.put("MedicationRequest", key, elements), labels)
    _administration(episode, row, key, labels)
    return key


def _drug(episode: Episode, row: Record, target: str) -> Resource:
    """The ingredient code and the registration number, each in its own system, and the registered name."""
    path = f"{target}#medicationCodeableConcept"
    row.take("MA_THUOC", f"{path}.coding[0].code")
    row.take("TEN_THUOC", f"{path}.text")
    row.take("SO_DANG_KY", f"{path}.coding.code")
    return _named(episode, row)


def _named(episode: Episode, row: Record) -> Resource:
    ingredient = codings(episode.hospital, "MA_THUOC", row.text("MA_THUOC"))
    product = codings(episode.hospital, "SO_DANG_KY", row.text("SO_DANG_KY"))
    return worded(ingredient + product, row.text("TEN_THUOC")) or absent()


def _notes(take: Take) -> list[Resource]:
    """What the drug looks like, in the source's words: strength and form are free text with no parts to rely on."""
    labelled = (("HAM_LUONG", "Hàm lượng"), ("DANG_BAO_CHE", "Dạng bào chế"), ("MA_PP_CHEBIEN", "Phương pháp chế biến"))
    words = ((label, take(name, "note")) for name, label in labelled)
    return [{"text": f"{label}: {text}"} for label, text in words if text]


def _dosage(episode: Episode, row: Record, target: str) -> Resource:
    path = f"{target}#dosageInstruction[0]"
    told = {
        "text": row.take("LIEU_DUNG", f"{path}.text"),
        "patientInstruction": row.take("CACH_DUNG", f"{path}.patientInstruction"),
        "route": episode.concept(row, "DUONG_DUNG", f"{path}.route"),
    }
    return {name: item for name, item in told.items() if item}


def _dispensed(row: Record, target: str) -> Resource:
    number = decimal_of(row.text("SO_LUONG")) if row.text("SO_LUONG") else None
    if number is None:
        return {}
    path = f"{target}#dispenseRequest.quantity"
    row.take("SO_LUONG", f"{path}.value")
    return {"quantity": quantity(number, row.take("DON_VI_TINH", f"{path}.unit"))}


def _elsewhere(episode: Episode, row: Record, target: str) -> list[Resource]:
    """The ordering department, and a drug or order from another facility: C., K. or HC. (remote consultation)."""
    found = []
    department = row.take("MA_KHOA", f"{target}#supportingInformation")
    if department:
        found.append(episode.department(department))
    other = row.take("MA_CSKCB_THUOC", f"{target}#supportingInformation")
    if other:
        code = other.rpartition(".")[2]
        number = {"system": episode.hospital.systems["facility"], "value": code}
        found.append({"type": "Organization", "identifier": number, "display": other})
    return found


def _purpose(episode: Episode, row: Record, target: str, services: dict[str, str]) -> list[Resource]:
    code = row.text("MA_DICH_VU")
    if not code or code in services:
        return []
    return those(episode.concept(row, "MA_DICH_VU", f"{target}#reasonCode[0]"))


def _based_on(episode: Episode, row: Record, target: str, services: dict[str, str]) -> list[Resource]:
    code = row.text("MA_DICH_VU")
    if code not in services:
        return []
    row.take("MA_DICH_VU", f"{target}#basedOn[0]")
    return [episode.link("ServiceRequest", services[code])]


def _administration(episode: Episode, row: Record, key: str, labels: set[str]) -> None:
    target = episode.target("MedicationAdministration", key)
    when = episode.time(row, "NGAY_TH_YL", f"{target}#effectiveDateTime")
    if not when:
        return
    elements = {
        "status": "completed",
        "medicationCodeableConcept": _named(episode, row),
        "subject": episode.patient(),
        "context": episode.encounter(),
        "effectiveDateTime": when,
        "request": episode.link("MedicationRequest", key),
    }
    restrict(episode.put("MedicationAdministration", key, elements), labels)

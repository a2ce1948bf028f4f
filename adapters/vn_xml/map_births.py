"""XML9 (giấy chứng sinh) to the newborn's own Patient, the mother as RelatedPerson, birth facts and the certificate.

A newborn has no citizen number: the temporary insurance card is its only identifier, and its key.
"""

from decimal import Decimal

from adapters.contract import Resource
from adapters.vn_xml.codes import ROLE_CODE, UCUM, concept, decimal_of, loinc, quantity
from adapters.vn_xml.episode import Episode
from adapters.vn_xml.identifiers import citizen_number, insurance_card, insurance_number
from adapters.vn_xml.map_patient import address, birth, ethnicity, gender, human_name
from adapters.vn_xml.map_visit import BIRTH_WEIGHT, NOT_WEIGHED
from adapters.vn_xml.narrative import Document, Section, compose, sections
from adapters.vn_xml.records import Record
from adapters.vn_xml.times import date_of

MOTHER_NATIONALITY = "urn:vn:quang-ninh:fhir-gateway:nationality"
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
CERTIFICATE = Document("71230-7", "Birth certificate", "Giấy chứng sinh", "", "NGAY_CT")
PRETERM_WEEKS = Decimal(32)


def births(episode: Episode) -> None:
    """Each row is one child, even of the same birth: order, weight and card separate twins."""
    for index, record in enumerate(episode.dossier.rows("XML9"), 1):
        child = record.text("MA_THE_TAM") or f"newborn:{episode.key}:{index}"
        if not record.text("MA_THE_TAM"):
            record.note("MA_THE_TAM", "no temporary card; the child is known by its mother's episode and its order")
        _child(episode, record, child)
        _mother(episode, record, child)
        _father(episode, record, child)
        _facts(episode, record, child)
        _certificate(episode, record, child, index)


def _child(episode: Episode, record: Record, child: str) -> None:
    target = episode.target("Patient", child)
    take = record.into(target)
    card = take("MA_THE_TAM", "identifier[0].value")
    siblings = take("SO_CON", "multipleBirthBoolean")
    place = take("NOI_SINH_CON", "extension")
    elements: Resource = {
        "identifier": [insurance_card(episode.hospital, card, temporary=True)] if card else [],
        "name": [human_name(take("HO_TEN_CON", "name[0].text"), "temp")],
        "gender": gender(record, "GIOI_TINH_CON", f"{target}#gender"),
        **birth(episode, record, "NGAY_SINH_CON", target),
        "multipleBirthBoolean": siblings.strip("0") != "1" if siblings else None,
        "managingOrganization": episode.own_facility(),
        "extension": [{"url": BIRTH_PLACE, "valueAddress": {"text": place}}] if place else [],
    }
    episode.add("Patient", child, elements)


def _mother(episode: Episode, record: Record, child: str) -> None:
    """Mother or caregiver: a RelatedPerson of the child; Patient.link would say that both are one person."""
    key = f"{child}|MTH"
    target = episode.target("RelatedPerson", key)
    take = record.into(target)
    found: Resource = {
        "identifier": _mother_numbers(episode, record, target),
        "patient": episode.link("Patient", child),
        "relationship": [{"coding": [{"system": ROLE_CODE, "code": "MTH"}], "text": "Mẹ hoặc người nuôi dưỡng"}],
        "name": [human_name(take("HO_TEN_NND", "name[0].text"), "official")],
        **birth(episode, record, "NGAYSINH_NND", target),
        "address": [address(episode, record, "NOI_CU_TRU_NND", target)],
        "extension": _mother_origin(episode, record, target),
    }
    episode.add("RelatedPerson", key, found)


def _mother_numbers(episode: Episode, record: Record, target: str) -> list[Resource]:
    take = record.into(target)
    found = []
    number = take("SO_CCCD_NND", "identifier[0].value")
    if number:
        citizen = citizen_number(episode.hospital, number)
        citizen["assigner"] = {"display": take("NOICAP_CCCD_NND", "identifier[0].assigner.display")}
        citizen["period"] = {"start": episode.date(record, "NGAYCAP_CCCD_NND", f"{target}#identifier[0].period.start")}
        found.append(citizen)
    card = take("MA_THE_NND", "identifier.value")
    if card:
        found.append(insurance_card(episode.hospital, card))
    if record.text("MA_BHXH_NND").strip("0"):
        found.append(insurance_number(episode.hospital, take("MA_BHXH_NND", "identifier.value")))
    else:
        record.ignore("MA_BHXH_NND", "ten zeros: the mother has no social insurance number")
    return found


def _mother_origin(episode: Episode, record: Record, target: str) -> list[Resource]:
    found = []
    folk = record.take("MA_DANTOC_NND", f"{target}#extension")
    if folk:
        found.append(ethnicity(episode, folk))
    country = record.take("MA_QUOCTICH", f"{target}#extension")
    if country:
        # R4's own extension for it is of Patients alone.
        said = concept(episode.hospital, "MA_QUOCTICH", country)
        found.append({"url": MOTHER_NATIONALITY, "valueCodeableConcept": said})
    return found


def _father(episode: Episode, record: Record, child: str) -> None:
    key = f"{child}|FTH"
    name = record.take("HO_TEN_CHA", f"{episode.target('RelatedPerson', key)}#name[0].text")
    if name:
        elements = {
            "patient": episode.link("Patient", child),
            "relationship": [{"coding": [{"system": ROLE_CODE, "code": "FTH"}]}],
            "name": [human_name(name, "official")],
        }
        episode.add("RelatedPerson", key, elements)


def _facts(episode: Episode, record: Record, child: str) -> None:
    """Weight, manner of delivery and prematurity are observations of the child."""
    weight = decimal_of(record.text("CAN_NANG_CON")) if record.text("CAN_NANG_CON") else None
    if weight == 0:
        record.ignore("CAN_NANG_CON", NOT_WEIGHED)
    if weight:
        _fact(episode, record, child, ("CAN_NANG_CON", BIRTH_WEIGHT, {"valueQuantity": quantity(weight, "g")}))
    manner = {"1": "Sinh con phải phẫu thuật", "0": "Không phẫu thuật"}.get(record.text("SINHCON_PHAUTHUAT"))
    if manner:
        code = {"text": "Cách sinh"}
        _fact(episode, record, child, ("SINHCON_PHAUTHUAT", code, {"valueCodeableConcept": {"text": manner}}))
    side = {"1": "<", "0": ">="}.get(record.text("SINHCON_DUOI32TUAN"))
    if side:
        weeks = {"value": PRETERM_WEEKS, "comparator": side, "unit": "tuần", "system": UCUM, "code": "wk"}
        code = loinc("11884-4", "Gestational age Estimated", "Tuổi thai khi sinh")
        _fact(episode, record, child, ("SINHCON_DUOI32TUAN", code, {"valueQuantity": weeks}))


def _fact(episode: Episode, record: Record, child: str, fact: tuple[str, Resource, Resource]) -> None:
    name, code, value = fact
    key = f"{child}|{name}"
    record.take(name, f"{episode.target('Observation', key)}#{next(iter(value))}")
    elements = {
        "status": "final",
        "code": code,
        "subject": episode.link("Patient", child),
        "effectiveDateTime": date_of(record.text("NGAY_SINH_CON")),
        **value,
    }
    episode.add("Observation", key, elements)


def _certificate(episode: Episode, record: Record, child: str, index: int) -> None:
    key = f"{episode.key}|XML9|{index}"
    composition = compose(episode, record, CERTIFICATE, key, child)
    target = episode.target("Composition", key)
    number = record.take("SO", f"{target}#identifier.value")
    if number:
        composition["identifier"] = {"system": episode.hospital.systems["document"], "value": number}
    composition["section"] = sections(record, target, _sections())


def _sections() -> list[Section]:
    return [
        Section("Tình trạng con", "57075-4", (("TINH_TRANG_CON", ""), ("GHI_CHU", "Ghi chú"))),
        Section("Lần sinh", "", (("LAN_SINH", "Lần sinh"), ("SO_CON_SONG", "Số con hiện sống"))),
        Section(
            "Người đỡ đẻ và ghi phiếu",
            "",
            (("NGUOI_DO_DE", "Người đỡ đẻ"), ("NGUOI_GHI_PHIEU", "Người ghi phiếu"), ("QUYEN_SO", "Quyển số")),
        ),
    ]

"""Group ThongTinBenhNhan to Patient, Coverage and next of kin. Citizen number and passport stand apart here.

https://hl7.org/fhir/R4/patient.html
"""

from adapters.contract import Resource
from adapters.vn_record.rows import Row
from adapters.vn_record.stay import ACT_CODE, Stay
from adapters.vn_record.times import date_of

CORE = "http://fhir.hl7.org.vn/core/StructureDefinition"
NATIONALITY = "http://hl7.org/fhir/StructureDefinition/patient-nationality"
STRING_CODING = "http://hl7.org/fhir/StructureDefinition/iso21090-SC-coding"
TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
GENDERS = {"nam": "male", "1": "male", "nữ": "female", "2": "female", "3": "unknown", "chưa xác định": "unknown"}


def patient(stay: Stay, row: Row) -> None:
    target = stay.target("Patient", stay.patient_key)
    take = row.into(target)
    gender = GENDERS.get(row.text("gioitinh").casefold(), "")
    if gender:
        take("gioitinh", "gender")
    elements: Resource = {
        "identifier": _identifiers(stay, row, target),
        "name": [_name(take("hoten", "name[0].text"))],
        "gender": gender,
        "birthDate": _date(row, "ngaysinh", f"{target}#birthDate"),
        "telecom": [{"system": "phone", "value": take("sodienthoai", "telecom[0].value")}],
        "address": [_address(stay, row, target)],
        "extension": _extensions(stay, row, target),
        "managingOrganization": stay.facility(),
    }
    elements["telecom"] = [phone for phone in elements["telecom"] if phone["value"]]
    stay.add("Patient", stay.patient_key, elements)
    _coverage(stay, row)
    _relative(stay, row)


def _name(text: str) -> Resource:
    words = text.split()
    return {"use": "official", "text": text, "family": words[0], "given": words[1:]} if words else {}


def _date(row: Row, name: str, target: str) -> str:
    value = date_of(row.text(name))
    if value:
        row.take(name, target)
    elif row.text(name):
        row.note(name, "not a date of the form dd/mm/yyyy; left unmapped")
    return value


def _identifiers(stay: Stay, row: Row, target: str) -> list[Resource]:
    systems = stay.hospital.systems
    citizen = row.text("cccd_so")
    kinds = (
        ("mabenhnhan", "mrn", "MR", "usual"),
        ("cccd_so", "cmnd" if len(citizen) == 9 else "cccd", "NI", "official"),
        ("hochieu_so", "passport", "PPN", "secondary"),
        ("mabhyt", "bhxh" if len(row.text("mabhyt")) == 10 else "bhyt", "NIIP", "secondary"),
    )
    found: list[Resource] = []
    for name, system, kind, use in kinds:
        value = row.take(name, f"{target}#identifier[{len(found)}].value")
        if value:
            coding = [{"system": TYPES, "code": kind}]
            found.append({"use": use, "type": {"coding": coding}, "system": systems[system], "value": value})
    return found


def _address(stay: Stay, row: Row, target: str) -> Resource:
    take = row.into(target)
    line: list[str] = [take(name, "address[0].line") for name in ("sonha", "thonpho")]
    address: Resource = {
        "text": take("diachi", "address[0].text"),
        "line": [part for part in line if part],
        "city": take("xaphuong", "address[0].city"),
        "district": take("quanhuyen", "address[0].district"),
        "state": take("tinhthanh", "address[0].state"),
    }
    for element, name in (("city", "xaphuong_ma"), ("district", "quanhuyen_ma"), ("state", "tinhthanh_ma")):
        code = take(name, f"address[0].{element}")
        if code:
            coding = {"system": stay.system(name.replace("_", "-")), "code": code}
            address[f"_{element}"] = {"extension": [{"url": STRING_CODING, "valueCoding": coding}]}
    return {"use": "home", **address} if any(address.values()) else {}


def _extensions(stay: Stay, row: Row, target: str) -> list[Resource]:
    found: list[Resource] = []
    for name, code, url in (
        ("dantoc", "dantoc_ma", f"{CORE}/vn-ext-ethnicity"),
        ("nghenghiep", "nghenghiep_ma", f"{CORE}/vn-ext-occupation"),
    ):
        concept = _concept(stay, row, (name, code), target)
        if concept:
            found.append({"url": url, "valueCodeableConcept": concept})
    country = _concept(stay, row, ("ngoaikieu", "ngoaikieu_ma"), target)
    if country:
        part: Resource = {"url": "code", "valueCodeableConcept": country}
        found.append({"url": NATIONALITY, "extension": [part]})
    return found


def _concept(stay: Stay, row: Row, names: tuple[str, str], target: str) -> Resource:
    words, code = (row.take(name, f"{target}#extension") for name in names)
    system = "ethnicity" if names[0] == "dantoc" else names[0]
    return stay.coded(system, code, words)


def _coverage(stay: Stay, row: Row) -> None:
    card = row.text("mabhyt")
    if not card:
        return
    key = f"{stay.patient_key}|{card}"
    target = stay.target("Coverage", key)
    take = row.into(target)
    take("mabhyt", "subscriberId")
    system = stay.hospital.systems["bhxh" if len(card) == 10 else "bhyt"]
    place = take("noidangkykcbbd", "extension")
    first: Resource = {
        "type": "Organization",
        "identifier": {"system": stay.hospital.systems["facility"], "value": place},
    }
    elements: Resource = {
        "identifier": [{"system": system, "value": card}],
        "status": "active",
        "type": {"coding": [{"system": ACT_CODE, "code": "PUBLICPOL"}], "text": "Bảo hiểm y tế"},
        "subscriberId": card,
        "beneficiary": stay.patient(),
        "period": _validity(row, target),
        "payor": [{"display": "Bảo hiểm xã hội Việt Nam"}],
        "extension": [{"url": f"{CORE}/vn-ext-primary-care-facility", "valueReference": first}] if place else [],
    }
    stay.add("Coverage", key, elements)


def _validity(row: Row, target: str) -> Resource:
    """An end before the start is told and stays unmapped."""
    start = _date(row, "tungaybhyt", f"{target}#period.start")
    end = date_of(row.text("denngaybhyt"))
    if end and end < start[: len(end)]:
        row.note("denngaybhyt", "before tungaybhyt; left unmapped")
        return {"start": start}
    return {"start": start, "end": _date(row, "denngaybhyt", f"{target}#period.end")}


def _relative(stay: Stay, row: Row) -> None:
    names = ("hotennguoithan", "diachinguoithan", "sodienthoainguoithan")
    if not any(row.text(name) for name in names):
        return
    key = f"{stay.patient_key}|kin"
    take = row.into(stay.target("RelatedPerson", key))
    phone = take("sodienthoainguoithan", "telecom[0].value")
    elements: Resource = {
        "patient": stay.patient(),
        "name": [{"text": take("hotennguoithan", "name[0].text")}],
        "address": [{"text": take("diachinguoithan", "address[0].text")}],
        "telecom": [{"system": "phone", "value": phone}] if phone else [],
    }
    stay.add("RelatedPerson", key, elements)

"""Groups ThongTinVaoVien and ThongTinDieuTri to Encounter, Conditions, vital signs and history.

https://hl7.org/fhir/R4/encounter.html
"""

from adapters.contract import Resource
from adapters.vn_record.fields import SIGNS
from adapters.vn_record.rows import Row
from adapters.vn_record.stay import LOINC, UCUM, Stay, decimal_of

CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
VITAL = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}
UNKNOWN = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}


def visit(stay: Stay, person: Row, arrival: Row, care: Row) -> None:
    target = stay.target("Encounter", stay.key)
    for row in (person, arrival):
        row.take("sovaovien", f"{target}#identifier[0].value")
    care.take("sovaovien", f"{target}#identifier[0].value")
    start = stay.time(person, "thoigianvaovien", f"{target}#period.start")
    start = start or stay.time(arrival, "denkhambenhluc", f"{target}#period.start")
    end = stay.time(care, "ngayravien", f"{target}#period.end")
    if end and start and end < start[: len(end)]:
        end = ""
        care.note("ngayravien", "before the arrival; the visit is left without an end")
    numbers = [{"system": stay.hospital.systems["episode"], "value": stay.key}]
    numbers += _numbers(stay, person, target)
    department = stay.coded(
        "ma-khoa", person.take("makhoa", f"{target}#serviceType"), person.take("tenkhoa", f"{target}#serviceType.text")
    )
    reason = arrival.take("lydovaovien", f"{target}#reasonCode[0].text")
    elements: Resource = {
        "identifier": numbers,
        "status": "finished" if end else "unknown",
        "class": UNKNOWN,
        "serviceType": department,
        "subject": stay.patient(),
        "period": {"start": start, "end": end},
        "reasonCode": [{"text": reason}] if reason else [],
        "diagnosis": _diagnoses(stay, arrival, care),
        "participant": _participants(stay, arrival, care, target),
        "serviceProvider": stay.facility(),
    }
    stay.add("Encounter", stay.key, elements)


def _numbers(stay: Stay, person: Row, target: str) -> list[Resource]:
    found = []
    for name, system in (
        ("soba", stay.hospital.systems["visit"]),
        ("soluutru", f"{stay.hospital.systems['visit']}:luu-tru"),
    ):
        value = person.take(name, f"{target}#identifier.value")
        if value:
            found.append({"system": system, "value": value})
    return found


def _participants(stay: Stay, arrival: Row, care: Row, target: str) -> list[Resource]:
    path = f"{target}#participant.individual"
    people = [
        stay.staff(arrival, ("mabacsikhambenh", "bacsikhambenh"), path),
        stay.staff(care, ("bacsidieutri_ma", "bacsidieutri"), path),
    ]
    return [{"individual": person} for person in people if person]


def _diagnoses(stay: Stay, arrival: Row, care: Row) -> list[Resource]:
    found = []
    planned = (
        (care, "maicd", "tenicd", "DD"),
        (care, "maicd_khac", "tenicd_khac", "CM"),
        (arrival, "khambenh_chandoanvaovienmaicd", "chandoanvaovien", "AD"),
    )
    for row, code_name, words_name, role in planned:
        codes = [code.strip() for code in row.text(code_name).split(";") if code.strip()] or [""]
        for code in codes:
            key = _condition(stay, row, (code_name, words_name), code if code else row.text(words_name))
            if key:
                use = {"coding": [{"system": ROLE, "code": role}]}
                found.append({"condition": stay.link("Condition", key), "use": use})
    return found


def _condition(stay: Stay, row: Row, names: tuple[str, str], code: str) -> str:
    if not code:
        return ""
    coded = bool(row.text(names[0]))
    key = f"{stay.key}|dx|{code}" if coded else f"{stay.key}|dx|{names[1]}"
    target = stay.target("Condition", key)
    row.take(names[0], f"{target}#code.coding[0].code")
    words = row.take(names[1], f"{target}#code.text")
    elements: Resource = {
        "category": [{"coding": [{"system": CATEGORY, "code": "encounter-diagnosis"}]}],
        "code": stay.icd10(code, words) if coded else {"text": words},
        "subject": stay.patient(),
        "encounter": stay.encounter(),
    }
    if not stay.draft.has("Condition", key):
        stay.add("Condition", key, elements)
        stay.conditions.append(key)
    return key


def blood_group(stay: Stay, person: Row) -> None:
    """ABO and Rh, which stand in two fields."""
    key = f"{stay.key}|blood-group"
    take = person.into(stay.target("Observation", key))
    words = " ".join(
        filter(None, (take("nhommau", "valueCodeableConcept.text"), take("yeutorh", "valueCodeableConcept.text")))
    )
    if words:
        code = {"coding": [{"system": LOINC, "code": "882-1"}], "text": "Nhóm máu"}
        stay.add("Observation", key, observation(stay, code, {"valueCodeableConcept": {"text": words}}, ""))


def vital_signs(stay: Stay, row: Row, number: int) -> None:
    """The measurements of one row: on arrival, or one line of the course."""
    when = stay.time(
        row, "thoidiem", f"{stay.target('Observation', f'{stay.key}|{row.path}|{number}|mach')}#effectiveDateTime"
    )
    for sign in SIGNS:
        amount = decimal_of(row.text(sign["field"])) if row.text(sign["field"]) else None
        if amount is None:
            continue
        key = f"{stay.key}|{row.path}|{number}|{sign['field']}"
        row.take(sign["field"], f"{stay.target('Observation', key)}#valueQuantity.value")
        quantity = {"value": amount, "unit": sign["unit"], "system": UCUM, "code": sign["ucum"]}
        coding = [{"system": LOINC, "code": sign["loinc"], "display": sign["display"]}]
        value = {"valueQuantity": quantity, "category": [VITAL]}
        stay.add("Observation", key, observation(stay, {"coding": coding, "text": sign["label"]}, value, when))
    _pressure(stay, row, number, when)


def _pressure(stay: Stay, row: Row, number: int, when: str) -> None:
    key = f"{stay.key}|{row.path}|{number}|huyetap"
    target = stay.target("Observation", key)
    parts = []
    for names, code, display in (
        (("huyetap_tamthu", "huyetap_cao"), "8480-6", "Systolic blood pressure"),
        (("huyetap_tamtruong", "huyetap_thap"), "8462-4", "Diastolic blood pressure"),
    ):
        name = next((n for n in names if decimal_of(row.text(n) or "-") is not None), "")
        if name:
            amount = decimal_of(row.take(name, f"{target}#component"))
            quantity = {"value": amount, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}
            coding = [{"system": LOINC, "code": code, "display": display}]
            parts.append({"code": {"coding": coding}, "valueQuantity": quantity})
    if parts:
        panel: Resource = {"coding": [{"system": LOINC, "code": "85354-9"}], "text": "Huyết áp"}
        stay.add("Observation", key, observation(stay, panel, {"component": parts, "category": [VITAL]}, when))


def observation(stay: Stay, code: Resource, value: Resource, when: str) -> Resource:
    """The elements of a final Observation of this stay."""
    return {
        "status": "final",
        "code": code,
        "subject": stay.patient(),
        "encounter": stay.encounter(),
        "effectiveDateTime": when,
        **value,
    }

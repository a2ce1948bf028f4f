"""National code lists and values as FHIR concepts: the source's code and words first, a standard beside them."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from adapters.contract import Hospital, Resource
from adapters.vn_xml.fields import rows_of
from adapters.vn_xml.records import Record

ICD10_WHO = "http://hl7.org/fhir/sid/icd-10"
ICD9_CM = "http://hl7.org/fhir/sid/icd-9-cm"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
DATA_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
ORIGINAL_TEXT = "http://hl7.org/fhir/StructureDefinition/originalText"

_LISTS = {
    element: {row["code"]: row for row in rows_of(element.lower())}
    for element in (
        "KET_QUA_DTRI", "MA_LOAI_RV", "MA_LYDO_CT", "MA_LOAI_KCB", "MA_NHOM", "GIOI_TINH", "PP_VO_CAM", "MA_DANTOC",
    )
}  # fmt: skip
_UNLISTED: Mapping[str, Any] = {}
_UCUM = {row["unit"]: row["ucum"] for row in rows_of("units")}
_WORDS = {row["text"]: row for row in rows_of("qualitative")}
_ICD10 = re.compile(r"([A-Z]\d\d)\.?(\d{0,2})[†*+]?")
_NUMBER = re.compile(r"(<=|>=|<|>|≤|≥)?\s*([+-]?\d+(?:[.,]\d+)*)")
_COMPARATORS = {"≤": "<=", "≥": ">="}


def national(hospital: Hospital, element: str) -> str:
    """The system of an element's own code list; a hospital may name another under the same key."""
    key, system = _key_and_system(element)
    return hospital.systems.get(key, system)


@cache
def _key_and_system(element: str) -> tuple[str, str]:
    key = element.lower().replace("_", "-")
    return key, f"urn:vn:byt:{key}"


def listed(element: str, code: str) -> Mapping[str, str]:
    """The row of a national list; empty for an unknown code and for a list that this project does not hold."""
    return _LISTS.get(element, _UNLISTED).get(code, _UNLISTED)


def is_listed(element: str, code: str) -> bool:
    """Whether a code stands in its national list; True for lists that this project does not hold."""
    return element not in _LISTS or code in _LISTS[element]


def absent() -> Resource:
    """What stands where a required value is missing."""
    return {"extension": [{"url": DATA_ABSENT, "valueCode": "unknown"}]}


def those(*elements: Resource) -> list[Resource]:
    """The elements that hold something."""
    return [element for element in elements if element]


def worded(coding: list[Resource], text: str) -> Resource:
    """A concept of codes and words; empty without either."""
    if not coding:
        return {"text": text} if text else {}
    return {"coding": coding, "text": text} if text else {"coding": coding}


def concept(hospital: Hospital, element: str, code: str, text: str = "") -> Resource:
    """The code in its national system, what the hospital's table and the standard say, and the source's words."""
    return worded(codings(hospital, element, code), text or listed(element, code).get("display", ""))


def codings(hospital: Hospital, element: str, code: str) -> list[Resource]:
    """A code in its national system, what the hospital's table says of it, and the standard where one is known."""
    if not code:
        return []
    row = listed(element, code)
    found = [_coding(national(hospital, element), code, row.get("display", ""))]
    local = hospital.codes.get(element, {}).get(code)
    if local:
        found.append(_coding(local.system, local.code, local.display))
    if row.get("standard"):
        found.append(_coding(row["system"], row["standard"], row["standard_display"]))
    return found


def _coding(system: str, code: str, display: str) -> Resource:
    return {"system": system, "code": code, "display": display} if display else {"system": system, "code": code}


def loinc(code: str, display: str, text: str = "") -> Resource:
    return {"coding": [{"system": LOINC, "code": code, "display": display}], "text": text or display}


def icd10_codes(record: Record, name: str) -> list[str]:
    """The ICD-10 codes of a ``;`` list. Where a comma stands between codes it parts them too, and that is told."""
    parts = record.many(name)
    if not any("," in part for part in parts):
        return parts
    codes = [code for part in parts for code in _at_commas(part)]
    if len(codes) > len(parts):
        record.note(name, "codes parted by commas; the decisions ask for semicolons")
    return codes


def _at_commas(text: str) -> list[str]:
    codes = [code.strip() for code in text.split(",")]
    return codes if all(map(_ICD10.fullmatch, codes)) else [text]


def icd10(hospital: Hospital, code: str, text: str = "") -> Resource:
    """An ICD-10 code as given, and in WHO's form with its dot where it has that shape."""
    coding = [{"system": hospital.systems["icd10"], "code": code}]
    shape = _ICD10.fullmatch(code)
    if shape:
        stem, rest = shape.groups()
        coding.append({"system": ICD10_WHO, "code": f"{stem}.{rest}" if rest else stem})
    return worded(coding, text)


def quantity(number: Decimal, unit: str) -> Resource:
    """A Quantity; UCUM only where the unit table has it."""
    if not unit:
        return {"value": number}
    ucum = _UCUM.get(unit)
    return {"value": number, "unit": unit, "system": UCUM, "code": ucum} if ucum else {"value": number, "unit": unit}


def decimal_of(text: str) -> Decimal | None:
    """The number a text surely means, its digits kept; None where comma or dot could mean thousands."""
    try:
        number = Decimal(_with_point(text))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None  # Decimal reads NaN and Infinity, which no FHIR number is


def _with_point(text: str) -> str:
    if "," not in text:
        return text
    whole, _, fraction = text.rpartition(",")
    if "," in whole or ("." in whole and not re.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3})+", whole)):
        return "ambiguous"
    if "." not in whole and len(fraction) == 3 and whole.lstrip("+-") != "0":
        return "ambiguous"  # 1,234 is one and a bit, or more than a thousand
    return f"{whole.replace('.', '')}.{fraction}"


def value_of(text: str, unit: str) -> Resource:
    """value[x] of a result written as text: a number, a qualitative word, or the words themselves."""
    number = _NUMBER.fullmatch(text)
    amount = decimal_of(number.group(2)) if number else None
    if number is None or amount is None:
        return _words(text)
    found = quantity(amount, unit)
    if number.group(1):
        found["comparator"] = _COMPARATORS.get(number.group(1), number.group(1))
    if "," in number.group(2):
        found["extension"] = [{"url": ORIGINAL_TEXT, "valueString": text}]
    return {"valueQuantity": found}


def _words(text: str) -> Resource:
    row = _WORDS.get(text.casefold())
    if row is None:
        return {"valueString": text}
    coding = [{"system": row["system"], "code": row["code"], "display": row["display"]}]
    return {"valueCodeableConcept": {"coding": coding, "text": text}}

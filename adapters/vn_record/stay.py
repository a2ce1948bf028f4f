"""One hospital stay being mapped: its keys, its people, and what each group of the record makes.

The key is ``sovaovien``: every group carries it.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from adapters.contract import Hospital, Resource
from adapters.draft import Draft
from adapters.vn_record.fields import UNITS
from adapters.vn_record.rows import Row
from adapters.vn_record.times import time_of

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10_WHO = "http://hl7.org/fhir/sid/icd-10"
ICD9_CM = "http://hl7.org/fhir/sid/icd-9-cm"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ABSENT: Resource = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}
SHARED = frozenset({"Patient", "Encounter", "Practitioner", "Organization", "Coverage", "RelatedPerson"})
_ICD10 = re.compile(r"([A-Z]\d\d)\.?(\d{0,2})[†*+]?")
_NUMBER = re.compile(r"(<=|>=|<|>|≤|≥)?\s*([+-]?\d+(?:[.,]\d+)?)")
_COMPARATORS = {"≤": "<=", "≥": ">="}


@dataclass(slots=True)
class Stay:
    """A record with its Bundle; ``part`` is the group being mapped."""

    hospital: Hospital
    draft: Draft
    record: Row
    key: str
    patient_key: str
    part: str = ""
    made: dict[str, dict[str, None]] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)

    def target(self, kind: str, key: str) -> str:
        return f"{kind}/{self.draft.id(kind, key)}"

    def link(self, kind: str, key: str) -> Resource:
        return self.draft.reference(kind, key)

    def patient(self) -> Resource:
        return self.link("Patient", self.patient_key)

    def encounter(self) -> Resource:
        return self.link("Encounter", self.key)

    def add(self, kind: str, key: str, elements: Resource) -> Resource:
        resource = self.draft.add(kind, key, elements)
        if kind not in SHARED:
            self.made.setdefault(self.part, {})[f"{kind}/{resource['id']}"] = None
        return resource

    def facility(self, code: str = "", name: str = "") -> Resource:
        """The own facility as a resource, any other by its code or name alone."""
        own = self.hospital.facility_code
        if (code and code != own) or (name and not code):
            number = {"system": self.hospital.systems["facility"], "value": code} if code else {}
            return {"type": "Organization", "identifier": number, "display": name}
        key = f"facility:{own}"
        if not self.draft.has("Organization", key):
            number = {"system": self.hospital.systems["facility"], "value": own}
            self.add("Organization", key, {"identifier": [number], "name": self.hospital.title})
        return self.link("Organization", key)

    def staff(self, row: Row, names: tuple[str, str], target: str) -> Resource | None:
        """Someone named by code and name (``names``); by name alone as words."""
        code, name = row.take(names[0], target), row.take(names[1], target)
        if not code:
            return {"display": name} if name else None
        known: Resource = {"identifier": [{"system": self.hospital.systems["practitioner"], "value": code}]}
        self.add("Practitioner", code, known | ({"name": [{"text": name}]} if name else {}))
        return self.link("Practitioner", code)

    def time(self, row: Row, name: str, target: str) -> str:
        """A dateTime; a text that is none is told and stays unmapped."""
        value = time_of(row.text(name), self.hospital.offset)
        if value:
            row.take(name, target)
        elif row.text(name):
            row.note(name, "not a time of the form dd/mm/yyyy HH:MM:SS; left unmapped")
        return value

    def system(self, name: str) -> str:
        return self.hospital.systems.get(name, f"urn:vn:byt:{name}")

    def coded(self, name: str, code: str, text: str) -> Resource:
        """A code in the list of its field, with what the hospital's own table adds, and the source's words."""
        coding = [{"system": self.system(name), "code": code}] if code else []
        local = self.hospital.codes.get(name, {}).get(code)
        if local:
            coding.append({"system": local.system, "code": local.code, "display": local.display})
        return {"coding": coding, "text": text} if code or text else {}

    def icd10(self, code: str, text: str = "") -> Resource:
        coding = [{"system": self.hospital.systems["icd10"], "code": code}]
        shape = _ICD10.fullmatch(code)
        if shape:
            stem, rest = shape.groups()
            coding.append({"system": ICD10_WHO, "code": f"{stem}.{rest}" if rest else stem})
        return {"coding": coding, "text": text}


def value_of(text: str, unit: str) -> Resource:
    """A number with its unit where the text surely is one, else the words."""
    number = _NUMBER.fullmatch(text)
    amount = decimal_of(number.group(2)) if number else None
    if number is None or amount is None:
        return {"valueString": text}
    quantity: Resource = {"value": amount, "unit": unit}
    if number.group(1):
        quantity["comparator"] = _COMPARATORS.get(number.group(1), number.group(1))
    if unit in UNITS:
        quantity |= {"system": UCUM, "code": UNITS[unit]}
    return {"valueQuantity": quantity}


def decimal_of(text: str) -> Decimal | None:
    """The number of a text; None where a comma could mean thousands."""
    if "," in text and len(text.rpartition(",")[2]) == 3:
        return None
    try:
        number = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None

"""FHIR records for reads and searches: patients with observations, all different, sent as transactions.

https://hl7.org/fhir/R4/http.html#transaction
"""

from typing import Any

import orjson

from bench.messages import birth_date, full_name

MRN = "urn:vn:quang-ninh:qn-general:mrn"
LOINC = "http://loinc.org"
CODES = ("2345-7", "2160-0", "718-7", "6690-2", "777-3")

Resource = dict[str, Any]


def patient(number: int) -> Resource:
    """A patient of the general hospital."""
    family, given, last = full_name(number).split(" ")
    name = {"use": "official", "text": full_name(number), "family": family, "given": [given, last]}
    return {
        "resourceType": "Patient",
        "identifier": [{"system": MRN, "value": f"B{number:07d}"}],
        "active": True,
        "name": [name],
        "gender": ("male", "female")[number % 2],
        "birthDate": iso(birth_date(number)),
        "address": [{"text": "Phường Hồng Gai, tỉnh Quảng Ninh", "city": "Hồng Gai", "country": "VNM"}],
    }


def observation(number: int, place: int, subject: str) -> Resource:
    """A laboratory result of that patient; ``place`` chooses code and day."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": CODES[place % len(CODES)]}]},
        "subject": {"reference": subject},
        "effectiveDateTime": f"2026-{1 + place % 12:02d}-{1 + number % 28:02d}T08:30:00+07:00",
        "valueQuantity": {"value": 4 + number % 7, "unit": "mmol/L", "system": "http://unitsofmeasure.org",
                          "code": "mmol/L"},
    }  # fmt: skip


def patient_id(number: int) -> str:
    return f"bench-{number}"


def seed(numbers: range, observations: int) -> bytes:
    """A transaction that stores these patients under known ids, each with so many observations."""
    entries = []
    for number in numbers:
        identity = patient_id(number)
        entries.append(_put(f"Patient/{identity}", patient(number)))
        for place in range(observations):
            made = observation(number, place, f"Patient/{identity}")
            entries.append(_put(f"Observation/{identity}-{place}", made))
    return _transaction(entries)


def pair(number: int) -> bytes:
    """A transaction of two: a new patient and an observation that points at it by ``urn:uuid``."""
    local = f"urn:uuid:00000000-0000-4000-8000-{number:012d}"
    person = {"fullUrl": local, "resource": patient(number), "request": {"method": "POST", "url": "Patient"}}
    result = {"resource": observation(number, 0, local), "request": {"method": "POST", "url": "Observation"}}
    return _transaction([person, result])


def large(entries: int) -> bytes:
    """A transaction of so many new observations."""
    made = [observation(number, number, "Patient/bench-0") for number in range(entries)]
    return _transaction([{"resource": one, "request": {"method": "POST", "url": "Observation"}} for one in made])


def iso(day: str) -> str:
    """yyyymmdd as yyyy-mm-dd."""
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def _put(url: str, resource: Resource) -> Resource:
    stored = {**resource, "id": url.partition("/")[2]}
    return {"resource": stored, "request": {"method": "PUT", "url": url}}


def _transaction(entries: list[Resource]) -> bytes:
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})

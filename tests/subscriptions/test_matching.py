"""What is matched here is what the database would find: both are asked the same searches about the same records."""

import pytest

from fhir_gateway.problem import BadRequest, NotSupported
from fhir_gateway.records.revision import revision
from fhir_gateway.search.query import parse
from fhir_gateway.store.port import Commit
from fhir_gateway.subscriptions.matching import matches, record, watchable

pytestmark = pytest.mark.anyio

RECORDS = (
    {
        "resourceType": "Observation",
        "id": "sugar",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "15074-8"}], "text": "Đường huyết"},
        "subject": {"reference": "Patient/a"},
        "effectiveDateTime": "2026-11-23T08:00:00+07:00",
        "valueQuantity": {"value": 7.2, "unit": "mmol/l", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
    },
    {
        "resourceType": "Observation",
        "id": "pressure",
        "status": "amended",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"reference": "Patient/b"},
        "effectivePeriod": {"start": "2026-11-01", "end": "2026-11-30"},
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
                "valueQuantity": {"value": 121, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
            }
        ],
    },
    {
        "resourceType": "Observation",
        "id": "bare",
        "status": "preliminary",
        "identifier": [{"system": "urn:lab", "value": "X-1"}],
        "code": {"text": "không rõ"},
    },
    {
        "resourceType": "Patient",
        "id": "a",
        "active": True,
        "name": [{"family": "Nguyễn", "given": ["Thị", "Hoà"]}],
        "telecom": [{"system": "phone", "value": "0912345678"}],
        "birthDate": "1990-02-03",
        "gender": "female",
    },
    {"resourceType": "Patient", "id": "b", "name": [{"text": "Trần Văn Bình"}], "birthDate": "1985"},
)
SEARCHES = (
    "Observation",
    "Observation?status=final,amended",
    "Observation?status:not=final",
    "Observation?code=15074-8",
    "Observation?code=http://loinc.org|85354-9",
    "Observation?code=http://loinc.org|",
    "Observation?patient=Patient/a",
    "Observation?patient=a,b",
    "Observation?subject:Patient=b",
    "Observation?subject:missing=true",
    "Observation?identifier=urn:lab|X-1",
    "Observation?date=2026-11-23",
    "Observation?date=ge2026-11-20",
    "Observation?date=lt2026-11-10",
    "Observation?date=sa2026-10-31&date=eb2026-12-01",
    "Observation?date=ne2026-11-23",
    "Observation?value-quantity=7.2",
    "Observation?value-quantity=gt7||mmol/L",
    "Observation?component-value-quantity=ge121",
    "Observation?_id=sugar,bare",
    "Observation?_lastUpdated=gt2020-01-01",
    "Observation?code=15074-8&status=final&patient=Patient/a",
    "Patient?name=nguyen",
    "Patient?name=hoa",
    "Patient?name:exact=Nguyễn",
    "Patient?name:contains=inh",
    "Patient?phone=0912345678",
    "Patient?birthdate=1990-02",
    "Patient?birthdate=le1985",
    "Patient?active=true",
    "Patient?gender:missing=true",
    "Patient?gender=female,male",
)


def _query(text: str):
    type_, _, search = text.partition("?")
    return parse(type_, [tuple(part.split("=", 1)) for part in search.split("&") if part])


async def test_a_record_matches_a_search_exactly_when_the_database_finds_it(rig):
    now = rig.office.clock()
    changes = [revision(one, f"{one['resourceType']}/{one['id']}", None, now, ("san-nhi",)) for one in RECORDS]
    await rig.store.commit(Commit(changes=tuple(changes)))
    differ = {}
    told = 0
    for text in SEARCHES:
        query = watchable(_query(text))
        found = {version.id for version in await rig.store.find(query)}
        of_type = [change.version for change in changes if change.version.type == query.type]
        matched = {version.id for version in of_type if matches(query, record(version))}
        told += bool(found)
        if found != matched:
            differ[text] = found, matched
    assert differ == {}
    assert told == len(SEARCHES)


async def test_the_reader_of_a_search_is_heeded(rig):
    change = revision(RECORDS[3], "Patient/a", None, rig.office.clock(), ("san-nhi",))
    query = _query("Patient?gender=female")
    assert matches(query, record(change.version), "san-nhi")
    assert not matches(query, record(change.version), "bai-chay")


@pytest.mark.parametrize(
    "text", ["Observation?patient.name=a", "Patient?_has:Observation:patient:code=1", "Observation?_include=*"]
)
def test_a_search_that_needs_other_records_cannot_be_watched(text):
    with pytest.raises((NotSupported, BadRequest)):
        watchable(_query(text))

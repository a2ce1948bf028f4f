"""A Composition and all that it reaches."""

import pytest

from fhir_gateway.fhir.document import build
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import Invalid

IDENTITY = "0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
TIMESTAMP = "2026-11-23T10:00:00.000Z"
BASE = "http://a.vn/fhir"

COMPOSITION: Resource = {
    "resourceType": "Composition",
    "id": "c",
    "status": "final",
    "type": {"text": "Giấy chuyển tuyến"},
    "subject": {"reference": "Patient/p"},
    "date": "2026-11-23",
    "author": [{"reference": "Practitioner/d"}, {"identifier": {"system": "urn:a", "value": "22"}}],
    "title": "Giấy chuyển tuyến",
    "section": [{"title": "Xét nghiệm", "entry": [{"reference": "Observation/o"}]}],
}
OTHERS: dict[str, Resource] = {
    "Patient/p": {"resourceType": "Patient", "id": "p", "managingOrganization": {"reference": "Organization/h"}},
    "Practitioner/d": {"resourceType": "Practitioner", "id": "d"},
    "Observation/o": {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": {"text": "Kali"},
        "subject": {"reference": "Patient/p"},
        "derivedFrom": [{"reference": "https://elsewhere.vn/Observation/9"}],
    },
    "Organization/h": {"resourceType": "Organization", "id": "h", "name": "Bệnh viện"},
}


def test_the_composition_comes_first_and_each_resource_once() -> None:
    document = build(COMPOSITION, OTHERS.get, IDENTITY, TIMESTAMP, BASE)
    assert [entry["fullUrl"] for entry in document["entry"]] == [
        f"{BASE}/Composition/c",
        f"{BASE}/Patient/p",
        f"{BASE}/Practitioner/d",
        f"{BASE}/Observation/o",
        f"{BASE}/Organization/h",
    ]
    assert validate(document) == ()


def test_a_document_is_identified_for_ever() -> None:
    document = build(COMPOSITION, OTHERS.get, IDENTITY, TIMESTAMP, BASE)
    assert document["identifier"] == {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{IDENTITY}"}
    assert document["timestamp"] == TIMESTAMP


def test_what_cannot_be_found_is_named_by_its_path() -> None:
    known = {name: item for name, item in OTHERS.items() if name not in ("Organization/h", "Observation/o")}
    with pytest.raises(Invalid) as caught:
        build(COMPOSITION, known.get, IDENTITY, TIMESTAMP, BASE)
    assert [issue.where for issue in caught.value.issues] == [
        "Composition.section[0].entry[0]",
        "Patient.managingOrganization",
    ]


def test_resources_that_cite_each_other_end() -> None:
    loop: dict[str, Resource] = {
        **OTHERS,
        "Practitioner/d": {
            "resourceType": "Practitioner",
            "id": "d",
            "extension": [{"url": "urn:x", "valueReference": {"reference": "Composition/c"}}],
        },
        "Composition/c": COMPOSITION,
    }
    assert len(build(COMPOSITION, loop.get, IDENTITY, TIMESTAMP, BASE)["entry"]) == 5


def test_a_document_starts_with_a_composition() -> None:
    with pytest.raises(Invalid, match="Composition"):
        build(OTHERS["Patient/p"], OTHERS.get, IDENTITY, TIMESTAMP, BASE)

"""A sending hospital built by hand, and the ways to put a message before the adapter."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from adapters import hl7v2
from adapters.contract import Coding, Hospital, Message, Translation

SIDS = "http://fhir.hl7.org.vn/core/sid"
SYSTEMS = {
    "mrn": "urn:vn:quang-ninh:qn-general:mrn",
    "visit": "urn:vn:quang-ninh:qn-general:visit",
    "order": "urn:vn:quang-ninh:qn-general:order",
    "document": "urn:vn:quang-ninh:qn-general:document",
    "cccd": f"{SIDS}/cccd",
    "cmnd": f"{SIDS}/cmnd",
    "passport": f"{SIDS}/passport",
    "bhyt": f"{SIDS}/bhyt",
    "bhyt-temporary": f"{SIDS}/bhyt-tam",
    "bhxh": f"{SIDS}/bhxh",
    "practitioner": f"{SIDS}/cchn",
    "facility": f"{SIDS}/ma-cskcb",
    "episode": f"{SIDS}/ma-lk",
    "icd10": "http://fhir.hl7.org.vn/core/CodeSystem/vn-icd10-cs",
    "ethnicity": "http://fhir.hl7.org.vn/core/CodeSystem/vn-ethnicity-cs",
}
HEADER = "MSH|^~\\&|HIS|22T01|FHIRGW|QN|20261102083012||{event}|1|P|2.5.1|||||VNM|UNICODE UTF-8"


@pytest.fixture(scope="session")
def hospital() -> Hospital:
    return Hospital(
        name="qn-general",
        title="Bệnh viện Đa khoa tỉnh Quảng Ninh",
        facility_code="22T01",
        adapters=("hl7v2",),
        systems=SYSTEMS,
        codes={"observation": {"HB": Coding("http://loinc.org", "718-7", "Hemoglobin [Mass/volume] in Blood")}},
    )


@pytest.fixture(scope="session")
def translate(hospital: Hospital) -> Callable[[bytes], Translation]:
    def run(body: bytes) -> Translation:
        received = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
        return hl7v2.translate(Message(hospital, "application/hl7-v2", body, received))

    return run


@pytest.fixture(scope="session")
def message() -> Callable[..., bytes]:
    """Builds a message of the given event from segments, with the usual header."""

    def build(event: str, *segments: str) -> bytes:
        return ("\r".join([HEADER.format(event=event), *segments]) + "\r").encode()

    return build

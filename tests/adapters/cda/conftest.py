"""The hospital that the CDA tests send from, and short ways to translate."""

import os
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from adapters import cda
from adapters.contract import Coding, Hospital, Message, Translation

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "fixtures" / "cda"
RECEIVED = datetime(2026, 11, 23, tzinfo=UTC)


def _toml(name: str) -> dict:
    return tomllib.loads((ROOT / "adapters" / "hospitals" / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def hospital() -> Hospital:
    own = _toml("san-nhi")
    codes = {table: {code: Coding(**row) for code, row in rows.items()} for table, rows in own.get("codes", {}).items()}
    systems = {**_toml("defaults")["systems"], **own["systems"]}
    return Hospital("san-nhi", own["title"], own["facility_code"], ("cda",), systems=systems, codes=codes)


@pytest.fixture(scope="session")
def translate(hospital: Hospital) -> Callable[[bytes | str], Translation]:
    def run(body: bytes | str) -> Translation:
        content = body.encode() if isinstance(body, str) else body
        return cda.translate(Message(hospital, "application/hl7-cda+xml", content, RECEIVED))

    return run


@pytest.fixture(scope="session")
def case(translate: Callable[[bytes | str], Translation]) -> Callable[[str], Translation]:
    """The translation of a fixture by its name."""
    return lambda name: translate((FIXTURES / name / "message.xml").read_bytes())


@pytest.fixture(scope="session")
def fixtures() -> Path:
    return FIXTURES


@pytest.fixture(scope="session")
def corpus() -> list[Path]:
    """The CDA samples beside the repository, where there are any."""
    folder = Path(os.environ.get("FHIR_GATEWAY_CORPUS", ROOT.parent / "shared" / "corpus")) / "cda"
    files = sorted(folder.glob("*.xml"))
    if not files:
        pytest.skip("no corpus beside the repository")
    return files


@pytest.fixture(scope="session")
def document() -> Callable[..., str]:
    """A small document around a section's entries, the section itself, or the patient's role."""

    def write(entries: str = "", *, loinc: str = "11450-4", text: str = "", role: str = "", header: str = "") -> str:
        patient = role or '<id root="2.16.840.1.113883.19.22.3.1" extension="SN1"/><patient><name>A B</name></patient>'
        return f"""<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
        <id root="2.16.840.1.113883.19.22.3.4" extension="D1"/>
        <code code="18842-5" codeSystem="2.16.840.1.113883.6.1"/><title>T</title>
        <effectiveTime value="20261122093000+0700"/>
        <recordTarget><patientRole>{patient}</patientRole></recordTarget>{header}
        <component><structuredBody><component><section>
        <code code="{loinc}" codeSystem="2.16.840.1.113883.6.1"/><title>S</title><text>{text}</text>{entries}
        </section></component></structuredBody></component></ClinicalDocument>"""

    return write


@pytest.fixture(scope="session")
def made() -> Callable[[Translation, str], list[dict]]:
    """The resources of one type, in the order of the Bundle."""

    def of_type(translation: Translation, resource_type: str) -> list[dict]:
        resources = (entry["resource"] for entry in translation.bundle["entry"])
        return [resource for resource in resources if resource["resourceType"] == resource_type]

    return of_type


@pytest.fixture(scope="session")
def r4_problems() -> Callable[[Translation], list[str]]:
    """What the R4 models say against the resources of a translation."""
    encoder = msgspec.json.Encoder(decimal_format="number")

    def check(translation: Translation) -> list[str]:
        found = []
        for entry in translation.bundle["entry"]:
            resource = entry["resource"]
            try:
                get_fhir_model_class(resource["resourceType"]).model_validate_json(encoder.encode(resource))
            except ValidationError as fault:
                found.append(f"{resource['resourceType']}: {fault}")
        return found

    return check

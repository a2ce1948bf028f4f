"""Golden files: every case of fixtures/vn_xml gives the Bundle, or the refusal, that stands beside it."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from bundles import containers, links
from fhir.resources.R4B import get_fhir_model_class

from adapters import vn_xml
from adapters.contract import Fate, Hospital, Message, Untranslatable
from adapters.vn_xml.fields import FIELDS

ROOT = Path(__file__).parents[3] / "fixtures" / "vn_xml"
CASES = sorted(path.parent.name for path in ROOT.glob("*/message.xml"))
GOOD = [case for case in CASES if not case.startswith("bad-")]
ENCODER = msgspec.json.Encoder(decimal_format="number")


@pytest.fixture(scope="session")
def demo_hospital() -> Hospital:
    """The hospital of the golden files, with the identifier systems of adapters/hospitals."""
    folder = ROOT.parents[1] / "adapters" / "hospitals"
    defaults, own = (tomllib.loads((folder / f"{name}.toml").read_text()) for name in ("defaults", "bai-chay"))
    systems = {**defaults["systems"], **own["systems"]}
    return Hospital(own["name"], own["title"], own["facility_code"], ("vn_xml",), systems=systems)


@pytest.fixture(scope="session")
def told(demo_hospital):
    """The Bundle of a case, or its refusal, as text."""

    def run(case: str) -> bytes:
        body = (ROOT / case / "message.xml").read_bytes()
        message = Message(demo_hospital, "application/xml", body, datetime.now(UTC))
        try:
            told = vn_xml.translate(message).bundle
        except Untranslatable as refusal:
            told = {"untranslatable": {"reason": refusal.reason, "where": refusal.where}}
        return msgspec.json.format(ENCODER.encode(told), indent=1)

    return run


@pytest.mark.parametrize("case", CASES)
def test_a_case_gives_the_bundle_that_stands_beside_it(case, told):
    assert (ROOT / case / "bundle.json").read_bytes().strip() == told(case)


@pytest.mark.parametrize("case", CASES)
def test_a_case_says_what_it_is_for(case):
    assert (ROOT / case / "README.md").read_text().startswith(f"# {case}\n")


@pytest.mark.parametrize("case", GOOD)
def test_the_same_bytes_give_the_same_bundle(case, told):
    assert told(case) == told(case)


@pytest.mark.parametrize("case", GOOD)
def test_every_resource_of_a_case_is_valid(case):
    for entry in json.loads((ROOT / case / "bundle.json").read_bytes())["entry"]:
        get_fhir_model_class(entry["resource"]["resourceType"]).model_validate(entry["resource"])


@pytest.mark.parametrize("case", GOOD)
def test_every_link_of_a_case_is_answered_in_its_bundle(case):
    text = (ROOT / case / "bundle.json").read_text()
    known = {entry["fullUrl"] for entry in json.loads(text)["entry"]}

    assert set(links(json.loads(text))) <= known


@pytest.mark.parametrize("case", GOOD)
def test_no_field_of_a_case_is_left_unmapped(case, translate):
    ledger = translate((ROOT / case / "message.xml").read_bytes()).ledger

    assert [account.place for account in ledger if account.fate is Fate.UNMAPPED] == []


@pytest.mark.parametrize("case", GOOD)
def test_a_field_has_the_fate_that_the_field_table_gives_it(case, translate):
    for account in translate((ROOT / case / "message.xml").read_bytes()).ledger:
        table = next(
            (part for part in account.place.split("/") if part in FIELDS and part != "GIAMDINHHS"), "GIAMDINHHS"
        )
        field = FIELDS[table][account.place.rpartition("/")[2]]
        if account.fate is Fate.MAPPED:
            assert field.fate == "mapped", account.place
        else:
            assert account.reason, account.place


@pytest.mark.parametrize("case", GOOD)
def test_every_target_of_a_mapped_field_is_a_resource_of_the_bundle(case, translate):
    translation = translate((ROOT / case / "message.xml").read_bytes())
    made = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in translation.bundle["entry"]}
    targets = {target.partition("#")[0] for account in translation.ledger for target in account.targets}

    assert targets <= made


@pytest.mark.parametrize("case", GOOD)
def test_two_translations_share_nothing_that_could_be_changed(case, translate):
    body = (ROOT / case / "message.xml").read_bytes()
    first, second = translate(body).bundle, translate(body).bundle

    assert not {id(one) for one in containers(first)} & {id(one) for one in containers(second)}


def test_a_translation_does_not_depend_on_what_was_translated_before(translate):
    bodies = [(ROOT / case / "message.xml").read_bytes() for case in GOOD]
    forwards = [translate(body) for body in bodies]
    backwards = [translate(body) for body in reversed(bodies)]

    assert forwards == backwards[::-1]


def test_an_extension_of_patients_stands_in_no_other_resource():
    for path in (ROOT / case / "bundle.json" for case in GOOD):
        for entry in json.loads(path.read_bytes())["entry"]:
            resource = entry["resource"]
            urls = [one["url"] for one in resource.get("extension", ())]
            assert resource["resourceType"] == "Patient" or not any("/patient-" in url for url in urls), path

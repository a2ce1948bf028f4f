"""Every fixture of tables and of FHIR becomes its bundle.json, or its problem.json with what was set apart.

FHIR_GATEWAY_WRITE_GOLDEN=1 writes the files anew; read them before committing.
"""

import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from adapters.contract import Message
from fhir_gateway.app import adapters, directory
from fhir_gateway.exchange.folder import media_type_of
from fhir_gateway.exchange.translation import Translated, translate
from fhir_gateway.settings import Settings

FIXTURES = Path(__file__).parents[3] / "fixtures"
EXAMPLES = FIXTURES / "tabular" / "hospitals"
CASES = sorted(file for name in ("tabular", "fhir_bundle") for file in (FIXTURES / name).glob("*/message.*"))
GOOD = [case for case in CASES if not case.parent.name.startswith("bad-")]
BAD = [case for case in CASES if case.parent.name.startswith("bad-")]
WRITE = bool(os.environ.get("FHIR_GATEWAY_WRITE_GOLDEN"))

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def name(file: Path) -> str:
    return f"{file.parent.parent.name}-{file.parent.name}"


def expected(path: Path, actual: object) -> object:
    if WRITE:
        path.write_bytes(msgspec.json.format(_encoder.encode(actual), indent=2) + b"\n")
    return _decoder.decode(path.read_bytes())


def translated(file: Path) -> Translated:
    hospital = directory(Settings(hospitals=EXAMPLES)).hospital("ba-che")
    received = datetime(2026, 11, 4, 3, 0, tzinfo=UTC)
    return translate(adapters(), Message(hospital, media_type_of(file.name), file.read_bytes(), received))


@pytest.mark.parametrize("file", GOOD, ids=name)
def test_a_fixture_becomes_its_bundle(file):
    done = translated(file)
    assert done.faults == ()
    assert done.apart == ()
    bundle = done.translation.bundle
    actual = _decoder.decode(_encoder.encode(bundle))
    assert actual == expected(file.parent / "bundle.json", bundle)
    assert _encoder.encode(actual) == _encoder.encode(bundle), "decimals keep their text"


@pytest.mark.parametrize("file", GOOD, ids=name)
def test_each_line_of_the_ledger_names_the_byte_where_its_field_begins(file):
    done = translated(file)
    offsets = [account.offset for account in done.translation.ledger]
    assert None not in offsets
    assert offsets == sorted(offsets)
    assert len({account.place for account in done.translation.ledger}) == len(offsets)


@pytest.mark.parametrize("file", BAD, ids=name)
def test_a_bad_fixture_is_told_with_place_and_reason(file):
    done = translated(file)
    faults = [{"where": fault.where, "text": fault.text} for fault in done.faults]
    apart = [{"place": row.piece.place, "where": row.faults[0].where, "text": row.faults[0].text} for row in done.apart]
    problem = {"adapter": done.adapter, "faults": faults, "apart": apart}
    assert faults or apart
    assert problem == expected(file.parent / "problem.json", problem)


@pytest.mark.parametrize("file", CASES, ids=name)
def test_a_fixture_says_what_it_shows(file):
    assert (file.parent / "README.md").read_text(encoding="utf-8").startswith("# ")

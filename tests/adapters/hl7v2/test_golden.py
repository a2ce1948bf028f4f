"""Every fixture translates to its bundle.json, or is refused as its problem.json says.

FHIR_GATEWAY_WRITE_GOLDEN=1 writes the files anew; read them before committing.
"""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from bundles import containers

from adapters.contract import Translation, Untranslatable

CASES = sorted(path.parent for path in (Path(__file__).parents[3] / "fixtures" / "hl7v2").glob("*/message.hl7"))
GOOD = [case for case in CASES if not case.name.startswith("bad-")]
BAD = [case for case in CASES if case.name.startswith("bad-")]
WRITE = bool(os.environ.get("FHIR_GATEWAY_WRITE_GOLDEN"))

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def expected(path: Path, actual: object) -> object:
    text = msgspec.json.format(_encoder.encode(actual), indent=2) + b"\n"
    if WRITE:
        path.write_bytes(text)
    return _decoder.decode(path.read_bytes())


def names(cases: list[Path]) -> list[str]:
    return [case.name for case in cases]


@pytest.mark.parametrize("case", GOOD, ids=names(GOOD))
def test_a_fixture_becomes_its_bundle(case: Path, translate: Callable[[bytes], Translation]) -> None:
    bundle = translate((case / "message.hl7").read_bytes()).bundle

    actual = _decoder.decode(_encoder.encode(bundle))

    assert actual == expected(case / "bundle.json", bundle)
    assert _encoder.encode(actual) == _encoder.encode(bundle), "decimals keep their text"


@pytest.mark.parametrize("case", BAD, ids=names(BAD))
def test_a_bad_fixture_is_refused_with_its_place(case: Path, translate: Callable[[bytes], Translation]) -> None:
    with pytest.raises(Untranslatable) as refused:
        translate((case / "message.hl7").read_bytes())

    problem = {"where": refused.value.where, "reason": refused.value.reason}
    assert problem == expected(case / "problem.json", problem)


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_a_fixture_says_what_it_shows(case: Path) -> None:
    assert (case / "README.md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("case", GOOD, ids=names(GOOD))
def test_two_translations_share_nothing_that_can_be_changed(
    case: Path, translate: Callable[[bytes], Translation]
) -> None:
    body = (case / "message.hl7").read_bytes()
    one, two = (list(containers(translate(body).bundle)) for _ in range(2))

    # What is remembered from message to message, and what stands for every message, is copied into each Bundle.
    assert len({id(part) for part in (*one, *two)}) == len(one) + len(two)

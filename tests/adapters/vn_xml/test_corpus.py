"""Every file of the public corpus becomes a valid Bundle, and no clinical field of it is lost."""

import os
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class

from adapters.contract import Fate

CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS") or Path(__file__).parents[4] / "shared" / "corpus") / "vietnam"
FILES = sorted(CORPUS.glob("samples-*/*.xml"))
pytestmark = pytest.mark.skipif(not FILES, reason="no corpus beside the repository")


def test_every_file_becomes_valid_resources(translate):
    for file in FILES:
        for entry in translate(file.read_bytes()).bundle["entry"]:
            get_fhir_model_class(entry["resource"]["resourceType"]).model_validate(entry["resource"])


def test_only_a_result_before_its_test_is_left_unmapped(translate):
    unmapped = {
        (account.place.rpartition("/")[2], file.name)
        for file in FILES
        for account in translate(file.read_bytes()).ledger
        if account.fate is Fate.UNMAPPED
    }

    assert {name for name, _ in unmapped} <= {"NGAY_KQ"}

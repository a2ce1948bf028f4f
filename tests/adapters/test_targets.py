"""A ledger tells the truth: each place that a field is said to have gone to is in the Bundle."""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Message, Untranslatable
from fhir_gateway.exchange.directory import load
from fhir_gateway.fhir.element_path import values, written

FIXTURES = Path(__file__).parents[2] / "fixtures"
HOSPITALS = {"vn_xml": "bai-chay", "vn_record": "bai-chay", "cda": "san-nhi", "fhir_bundle": "qn-general"}
FILES = sorted(file for name in HOSPITALS for file in (FIXTURES / name).glob("*/message.*"))


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory) -> Any:
    return load("here", None, None, tmp_path_factory.mktemp("partners")).hospitals


def missing(translation) -> Iterator[tuple[str, str]]:
    entries = [entry["resource"] for entry in translation.bundle["entry"]]
    made = {f"{resource['resourceType']}/{resource['id']}": resource for resource in entries}
    for account in translation.ledger:
        for target in account.targets:
            record, _, path = target.partition("#")
            if not any(True for _ in values(made.get(record), choices(written(path), made.get(record)))):
                yield account.place, target


def choices(steps, resource):
    """A choice by its FHIRPath name (``value``) is whichever of its members the resource has."""
    first, *rest = steps or [None]
    if first is None or not resource or first.names[0] in resource or f"_{first.names[0]}" in resource:
        return steps
    names = tuple(name for name in resource if name.startswith(first.names[0]))
    return [type(first)(names, first.index), *rest]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parts[-3]}-{file.parts[-2]}")
def test_each_target_of_a_ledger_leads_to_something_in_the_bundle(file, hospitals):
    name = file.parts[-3]
    media_type = "application/xml" if file.suffix == ".xml" else "application/json"
    message = Message(hospitals[HOSPITALS[name]], media_type, file.read_bytes(), datetime(2026, 11, 23, tzinfo=UTC))
    try:
        translation = import_module(f"adapters.{name}").translate(message)
    except Untranslatable:
        assert file.parent.name.startswith("bad-")
        return
    assert list(missing(translation)) == []

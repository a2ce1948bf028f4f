"""A ledger tells the truth: each place that a field is said to have gone to is in the Bundle.

FHIR_GATEWAY_CORPUS names a folder of public messages that is not part of the project; what of it is HL7 v2 is held too.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from senders import HOSPITALS

from adapters.contract import Message, Untranslatable
from fhir_gateway.exchange.directory import load
from fhir_gateway.fhir.element_path import Step, values, written

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
TYPES = {".xml": "application/xml", ".hl7": "application/hl7-v2"}
FILES = sorted(file for name in HOSPITALS for file in (FIXTURES / name).glob("*/message.*"))
CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS") or ROOT.parent / "shared" / "corpus") / "hl7v2"
MESSAGES = sorted(CORPUS.glob("*.hl7"))


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory) -> Any:
    return load("here", None, None, tmp_path_factory.mktemp("partners")).hospitals


def missing(translation) -> Iterator[tuple[str, str]]:
    entries = [entry["resource"] for entry in translation.bundle["entry"]]
    made = {f"{resource['resourceType']}/{resource['id']}": resource for resource in entries}
    for account in translation.ledger:
        for target in account.targets:
            record, _, path = target.partition("#")
            if not leads(made.get(record), written(path)):
                yield account.place, target


def leads(element, steps) -> bool:
    """Whether something lies at the path; a choice by its FHIRPath name (``value``) is whichever member there is."""
    if not steps:
        return element is not None
    first, *rest = steps
    named = values(element, [first])
    if isinstance(element, dict) and not element.keys() & {first.names[0], f"_{first.names[0]}"}:
        choice = re.compile(f"_?{first.names[0]}[A-Z]")
        named = values(element, [Step(tuple(name for name in element if choice.match(name)), first.index)])
    return any(leads(one, rest) for one in named)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parts[-3]}-{file.parts[-2]}")
def test_each_target_of_a_ledger_leads_to_something_in_the_bundle(file, hospitals):
    name = file.parts[-3]
    media_type = TYPES.get(file.suffix, "application/json")
    message = Message(hospitals[HOSPITALS[name]], media_type, file.read_bytes(), datetime(2026, 11, 23, tzinfo=UTC))
    try:
        translation = import_module(f"adapters.{name}").translate(message)
    except Untranslatable:
        assert file.parent.name.startswith("bad-")
        return
    assert list(missing(translation)) == []


@pytest.mark.skipif(not MESSAGES, reason="the corpus is not on this machine")
@pytest.mark.parametrize("file", MESSAGES, ids=lambda file: file.stem)
def test_each_target_of_a_public_message_leads_to_something_in_the_bundle(file, hospitals):
    translate = import_module("adapters.hl7v2").translate
    wrong = []
    for body in re.split(rb"[\r\n]+(?=MSH\|)", file.read_bytes()):
        message = Message(hospitals["qn-general"], TYPES[".hl7"], body, datetime(2026, 11, 23, tzinfo=UTC))
        wrong += missing(translate(message))
    assert wrong == []

"""The material of the measurements: every message is another one, and all of them are good."""

from datetime import UTC, datetime

import pytest

from adapters.contract import Message
from bench.messages import DOCUMENT_BYTES, KINDS, ORU_SEGMENTS, Kind, discharge, episode, full_name, laboratory, rows_of
from fhir_gateway.app import adapters, directory
from fhir_gateway.exchange.translation import translate
from fhir_gateway.settings import Settings

KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
OF_THE_HOUSE = {"Organization", "Practitioner", "PractitionerRole", "Location"}


def made(kind: Kind, number: int) -> set[str]:
    hospital = directory(Settings()).hospital(kind.hospital)
    message = Message(hospital, kind.media_type, kind.make(number), datetime(2026, 11, 23, tzinfo=UTC))
    done = translate(adapters(), message)
    assert done.faults == ()
    assert done.translation is not None
    return {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in done.translation.bundle["entry"]}


@KIND
def test_a_message_is_accepted_and_shares_nothing_clinical_with_another(kind: Kind) -> None:
    one, other = made(kind, 7), made(kind, 8)

    assert len(one) == len(other) > 8
    assert {ref.partition("/")[0] for ref in one & other} <= OF_THE_HOUSE


@KIND
def test_the_same_number_makes_the_same_message(kind: Kind) -> None:
    assert kind.make(3) == kind.make(3)


def test_the_messages_are_as_large_as_the_figures_say() -> None:
    assert laboratory(1).count(b"\r") == ORU_SEGMENTS
    assert 60 <= rows_of(episode(1)) <= 70
    assert DOCUMENT_BYTES <= len(discharge(1)) < 1.1 * DOCUMENT_BYTES


def test_hardly_anybody_shares_a_name() -> None:
    names = [full_name(number) for number in range(3000)]

    assert len(set(names)) == len(names)
    assert {len(name.split(" ")) for name in names} == {3}

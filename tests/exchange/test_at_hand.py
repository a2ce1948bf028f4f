"""What came through a door of this process moments ago."""

import pytest

from fhir_gateway.exchange import at_hand
from fhir_gateway.exchange.at_hand import AtHand
from fhir_gateway.exchange.inbox import Receipt


def receipt(number: str) -> Receipt:
    return Receipt("qn-general", number, number * 2, "application/hl7-v2", 3, "2026-11-23T05:00:00.000+00:00")


def test_a_message_is_at_hand_until_it_is_forgotten():
    kept: AtHand[Receipt] = AtHand()
    kept.put(receipt("1").key, receipt("1"), b"one")
    assert kept.look("qn-general/1") == (receipt("1"), b"one")
    kept.forget("qn-general/1")
    assert kept.look("qn-general/1") is None


def test_the_oldest_make_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(at_hand, "MOST_BYTES", 5)
    kept: AtHand[Receipt] = AtHand()
    for number in "123":
        kept.put(receipt(number).key, receipt(number), b"two")
    assert [kept.look(f"qn-general/{number}") is None for number in "123"] == [True, True, False]


def test_a_large_message_is_read_from_the_store(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(at_hand, "LARGE", 2)
    kept: AtHand[Receipt] = AtHand()
    kept.put(receipt("1").key, receipt("1"), b"one")
    assert kept.look("qn-general/1") is None


def test_what_nobody_came_for_is_not_believed_for_ever(monkeypatch: pytest.MonkeyPatch):
    kept: AtHand[Receipt] = AtHand()
    kept.put(receipt("1").key, receipt("1"), b"one")
    monkeypatch.setattr(at_hand, "KEPT_SECONDS", -1.0)
    assert kept.look("qn-general/1") is None
    kept.put(receipt("2").key, receipt("2"), b"two")
    assert not kept._kept

"""A batch of HL7 v2: each message has its own receipt, and is tried again, corrected and mapped again alone."""

from dataclasses import replace

import pytest

from adapters import hl7v2
from adapters.contract import Message, Piece
from fhir_gateway.app import now
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.division import divided, piece_receipt
from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.remapping import Outcome
from fhir_gateway.exchange.worker import Settled, Translator
from fhir_gateway.security.audit import Act

pytestmark = pytest.mark.anyio

MEDIA_TYPE = "application/hl7-v2"
LATER = (
    "MSH|^~\\&|HIS|22T01|FHIRGW|QN|20261106120000||ADT^A08^ADT_A01|QN-200003|P|2.5.1|||AL|NE|VNM|UNICODE UTF-8\r"
    "PID|1||QN0071^^^22T01^MR||ĐẶNG^LIÊN^THỊ||1971|F\rPV1|1|O|||||||||||||||||VN2026-0071\r"
).encode()


async def pieces(desk, whole):
    rows = await desk.house.store.notes(inbox.SHELF, {"hospital": whole.hospital, "whole": whole.receipt}, "", 100)
    return sorted((inbox.receipt_of(content) for _, content in rows), key=lambda piece: piece.place)


async def test_each_message_of_a_batch_has_a_receipt_a_ledger_and_provenances_of_its_own(desk, message):
    whole = await desk.file("qn-general", message("hl7v2/batch"), MEDIA_TYPE)
    assert (whole.state, whole.pieces, whole.notices) == (State.DIVIDED, 2, ())
    first, second = await pieces(desk, whole)
    assert [(one.state, one.place) for one in (first, second)] == [(State.STORED, "MSH[1]"), (State.STORED, "MSH[2]")]
    kinds = [{ref.partition("/")[0] for ref in one.resources} for one in (first, second)]
    assert "Encounter" in kinds[0] - kinds[1]
    assert "Observation" in kinds[1] - kinds[0]
    assert not {ref for ref in first.resources if "Provenance" in ref} & set(second.resources)
    places = [row["place"] for row in await desk.letters.ledger("qn-general", second.receipt)]
    assert "OBX[1]-5[1]" in places
    assert not any(place.startswith("MSH[1]") for place in places)


async def test_a_bad_message_of_a_batch_is_tried_again_alone(desk, message):
    whole = await desk.file("qn-general", message("hl7v2/batch").replace(b"5.40", b"12,5,6"), MEDIA_TYPE)
    good, held = await pieces(desk, whole)
    assert (good.state, held.state) == (State.STORED, State.QUARANTINED)
    assert f"MSH[2] is in quarantine as {held.receipt}" in whole.notices[0]["text"]
    await desk.letters.retry(held, now(), desk.house.event(Act("ingest", None)))
    (job,) = await desk.house.store.lease(inbox.TRANSLATE, "test", 9, 60)
    assert job.content["receipt"] == held.receipt
    desk.adapters["hl7v2"] = _Lenient()
    await Translator(desk.house, desk.letters, desk.adapters, Bell(), Settled()).do(job)
    assert (await desk.letters.receipt("qn-general", held.receipt)).state is State.STORED


class _Lenient:
    """The adapter after a change: it takes what the one before refused."""

    def __getattr__(self, name):
        return getattr(hl7v2, name)

    def translate(self, message):
        return hl7v2.translate(replace(message, body=message.body.replace(b"12,5,6", b"12.5")))


async def test_a_message_of_a_batch_is_mapped_again_alone_and_its_whole_is_left(desk, message):
    desk.adapters = {"hl7v2": _Renamed()}
    whole = await desk.file("qn-general", message("hl7v2/batch"), MEDIA_TYPE)
    desk.adapters = {"hl7v2": hl7v2}
    first, second = await pieces(desk, whole)
    assert (await desk.remap(whole)).outcome is Outcome.SKIPPED
    assert [(edit.path, edit.kind) for edit in (await desk.remap(second)).edits] == [("name[0].text", "changed")]
    assert (await desk.remap(first)).outcome is Outcome.CHANGED
    assert (await desk.remap(first)).outcome is Outcome.UNCHANGED


class _Renamed:
    """The adapter before a change: it wrote names in small letters."""

    def __getattr__(self, name):
        return getattr(hl7v2, name)

    def translate(self, message):
        made = hl7v2.translate(message)
        for entry in made.bundle["entry"]:
            if entry["resource"]["resourceType"] == "Patient":
                entry["resource"]["name"][0]["text"] = entry["resource"]["name"][0]["text"].lower()
        return made


async def test_a_batch_that_was_stored_whole_is_mapped_again_whole(desk, message):
    desk.adapters = {"hl7v2": _Together()}
    whole = await desk.file("qn-general", message("hl7v2/batch"), MEDIA_TYPE)
    assert whole.state is State.STORED
    desk.adapters = {"hl7v2": hl7v2}
    assert (await desk.remap(whole)).outcome is Outcome.UNCHANGED


class _Together:
    """The adapter of an earlier time, whose batches were one commit."""

    ROWS_TOGETHER = 100

    def __getattr__(self, name):
        return getattr(hl7v2, name)


async def test_the_messages_of_a_batch_come_before_what_was_sent_after_it(desk, message):
    """A process that died after the division: its pieces wait, and so does a later message of the hospital."""
    batch = message("hl7v2/batch")
    event = desk.house.event(Act("ingest", None))
    whole, _ = await desk.letters.receive("qn-general", MEDIA_TYPE, batch, now(), event)
    late, _ = await desk.letters.receive("qn-general", MEDIA_TYPE, LATER, now(), desk.house.event(Act("ingest", None)))
    jobs = await desk.house.store.lease(inbox.TRANSLATE, "test", 9, 60)
    made = hl7v2.divide(_as_sent(desk, batch), 1)
    commit, _ = divided(whole, "hl7v2", made, now(), jobs[0].order)
    await desk.house.store.commit(commit)
    await desk.house.store.release(inbox.TRANSLATE)
    left = await desk.house.store.lease(inbox.TRANSLATE, "another", 9, 60)
    expected = [*(piece_receipt(whole, piece).receipt for piece in made), late.receipt]
    assert [job.content["receipt"] for job in left] == expected


def _as_sent(desk, body):
    return Message(desk.house.directory.hospital("qn-general"), MEDIA_TYPE, body, now())


async def test_a_message_that_breaks_the_adapter_waits_alone(desk, message):
    desk.adapters = {"hl7v2": _Failing()}
    whole = await desk.file("qn-general", message("hl7v2/batch"), MEDIA_TYPE)
    assert [one.state for one in await pieces(desk, whole)] == [State.QUARANTINED, State.STORED]
    assert await desk.house.store.lease(inbox.TRANSLATE, "test", 9, 60) == []


class _Failing:
    """An adapter that breaks on visits."""

    def __getattr__(self, name):
        return getattr(hl7v2, name)

    def translate(self, message):
        if b"PV1" in message.body:
            raise KeyError
        return hl7v2.translate(message)


def test_pieces_are_named_by_their_whole():
    whole = Receipt("qn-general", "a" * 32, "b", MEDIA_TYPE, 3, "2026-11-23T00:00:00.000+00:00")
    one, other = (piece_receipt(whole, Piece(MEDIA_TYPE, b"MSH|", place)) for place in ("MSH[1]", "MSH[2]"))
    assert one.receipt != other.receipt
    assert (one.whole, one.place) == (whole.receipt, "MSH[1]")

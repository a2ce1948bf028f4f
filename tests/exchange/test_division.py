"""Messages of many rows: pieces, and rows set apart."""

from datetime import UTC, datetime

import pytest

from adapters.contract import Account, Fate, Hospital, Message, Notice, Piece, Translation, Untranslatable
from fhir_gateway.exchange.division import APART, Apart, divided, joined, piece_receipt, set_apart
from fhir_gateway.exchange.inbox import ORIGINALS, SHELF, TRANSLATE, Receipt, State
from fhir_gateway.exchange.translation import translate
from fhir_gateway.problem import Issue
from fhir_gateway.store.port import Commit

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WHOLE = Receipt("bai-chay", "a" * 32, "b" * 64, "text/x", 9, "2026-11-23T00:00:00.000+00:00")
HOSPITAL = Hospital("bai-chay", "Bãi Cháy", "22T02", ("rows",))


def entry(identity, **elements):
    resource = {"resourceType": "Patient", "id": identity, **elements}
    return {"fullUrl": f"urn:uuid:{identity}", "resource": resource, "request": {"method": "PUT", "url": "Patient/x"}}


class Rows:
    """An adapter of one patient a letter: ``!`` cannot be read, ``?`` is not R4."""

    NAME = "rows"
    MEDIA_TYPES = frozenset({"text/x"})

    def recognises(self, body):
        return True

    def divide(self, message, most):
        body, first = message.body, int(message.media_type.partition("=")[2] or 0)
        if len(body) <= most:
            return ()
        return [
            Piece(f"text/x;first={first + n}", body[n : n + most], f"row {first + n}", n)
            for n in range(0, len(body), most)
        ]

    def translate(self, message):
        first = int(message.media_type.partition("=")[2] or 0)
        found = []
        for n, letter in enumerate(message.body.decode(), first):
            if letter == "!":
                raise Untranslatable("cannot be read", f"row {n}")
            found.append((n, letter))
        rows = [
            entry(letter if letter != "?" else "q", gender="cat" if letter == "?" else "male") for _, letter in found
        ]
        ledger = [
            Account(f"row {n}", Fate.MAPPED, (f"Patient/{'q' if letter == '?' else letter}#gender",), offset=n - first)
            for n, letter in found
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": rows}
        return Translation(bundle, tuple(ledger), (Notice("x", "y"),))


def run(body, most=100):
    return translate({"rows": Rows()}, Message(HOSPITAL, "text/x", body, NOW), most)


def test_a_long_message_is_divided_before_it_is_translated():
    done = run(b"abcde", most=2)
    assert [piece.body for piece in done.pieces] == [b"ab", b"cd", b"e"]
    assert done.translation is None
    assert done.faults == ()


def test_a_bad_row_is_set_apart_and_the_others_are_translated_with_their_own_offsets():
    done = run(b"ab!d?f")
    assert done.faults == ()
    assert [(row.piece.place, row.faults[0].where) for row in done.apart] == [("row 2", "row 2"), ("row 4", "row 4")]
    assert [e["resource"]["id"] for e in done.translation.bundle["entry"]] == ["a", "b", "d", "f"]
    assert [(a.place, a.fate, a.offset) for a in done.translation.ledger] == [
        ("row 0", Fate.MAPPED, 0),
        ("row 1", Fate.MAPPED, 1),
        ("row 2", Fate.IGNORED, None),
        ("row 3", Fate.MAPPED, 3),
        ("row 4", Fate.IGNORED, None),
        ("row 5", Fate.MAPPED, 5),
    ]


@pytest.mark.parametrize("body", [b"!", b"!!", b"??"])
def test_a_message_without_a_good_row_goes_to_quarantine_as_a_whole(body):
    done = run(body)
    assert done.faults
    assert done.apart == ()


def test_a_fault_of_the_gate_is_told_at_the_source_field():
    assert run(b"?").faults[0].where == "row 0"


def test_rows_that_speak_of_one_resource_complete_it():
    said = {"name": [{"text": "An"}], "gender": "male"}
    parts = [entry("a", **said), entry("a"), entry("a", gender="female", birthDate="1990", active=True)]
    pieces = [
        (Piece("", b"", f"row {n}"), Translation({"resourceType": "Bundle", "entry": [one]}, ()))
        for n, one in enumerate(parts)
    ]
    (only,) = joined(pieces).bundle["entry"]
    assert only["resource"] == {
        "resourceType": "Patient",
        "id": "a",
        "name": [{"text": "An"}],
        "gender": "female",
        "birthDate": "1990",
        "active": True,
    }


def test_a_divided_message_owes_its_pieces_in_order():
    pieces = [Piece("text/x", b"a", "row 0"), Piece("text/x", b"a", "row 1")]
    commit, after = divided(WHOLE, "rows", pieces, NOW)
    assert (after.state, after.pieces) == (State.DIVIDED, 2)
    receipts = [piece_receipt(WHOLE, piece) for piece in pieces]
    assert len({row.receipt for row in receipts}) == 2, "the same bytes at two places are two messages"
    assert [job.id for job in commit.jobs] == [f"{TRANSLATE}/{row.key}" for row in receipts]
    assert [note.shelf for note in commit.notes] == [SHELF, ORIGINALS, SHELF, ORIGINALS, SHELF]


@pytest.mark.anyio
async def test_a_row_is_set_apart_once_however_often_its_whole_is_translated(store):
    rows = [Apart(Piece("text/x", b"!", "row 2"), (Issue("cannot be read", "row 2, column 1", "structure"),))]
    notes, told = await set_apart(store, WHOLE, rows, NOW)
    await store.commit(Commit(notes=tuple(notes)))
    again, told_again = await set_apart(store, WHOLE, rows, NOW)
    assert (len(notes), again) == (2, [])
    assert told == told_again
    held = piece_receipt(WHOLE, rows[0].piece)
    assert told == [{"where": "row 2, column 1", "text": f"row 2 is in quarantine as {held.receipt}: cannot be read"}]
    assert (await store.note(ORIGINALS, held.key))["body"] == b"!"
    assert (await store.note(SHELF, held.key))["state"] == "quarantined"


def test_what_is_set_apart_is_accounted_for_as_a_whole():
    assert joined([(Piece("", b"", "row 7"), None)]).ledger == (Account("row 7", Fate.IGNORED, reason=APART),)


@pytest.mark.anyio
async def test_a_bad_entry_of_a_batch_waits_alone_and_the_rest_is_in_the_records(pair, message):
    province, _ = pair
    answer = await province.ingest("qn-general", "application/fhir+json", message("fhir_bundle/bad-entry"))
    assert (answer.status_code, answer.json()["state"]) == (200, "stored")
    (held,) = (await province.get("qn-general", "/ingest/qn-general?state=quarantined")).json()["receipts"]
    assert held["whole"] == answer.json()["receipt"]
    assert held["problems"][0]["where"] == "Bundle.entry[1].resource.status"
    assert held["receipt"] in answer.json()["notices"][-1]["text"]
    assert len(await province.search("qn-general", "Patient?name=Nguyễn")) == 1
    assert await province.search("qn-general", "Observation?status=final") == []

"""Messages of many rows: a long one goes in as pieces, and a row that cannot be used spoils only itself.

A row set apart becomes a message of its own in quarantine, with its own receipt: it is looked at, corrected and tried
again as any other, while the rows beside it are stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from adapters.contract import Account, Fate, Piece, Resource, Translation
from adapters.settle import settle
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.problem import Issue
from fhir_gateway.store.port import Commit, Job, Note, Store

# As many rows as become one commit: a few hundred resources, a second or two of work.
MOST_ROWS = 100
APART = "set apart in quarantine as a message of its own"


@dataclass(frozen=True, slots=True)
class Apart:
    """A piece that could not be used, and why."""

    piece: Piece
    faults: tuple[Issue, ...]


def joined(parts: Sequence[tuple[Piece, Translation | None]]) -> Translation:
    """The translations of pieces as one, in order; the bytes of a piece that has none are accounted for as a whole."""
    entries: dict[str, Resource] = {}
    ledger: list[Account] = []
    united: set[str] = set()
    for piece, translation in parts:
        if translation is None:
            ledger.append(Account(piece.place, Fate.IGNORED, reason=APART, offset=None))
            continue
        for entry in translation.bundle["entry"]:
            before = entries.get(entry["fullUrl"])
            entries[entry["fullUrl"]] = _united(before, entry)
            if before is not None and before["resource"] != entry["resource"]:
                united.add(f"{entry['resource']['resourceType']}/{entry['resource']['id']}")
        ledger += [_moved(account, piece.shift) for account in translation.ledger]
    notices = tuple(notice for _, translation in parts if translation for notice in translation.notices)
    bundle: Resource = {"resourceType": "Bundle", "type": "transaction", "entry": list(entries.values())}
    settle(ledger if united else (), bundle, united)
    moves = tuple(move for _, translation in parts if translation for move in translation.moves)
    return Translation(bundle, tuple(ledger), notices, moves=moves)


def _united(before: Resource | None, entry: Resource) -> Resource:
    """One entry for a resource that several pieces speak of: what a later one says wins, what it omits stays."""
    if before is None or before["resource"] == entry["resource"]:
        return entry
    said, known = entry["resource"], before["resource"]
    # A row that knows a patient by number alone must not blank what another row said.
    less = said.items() <= known.items() or len(said) < len(known)
    return {**entry, "resource": {**said, **known} if less else {**known, **said}}


def _moved(account: Account, shift: int) -> Account:
    return account if account.offset is None else replace(account, offset=account.offset + shift)


def piece_receipt(whole: Receipt, piece: Piece) -> Receipt:
    """The receipt of a piece: the same again when the same whole is divided again."""
    name = f"{whole.key}|{piece.place}|".encode()
    return Receipt(
        whole.hospital,
        sha256(name + piece.body).hexdigest()[:32],
        sha256(piece.body).hexdigest(),
        piece.media_type,
        len(piece.body),
        whole.received,
        whole=whole.receipt,
        place=piece.place,
    )


def divided(
    receipt: Receipt, adapter: str, pieces: Sequence[Piece], now: datetime, order: int = 0
) -> tuple[Commit, Receipt]:
    """The commit by which a long message becomes messages of their own, and its receipt afterwards.

    Their turn comes before that of whatever was sent after the whole, whose job had this ``order``.
    """
    after = replace(
        receipt,
        state=State.DIVIDED,
        settled=now.isoformat(timespec="milliseconds"),
        adapter=adapter,
        pieces=len(pieces),
    )
    receipts = [piece_receipt(receipt, piece) for piece in pieces]
    notes = [note for row, piece in zip(receipts, pieces, strict=True) for note in _kept(row, piece)]
    notes.append(Note(inbox.SHELF, after.key, after.content(), expected={"state": str(State.RECEIVED)}, entire=True))
    jobs = [
        Job(
            f"{inbox.TRANSLATE}/{row.key}",
            inbox.TRANSLATE,
            row.hospital,
            inbox.AT_ONCE,
            {"receipt": row.receipt},
            order=order and order + place,
        )
        for place, row in enumerate(receipts, 1)
    ]
    return Commit(notes=tuple(notes), jobs=tuple(jobs), settled=(f"{inbox.TRANSLATE}/{receipt.key}",)), after


async def set_apart(
    store: Store, whole: Receipt, rows: Sequence[Apart], now: datetime
) -> tuple[list[Note], list[dict[str, str]]]:
    """The notes that keep rows in quarantine, and what the receipt of the whole says of them."""
    notes: list[Note] = []
    told: list[dict[str, str]] = []
    for row in rows:
        held = _quarantined(piece_receipt(whole, row.piece), row.faults, now)
        told.append(_told(held))
        if await store.note(inbox.SHELF, held.key) is None:
            notes += _kept(held, row.piece)
    return notes, told


def _quarantined(receipt: Receipt, faults: Sequence[Issue], now: datetime) -> Receipt:
    problems: tuple[Mapping[str, str], ...] = tuple(
        {"where": f.where or receipt.place, "text": f.text, "code": f.code} for f in faults
    )
    return replace(receipt, state=State.QUARANTINED, settled=now.isoformat(timespec="milliseconds"), problems=problems)


def kept_back(whole: Receipt, held: Sequence[Receipt]) -> tuple[Commit, Receipt]:
    """The commit by which the receipt of a divided message names its pieces in quarantine, and that receipt."""
    after = replace(whole, notices=tuple(map(_told, held)))
    state = {"state": str(State.DIVIDED)}
    return Commit(notes=(Note(inbox.SHELF, after.key, after.content(), expected=state, entire=True),)), after


def _told(held: Receipt) -> dict[str, str]:
    text = f"{held.place} is in quarantine as {held.receipt}: {held.problems[0]['text']}"
    return {"where": held.problems[0]["where"], "text": text}


def _kept(receipt: Receipt, piece: Piece) -> list[Note]:
    original: dict[str, Any] = {"media_type": piece.media_type, "body": piece.body, "received": receipt.received}
    return [
        Note(inbox.SHELF, receipt.key, receipt.content()),
        Note(inbox.ORIGINALS, receipt.key, original),
    ]

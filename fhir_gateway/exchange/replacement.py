"""A message that states a part of the record whole takes out what it no longer says: rows that a re-send dropped.

https://hl7.org/fhir/R4/http.html#delete

What a sender withdrew is deleted, not marked entered-in-error: the row may have been right and moved to another table,
and a mark would still be found and counted by every search. The deletion is a version; all earlier ones stay readable.
Untouched is what anything else still says: another part, another message, a case, a change made over REST.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.contract import Unit
from fhir_gateway.exchange.inbox import Receipt
from fhir_gateway.exchange.parts import RECEIPT, part_id
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.records.revision import deletion
from fhir_gateway.search import query as search
from fhir_gateway.store.port import Change, Note, Store, Version

SHELF = "units"
MOST_WITNESSES = "50"
WITHDRAWN = "the sender no longer states it: taken out of the current record, its history stays"


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a message withdraws, and the notes that say what it states now."""

    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()
    notices: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a subject as stored: what its last message made, and every message that ever stated it."""

    resources: tuple[str, ...]
    receipts: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        return {"resources": list(self.resources), "receipts": list(self.receipts)}


async def replaced(
    store: Store, receipt: Receipt, units: tuple[Unit, ...], made: Mapping[str, Any], now: datetime
) -> Replacement:
    """For all subjects of a message; ``made`` are the references of everything it makes."""
    subjects: dict[str, list[Unit]] = {}
    for unit in units:
        subjects.setdefault(unit.subject, []).append(unit)
    found = [await _subject(store, receipt, stated, made, now) for stated in subjects.values()]
    return Replacement(
        tuple(change for one in found for change in one.changes),
        tuple(note for one in found for note in one.notes),
        tuple(notice for one in found for notice in one.notices),
    )


async def _subject(
    store: Store, receipt: Receipt, units: list[Unit], made: Mapping[str, Any], now: datetime
) -> Replacement:
    key = f"{receipt.hospital}/{units[0].subject}"
    before = await store.note(SHELF, key)
    # One that is filed in its first turn is the latest, whatever a clock that was set back says.
    if before is not None and receipt.retries and str(before["received"]) > receipt.received:
        return Replacement()  # an older message that is filed late withdraws nothing
    known = {
        name: Part(tuple(p["resources"]), tuple(p["receipts"]))
        for name, p in (before or {"parts": {}})["parts"].items()
    }
    stated = {**known, **{unit.part: _restated(unit, known.get(unit.part), receipt.key) for unit in units}}
    still = {ref for part in stated.values() for ref in part.resources} | made.keys()
    dropped = {
        ref: known[unit.part].receipts
        for unit in units
        for ref in (known[unit.part].resources if unit.part in known else ())
        if ref not in still
    }
    gone = await _withdrawn(store, dropped)
    content = {"received": receipt.received, "last": receipt.key, "parts": {n: p.content() for n, p in stated.items()}}
    expected = {"last": before["last"]} if before is not None else None
    return Replacement(
        tuple(deletion(version, now) for version in gone),
        (Note(SHELF, key, content, expected=expected),),
        tuple({"where": version.reference, "text": WITHDRAWN} for version in gone),
    )


def _restated(unit: Unit, before: Part | None, receipt: str) -> Part:
    earlier = before or Part((), ())
    kept = () if unit.revises else earlier.resources
    return Part(tuple(dict.fromkeys((*kept, *unit.resources))), tuple(dict.fromkeys((*earlier.receipts, receipt))))


async def _withdrawn(store: Store, dropped: Mapping[str, tuple[str, ...]]) -> list[Version]:
    """Those of the dropped resources that nothing else speaks for."""
    current = await store.currents(sorted(dropped))
    gone = []
    for ref, version in current.items():
        if not version.deleted and await _only_theirs(store, version, dropped[ref]):
            gone.append(version)
    return gone


async def _only_theirs(store: Store, version: Version, receipts: tuple[str, ...]) -> bool:
    """Whether the resource was last written, and is vouched for, by messages about this part alone."""
    source = str(decode_resource(version.body).get("meta", {}).get("source", ""))
    if source not in {f"{RECEIPT}:{receipt}" for receipt in receipts}:
        return False
    if version.type == "ServiceRequest" and await store.current(f"Task/{part_id('task', version.id)}") is not None:
        return False  # a case follows it
    witnesses = await store.find(
        search.parse("Provenance", [("target", version.reference), ("_count", MOST_WITNESSES)])
    )
    named = {number for witness in witnesses for number in _receipts(decode_resource(witness.body))}
    return len(witnesses) < int(MOST_WITNESSES) and named <= set(receipts)


def _receipts(provenance: Mapping[str, Any]) -> list[str]:
    numbers = [entity.get("what", {}).get("identifier", {}) for entity in provenance.get("entity", ())]
    return [str(number.get("value")) for number in numbers if number.get("system") == RECEIPT]

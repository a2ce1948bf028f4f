"""Which parts of the record a message still speaks for, when a later one has restated them whole (``replacement``)."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.contract import Unit
from fhir_gateway.exchange.inbox import Receipt
from fhir_gateway.exchange.replacement import SHELF
from fhir_gateway.store.port import Note, Store


async def standing(store: Store, receipt: Receipt, units: Sequence[Unit]) -> tuple[frozenset[str], tuple[Note, ...]]:
    """The resources of parts that a later message restated, and the notes that say what the other parts hold now."""
    subjects: dict[str, list[Unit]] = {}
    for unit in units:
        subjects.setdefault(unit.subject, []).append(unit)
    restated: set[str] = set()
    notes = []
    for subject, stated in subjects.items():
        key = f"{receipt.hospital}/{subject}"
        found = await store.note(SHELF, key)
        if found is None:
            continue
        theirs = [unit for unit in stated if not _is_last(found, unit, receipt)]
        restated |= {ref for unit in theirs for ref in unit.resources}
        own = {unit.part: [*unit.resources] for unit in stated if unit not in theirs}
        parts = {name: {**part, "resources": own.get(name, part["resources"])} for name, part in found["parts"].items()}
        if parts != found["parts"]:
            notes.append(Note(SHELF, key, {"parts": parts}, expected={"last": found["last"]}))
    return frozenset(restated), tuple(notes)


def _is_last(found: Mapping[str, Any], unit: Unit, receipt: Receipt) -> bool:
    part = found["parts"].get(unit.part)
    return part is not None and bool(part["receipts"]) and part["receipts"][-1] == receipt.key

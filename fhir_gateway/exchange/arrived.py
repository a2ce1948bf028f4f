"""The messages of a hospital by the day they came, newest first."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.completeness import Day, rows_of
from fhir_gateway.exchange.inbox import Receipt, receipt_of
from fhir_gateway.store.port import Store

COLUMNS = ("receipt", "received", "state", "whole")
AT_ONCE = 16

Page = tuple[list[Receipt], str]


async def arrived(store: Store, hospital: str, day: Day, wanted: dict[str, str], limit: int) -> Page:
    """A page of receipts, and where the next one begins, empty after the last.

    ``wanted`` are the filters: ``state``, ``whole``, and ``after``, where the page before ended.
    """
    asked = {name: value for name, value in wanted.items() if name in ("state", "whole")}
    rows = await rows_of(store, inbox.SHELF, hospital, day, COLUMNS)
    met = [row for row in rows if all(row.get(name, "") == value for name, value in asked.items())]
    places = sorted((f"{row['received']}/{row['receipt']}" for row in met), reverse=True)
    if "after" in wanted:
        places = [place for place in places if place < wanted["after"]]
    found = await _notes(store, [f"{hospital}/{place.partition('/')[2]}" for place in places[:limit]])
    following = places[limit - 1] if len(places) > limit else ""
    return [receipt_of(content) for content in found if content is not None], following


async def _notes(store: Store, keys: Sequence[str]) -> list[Mapping[str, Any] | None]:
    found: list[Mapping[str, Any] | None] = []
    for at in range(0, len(keys), AT_ONCE):
        found += await asyncio.gather(*(store.note(inbox.SHELF, key) for key in keys[at : at + AT_ONCE]))
    return found

"""All wanted messages mapped again, in the order they came; it goes on where it was interrupted, and its counts add up.

The place on the way and the counts stand in a note, which is written in the commit of the message they are about.
"""

import json
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any

from fhir_gateway.exchange import ledgers, mapping, replay
from fhir_gateway.exchange.difference import Edit
from fhir_gateway.exchange.inbox import Receipt
from fhir_gateway.exchange.remapping import Outcome, Remapped, Remapping
from fhir_gateway.exchange.replay import Wanted
from fhir_gateway.fhir.element_path import covers, written
from fhir_gateway.problem import Conflict
from fhir_gateway.records.desk import attempts
from fhir_gateway.store.port import Commit, Note

SHELF = "remaps"
FLUSH = 100
NO_RULE = "no rule of today"


@dataclass(slots=True)
class Counts:
    """What became of the messages so far."""

    unchanged: int = 0
    changed: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def messages(self) -> int:
        return self.unchanged + self.changed + self.failed + self.skipped

    def add(self, outcome: Outcome) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)


Place = tuple[str, str]


@dataclass(slots=True)
class Sweep:
    """One run over what ``wish`` meets. Without ``commit`` nothing is written, not even how far it is."""

    remapping: Remapping
    wish: Wanted
    commit: bool
    counts: Counts = field(default_factory=Counts)
    total: int = 0
    resumed: int = 0
    _kept: int = 0
    _until: str = ""

    async def run(self) -> AsyncIterator[Remapped]:
        """Each message with what it came to. Raises Conflict when another run is at the same work."""
        place = await self._opened()
        listed = await self._listed()
        self.total, self.resumed = len(listed), self.counts.messages
        last = place
        for last in listed[bisect_right(listed, place) :]:
            yield await self._one(last)
        if self.commit:
            await self._keep(last, finished=True)

    async def _listed(self) -> list[Place]:
        """Time of arrival and key of each message, oldest first: as many on a second run as on the first."""
        wish = replace(self.wish, until=min(filter(None, (self.wish.until, self._until))))
        store = self.remapping.house.store
        return sorted([(receipt.received, receipt.key) async for receipt in replay.found(store, wish)])

    async def _one(self, place: Place) -> Remapped:
        async for _ in attempts():
            receipt = await self._receipt(place)
            remapped = await self.remapping.of(receipt)
            counts = replace(self.counts)
            counts.add(remapped.outcome)
            with suppress(Conflict):
                if self.commit and (remapped.commit or counts.messages - self._kept >= FLUSH):
                    commit = remapped.commit or Commit()
                    note = self._note(place, counts, finished=False)
                    await self.remapping.house.store.commit(replace(commit, notes=(*commit.notes, note)))
                    self._kept = counts.messages
                self.counts = counts
                return remapped
        raise Conflict("another run maps these messages again, or other writers were faster every time")

    async def _receipt(self, place: Place) -> Receipt:
        hospital, _, number = place[1].partition("/")
        return await self.remapping.letters.receipt(hospital, number)

    async def _opened(self) -> Place:
        """Where to begin: after the last message of a run that was interrupted, else before the first."""
        store, now = self.remapping.house.store, self.remapping.house.clock()
        self._until = now.isoformat(timespec="milliseconds")
        if not self.commit:
            return ("", "")
        found = await store.note(SHELF, self.key)
        if found is not None and not found["finished"]:
            self.counts, self._kept, self._until = Counts(**found["counts"]), found["done"], found["until"]
            return (found["place"][0], found["place"][1])
        fresh = self._content(("", ""), self.counts, finished=False)
        expected = {"finished": True} if found is not None else None
        await store.commit(Commit(notes=(Note(SHELF, self.key, fresh, expected),)))
        return ("", "")

    @property
    def key(self) -> str:
        """The same for the same wish under the same mapping."""
        hospitals = self.remapping.house.directory.hospitals.values()
        named = [asdict(self.wish), mapping.versions(self.remapping.adapters, hospitals), self.remapping.thorough]
        return sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:32]

    def _content(self, place: Place, counts: Counts, finished: bool) -> dict[str, Any]:
        told = {"counts": asdict(counts), "done": counts.messages, "place": list(place)}
        return {**told, "until": self._until, "finished": finished}

    def _note(self, place: Place, counts: Counts, finished: bool) -> Note:
        content = self._content(place, counts, finished)
        return Note(SHELF, self.key, content, expected={"done": self._kept, "finished": False})

    async def _keep(self, place: Place, finished: bool) -> None:
        note = self._note(place, self.counts, finished)
        await self.remapping.house.store.commit(Commit(notes=(note,)))
        self._kept = self.counts.messages


async def by_rule(remapping: Remapping, remapped: Remapped) -> list[tuple[Edit, str]]:
    """Each difference with the mapping function that makes it today."""
    receipt = remapped.receipt
    adapter = remapped.translated.adapter if remapped.translated else receipt.adapter
    hospital = remapping.house.directory.hospital(receipt.hospital)
    message = await ledgers.opened(remapping.letters, {}, receipt)
    message = replace(message, receipt=replace(receipt, adapter=adapter))
    rules = await ledgers.rules(remapping.adapters, hospital, message)
    ways = [(*target.split("#", 1), rule) for (_, target), rule in rules.items()]
    return [(edit, _rule(edit, ways)) for edit in remapped.edits]


def _rule(edit: Edit, ways: list[tuple[str, ...]]) -> str:
    path = written(edit.path)
    meant = (rule for ref, target, rule in ways if ref == edit.reference and covers(written(target), path))
    return next(meant, NO_RULE)

"""Where an element of a record came from: the messages that made its current version, field by field.

https://hl7.org/fhir/R4/provenance.html

A shared resource is completed by many messages. Its history names them; their ledgers say which field went where.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_gateway.exchange import ledgers
from fhir_gateway.exchange.completion import MERGED_LISTS, SHARED, row_identity
from fhir_gateway.exchange.directory import Directory
from fhir_gateway.exchange.inbox import Inbox, Receipt
from fhir_gateway.exchange.ledgers import Opened, Row
from fhir_gateway.exchange.parts import RECEIPT
from fhir_gateway.exchange.translation import Adapters
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.element_path import Step, covers, values, written
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import NotFound
from fhir_gateway.store.port import Store, Version

MOST_VERSIONS = 200
MOST_MESSAGES = 25


@dataclass(frozen=True, slots=True)
class Origin:
    """One source field that is in the current version: ``path`` is where it lies there, ``row`` its ledger line.

    ``rule`` is empty where the mapping in force no longer does what the one of that day did.
    """

    path: str
    receipt: Receipt
    row: Row
    control: str
    rule: str


@dataclass(frozen=True, slots=True)
class Origins:
    """Answers for one gateway."""

    store: Store
    letters: Inbox
    adapters: Adapters
    directory: Directory

    async def of(self, version: Version, steps: Sequence[Step]) -> list[Origin]:
        """What made the elements at or below ``steps`` in the current version, newest message first.

        What went to an element around them (the type of a value) comes after what went to them.
        """
        current = decode_resource(version.body)
        found: list[Origin] = []
        async for then, receipt in self._messages(version):
            message = await ledgers.opened(self.letters, self.adapters, receipt, f"{version.reference}#")
            told = _lines(message, version.reference, (then, current), steps)
            lines = sorted(told, key=lambda line: len(written(line[0])) < len(steps))
            found += await self._told(message, lines)
            if version.type not in SHARED:
                break
        return found

    async def nearest(self, version: Version, steps: Sequence[Step]) -> list[Origin]:
        """As ``of``; where no field went to the element itself, what went to the smallest element around it.

        A standard coding that a table added, or a unit's code, is made from the fields beside it.
        """
        found = await self.of(version, steps)
        if not found and any(True for _ in values(decode_resource(version.body), steps)):
            while not found and len(steps) > 1:
                steps = steps[:-1]
                found = await self.of(version, steps)
        return found

    async def _messages(self, version: Version) -> AsyncIterator[tuple[Resource, Receipt]]:
        """The messages behind the history, newest first, each with the newest version it wrote."""
        met: dict[str, None] = {}
        for past in await self.store.versions(version.reference, None, MOST_VERSIONS):
            then = decode_resource(past.body) if past.body else {}
            key = source_of(then)
            if not key or key in met or len(met) == MOST_MESSAGES:
                continue
            met[key] = None
            hospital, _, number = key.partition("/")
            try:
                yield then, await self.letters.receipt(hospital, number)
            except NotFound:  # a client's own words in meta.source
                continue

    async def _told(self, message: Opened, lines: list[tuple[str, str, Row]]) -> list[Origin]:
        hospital = self.directory.hospitals.get(message.receipt.hospital)
        if not lines or hospital is None:
            return [Origin(path, message.receipt, row, "", "") for path, _, row in lines]
        rules = await ledgers.rules(self.adapters, hospital, message)
        return [
            Origin(
                path,
                message.receipt,
                row,
                ledgers.control_number(self.adapters, message, row.get("offset")),
                rules.get((row["place"], target), ""),
            )
            for path, target, row in lines
        ]


def source_of(resource: Mapping[str, Any]) -> str:
    """``hospital/receipt`` of the message that wrote a version; empty when no message did."""
    source = str(resource.get("meta", {}).get("source", ""))
    return source.removeprefix(f"{RECEIPT}:") if source.startswith(f"{RECEIPT}:") else ""


def _lines(
    message: Opened, reference: str, versions: tuple[Resource, Resource], steps: Sequence[Step]
) -> list[tuple[str, str, Row]]:
    """(path now, target, ledger line) of each field of the message that the current version still says."""
    found = []
    for row in message.rows:
        for target in row["targets"]:
            record, _, path = target.partition("#")
            if record != reference:
                continue
            now = _path_now(path, *versions)
            if now is not None and covers(written(now), steps):
                found.append((now, target, row))
    return found


def _path_now(path: str, then: Resource, current: Resource) -> str | None:
    """Where the value that a message put at ``path`` lies now; None when another has taken its place."""
    steps = written(path)
    said = list(values(then, steps))
    if then == current or not said:
        return path if then == current else None
    moved = _moved(path, steps, then, current)
    return moved if any(value in said for value in values(current, written(moved))) else None


def _moved(path: str, steps: Sequence[Step], then: Resource, current: Resource) -> str:
    """The path with its row's index of today, in a list that messages add to."""
    name = steps[0].names[0] if steps else ""
    if name not in MERGED_LISTS or steps[0].index is None:
        return path
    rows = then.get(name, [])
    wanted = row_identity(rows[steps[0].index]) if steps[0].index < len(rows) else None
    today = [row_identity(row) for row in current.get(name, [])]
    return f"{name}[{today.index(wanted)}]{path.partition(']')[2]}" if wanted in today else path

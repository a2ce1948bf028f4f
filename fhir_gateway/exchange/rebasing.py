"""A message mapped again, laid under what later messages said: only what no one said anew since is changed.

The versions of a record tell what stood before the message, what it made of that, and what came after. What the message
says today is folded into what stood before it, as it was then; the difference to what it made of it then is carried
over to today's version, element by element.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fhir_gateway.exchange.completion import MERGED_LISTS, SHARED, is_same, row_identity
from fhir_gateway.exchange.inbox import Receipt
from fhir_gateway.exchange.parts import RECEIPT
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.store.port import Store, Version

PAGE = 50


@dataclass(frozen=True, slots=True)
class Past:
    """The versions of one record, oldest first, around one message: before it, its own first one, and the newest."""

    base: Version | None
    own: Version | None
    versions: tuple[Version, ...]
    wrote: Callable[[Version], bool]

    @property
    def newest(self) -> Version:
        return self.versions[-1]


async def pasts(store: Store, references: Sequence[str], receipt: Receipt) -> dict[str, Past]:
    """The past of each record that has one."""
    currents = await store.currents(list(references))
    return {ref: _past(await _history(store, version, receipt.settled), receipt) for ref, version in currents.items()}


async def _history(store: Store, newest: Version, settled: str) -> tuple[Version, ...]:
    """The versions from the last one before the message on, oldest first."""
    found = [newest]
    while found[-1].number > 1 and moment(found[-1]) >= settled:
        page = await store.versions(newest.reference, found[-1].number, PAGE)
        if not page:
            break
        found += page
    return tuple(reversed(found))


def moment(version: Version) -> str:
    return version.updated.isoformat(timespec="milliseconds")


def _past(versions: tuple[Version, ...], receipt: Receipt) -> Past:
    # A client that sends a record back sends its meta.source too: the time tells its version from the message's own.
    source, times = f"{RECEIPT}:{receipt.key}", (receipt.settled, *receipt.remapped)

    def wrote(version: Version) -> bool:
        return moment(version) in times and source_of(version) == source

    own = next((v for v in versions if wrote(v)), None)
    if own is not None:
        base = next((v for v in reversed(versions) if v.number < own.number), None)
    else:
        base = next((v for v in reversed(versions) if moment(v) <= receipt.settled), None)
    return Past(base, own, versions, wrote)


def source_of(version: Version) -> str:
    return "" if version.deleted else str(decode_resource(version.body).get("meta", {}).get("source", ""))


def rebased(said: Resource, past: Past | None) -> Resource | None:
    """What the record should say now; None where it is to be left alone. ``said`` is folded into the base already."""
    if past is None:
        return said
    if past.newest.deleted:
        return None
    newest = decode_resource(past.newest.body)
    if said["resourceType"] not in SHARED:
        # What one message says alone was replaced as a whole by whoever wrote it after this one.
        return said if past.wrote(past.newest) and not is_same(said, newest) else None
    merged = _carried_over(said, newest, past)
    return None if is_same(merged, newest) else merged


def _carried_over(said: Resource, newest: Resource, past: Past) -> Resource:
    then = past.own or past.base
    made = decode_resource(then.body) if then is not None and not then.deleted else {}
    merged = dict(newest)
    for name in {**made, **said, **newest}:
        if name == "meta" or newest.get(name) == said.get(name):
            continue
        value: Any
        if name in MERGED_LISTS:
            value = _rows(newest.get(name, []), [*made.get(name, []), *_brought(name, past)], said.get(name, []))
        elif _is_own(name, newest.get(name), past):
            value = said.get(name)
        else:
            continue
        merged = {**merged, name: value} if value else {n: v for n, v in merged.items() if n != name}
    return {**merged, "meta": {**newest.get("meta", {}), "source": said["meta"]["source"]}}


def _rows(newest: list[Any], made: list[Any], said: list[Any]) -> list[Any]:
    """Rows the message no longer gives go, those it gives only now come; what others added or took away stays."""
    given, before = [row_identity(row) for row in said], [row_identity(row) for row in made]
    kept = [row for row in newest if row_identity(row) not in before or row_identity(row) in given]
    told = {row_identity(row): row for row in said}
    changed = {row_identity(row): row for row in said if row not in made}
    return [
        *(row for name, row in told.items() if name not in before and name not in [row_identity(k) for k in kept]),
        *(changed.get(row_identity(row), row) for row in kept),
    ]


def _brought(name: str, past: Past) -> list[Any]:
    """The rows that later mappings of the message added, beyond what stood there already."""
    found: list[Any] = []
    for before, version in pairwise(past.versions):
        if past.wrote(version) and version != past.own and not before.deleted:
            known = decode_resource(before.body).get(name, [])
            found += [row for row in decode_resource(version.body).get(name, []) if row not in known]
    return found


def _is_own(name: str, value: Any, past: Past) -> bool:
    """Whether nobody else said this element since the message: its value is as old as the message, or is its own."""
    first = past.own or past.base
    origin: Version | None = None
    for version in reversed(past.versions):
        if version.deleted or decode_resource(version.body).get(name) != value:
            break
        origin = version
    if origin is None:
        return True
    return past.wrote(origin) or (first is not None and origin.number <= first.number)


def bases(past: Mapping[str, Past]) -> dict[str, Version]:
    """What stood before the message."""
    return {ref: one.base for ref, one in past.items() if one.base is not None}

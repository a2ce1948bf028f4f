"""Files of resources on their way in: NDJSON by the line, Bundles by the entry, plain or compressed.

https://hl7.org/fhir/R4/nd-json.html

A file becomes parcels: what is stored together. A transaction is one parcel, whatever its size; everything else is cut
into parcels of a size that keeps memory bounded.
"""

import bz2
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast
from uuid import NAMESPACE_URL, uuid5

from fhir_gateway.fhir.codec import decode_resource, encode
from fhir_gateway.fhir.reference import parse
from fhir_gateway.fhir.resource import Resource, is_id
from fhir_gateway.problem import Issue, Malformed, Problem, TooLarge

PARCEL = 200
PARCEL_BYTES = 2 * 2**20
LINE_BYTES = 16 * 2**20
BUNDLE_BYTES = 256 * 2**20
UNPACKED = frozenset({"transaction", "batch", "collection", "searchset"})
SUFFIXES = (".ndjson", ".json")
COMPRESSED = frozenset({".gz", ".bz2"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource. ``number`` is its line, or its place among the Bundle's entries, from 1.

    ``condition`` is the search that has to find nothing if it is to be created (``ifNoneExist``).
    """

    number: int
    resource: Resource
    full_url: str = ""
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that is not stored, and why."""

    number: int
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is stored together. ``whole``: all or nothing; ``behind`` is the number of the last entry it covers.

    ``names`` are the references that the full URLs of the Bundle stand for, those of other parcels included.
    """

    entries: Sequence[Entry] = ()
    refusals: Sequence[Refusal] = ()
    behind: int = 0
    whole: bool = False
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Heap:
    """Entries on their way into a parcel; full by number, by size, or when a resource comes a second time."""

    entries: list[Entry] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    size: int = 0
    _seen: set[str] = field(default_factory=set)

    def takes(self, found: Entry | Refusal) -> bool:
        return not isinstance(found, Entry) or reference(found) not in self._seen

    def add(self, found: Entry | Refusal, size: int) -> None:
        self.size += size
        if isinstance(found, Refusal):
            self.refusals.append(found)
            return
        self.entries.append(found)
        self._seen.add(reference(found))

    @property
    def full(self) -> bool:
        return len(self.entries) + len(self.refusals) >= PARCEL or self.size > PARCEL_BYTES

    def parcel(self, behind: int, names: Mapping[str, str]) -> Parcel:
        """All of it as a parcel; the heap is empty then."""
        done = Parcel(self.entries, self.refusals, behind, names=names)
        self.entries, self.refusals, self.size, self._seen = [], [], 0, set()
        return done


def reference(entry: Entry) -> str:
    """``Type/id``: of its own id, that of its urn:uuid, or one made of its content."""
    resource = entry.resource
    own = resource.get("id")
    named = entry.full_url.removeprefix("urn:uuid:")
    if own is None:
        is_named = named != entry.full_url and is_id(named)
        own = named if is_named else uuid5(NAMESPACE_URL, encode(resource).decode())
    return f"{resource['resourceType']}/{own}"


def is_source(path: Path) -> bool:
    """Whether the name says that resources are in it."""
    plain = path.with_suffix("") if path.suffix in COMPRESSED else path
    return plain.suffix in SUFFIXES


def files(folder: Path) -> list[Path]:
    """The sources in a folder and below it, by name; a file stands for itself."""
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*") if path.is_file() and is_source(path))


def parcels(path: Path, behind: int = 0) -> Iterator[Parcel]:
    """What is in the file behind entry number ``behind``; a file that cannot be read is a refusal."""
    plain = path.with_suffix("") if path.suffix in COMPRESSED else path
    try:
        with _opened(path) as file:
            yield from (_lines(file, behind) if plain.suffix == ".ndjson" else _document(file, behind))
    except (OSError, EOFError, zlib.error) as error:
        issue = Issue(f"the file cannot be read to its end: {type(error).__name__}", None, "incomplete")
        yield Parcel([], [Refusal(behind + 1, (issue,))], behind)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return cast(IO[bytes], bz2.open(path, "rb")) if path.suffix == ".bz2" else path.open("rb")


def _lines(file: IO[bytes], behind: int) -> Iterator[Parcel]:
    heap, number = _Heap(), behind
    for number, line in enumerate(_texts(file), start=1):
        if number <= behind or not line.strip():
            continue
        found = _read(number, line)
        unpacked = isinstance(found, Entry) and _kind(found.resource) in ("transaction", "batch")
        if unpacked or not heap.takes(found):
            yield heap.parcel(number - 1, {})
        if isinstance(found, Entry) and unpacked:
            yield from _unpacked(found.resource, number)
        else:
            heap.add(found, len(line))
        if heap.full:
            yield heap.parcel(number, {})
    yield heap.parcel(number, {})


def _texts(file: IO[bytes]) -> Iterator[bytes]:
    """Lines; of one that is too long only the beginning, which is no JSON."""
    while line := file.readline(LINE_BYTES):
        rest = line
        while len(rest) == LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(LINE_BYTES)
        yield line


def _read(number: int, line: bytes) -> Entry | Refusal:
    try:
        if len(line) >= LINE_BYTES:
            raise TooLarge(f"a line may have {LINE_BYTES} bytes")
        return Entry(number, decode_resource(line))
    except Problem as problem:
        return Refusal(number, problem.issues)


def _kind(resource: Resource) -> str:
    """The type of a Bundle that is a parcel of resources, empty for everything that is stored as it is."""
    kind = resource.get("type") if resource["resourceType"] == "Bundle" else ""
    return kind if isinstance(kind, str) and kind in UNPACKED else ""


def _document(file: IO[bytes], behind: int) -> Iterator[Parcel]:
    """A JSON file: a Bundle that is unpacked, or one resource."""
    text = file.read(BUNDLE_BYTES + 1)
    try:
        if len(text) > BUNDLE_BYTES:
            raise TooLarge(f"a JSON file may have {BUNDLE_BYTES} bytes; write NDJSON instead")
        resource = decode_resource(text)
        del text
        if not _kind(resource):
            yield from [Parcel([Entry(1, resource)], [], 1)] if behind < 1 else []
            return
        yield from _cut(resource, behind)
    except Problem as problem:
        yield Parcel([], [Refusal(1, problem.issues)], 1)


def _unpacked(bundle: Resource, number: int) -> Iterator[Parcel]:
    """A Bundle in a line: its entries all stand for the line, which is done with the last of them."""
    try:
        for parcel in _cut(bundle, 0):
            entries = [replace(one, number=number) for one in parcel.entries]
            refusals = [replace(one, number=number) for one in parcel.refusals]
            yield replace(parcel, entries=entries, refusals=refusals, behind=number - 1)
    except Problem as problem:
        yield Parcel([], [Refusal(number, problem.issues)], number - 1)
    yield Parcel(behind=number)


def _cut(bundle: Resource, behind: int) -> Iterator[Parcel]:
    listed = bundle.get("entry", [])
    if not isinstance(listed, list):
        raise Malformed("entry must be a list of objects", "Bundle.entry")
    found = [_entry(number, entry) for number, entry in enumerate(listed, start=1)]
    entries = [one for one in found if isinstance(one, Entry)]
    if bundle["type"] == "transaction":
        refusals = [one for one in found if isinstance(one, Refusal)]
        yield from [Parcel(entries, refusals, len(found), True, _names(entries))] if behind < len(found) else []
        return
    heap, names = _Heap(), _names(entries)
    for one in found[behind:]:
        if heap.full or not heap.takes(one):
            yield heap.parcel(one.number - 1, names)
        heap.add(one, 0)
    yield heap.parcel(len(found), names)


def _names(entries: Sequence[Entry]) -> dict[str, str]:
    """What entries are called inside the Bundle; a conditional one is known only when its condition was looked at."""
    names: dict[str, str] = {}
    for entry in entries:
        if entry.full_url and not entry.condition:
            names |= called(entry, reference(entry))
    return names


def called(entry: Entry, target: str) -> dict[str, str]:
    """The names by which other entries may call what is stored as ``target``."""
    full = parse(entry.full_url)
    known = full.form == "absolute" and full.type == entry.resource["resourceType"]
    return {entry.full_url: target} | ({full.reference: target} if known else {})


def _entry(number: int, entry: Any) -> Entry | Refusal:
    where = f"Bundle.entry[{number - 1}]"
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return Refusal(number, (Issue("the entry has no resource", f"{where}.resource", "required"),))
    request = entry.get("request", {})
    method = request.get("method", "PUT") if isinstance(request, dict) else ""
    if method not in ("PUT", "POST"):
        return Refusal(number, (Issue("an import takes PUT and POST", f"{where}.request.method", "not-supported"),))
    condition = request.get("ifNoneExist", "") or _query(request.get("url"))
    full_url = entry.get("fullUrl", "")
    if not isinstance(condition, str) or not isinstance(full_url, str):
        return Refusal(number, (Issue("fullUrl and ifNoneExist are strings", where, "structure"),))
    return Entry(number, resource, full_url, condition)


def _query(url: Any) -> str:
    return url.partition("?")[2] if isinstance(url, str) else ""

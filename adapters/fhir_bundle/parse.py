"""The bytes of FHIR JSON as entries: a Bundle, a single resource, or NDJSON with one of either a line.

https://hl7.org/fhir/R4/json.html
"""

from dataclasses import dataclass
from typing import Any

from adapters.contract import Resource, Untranslatable
from adapters.json_text import Leaf, Value, values
from adapters.ruler import Ruler

TAKEN = ("transaction", "batch", "collection", "document", "searchset")
WHOLE = ("transaction", "document")
_METHODS = "only what adds or updates a record (POST, PUT) is taken here; the rest over /fhir"


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource as it was sent. ``place`` is its FHIRPath in the message, ``inside`` its path among the leaves.

    ``fault`` is why it cannot be taken at all; the entries beside it may be.
    """

    place: str
    inside: str
    resource: Resource
    url: str
    request: Resource
    span: tuple[int, int]
    fault: Untranslatable | None = None


@dataclass(frozen=True, slots=True)
class Pointer:
    """An entry without a resource that only tells what a fullUrl stands for (``link`` with relation self)."""

    url: str
    self: str


@dataclass(frozen=True, slots=True)
class Line:
    """One top-level value of the message and its entries, of a Bundle of ``kind``; empty for a resource alone."""

    value: Value
    kind: str
    label: str
    entries: tuple[Entry, ...]
    pointers: tuple[Pointer, ...] = ()

    def place(self, leaf: Leaf) -> str:
        """Where a leaf stands: ``Bundle.entry[0].resource.id``, with the line before it in NDJSON."""
        return f"{self.label}.{leaf.path}"


@dataclass(frozen=True, slots=True)
class Sent:
    """The whole message."""

    text: str
    ruler: Ruler
    lines: tuple[Line, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for line in self.lines for entry in line.entries)

    @property
    def divisible(self) -> bool:
        """Whether no resource needs another to be stored with it."""
        return all(line.kind not in WHOLE for line in self.lines) and len(self.entries) > 1


def parse(body: bytes, first: int, form: str) -> Sent:
    """The entries. ``first`` is the number of the first entry or line where this is a piece of a message of ``form``.

    Raises Untranslatable with a place.
    """
    start = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    try:
        text = body[start:].decode("utf-8")
    except UnicodeDecodeError as fault:
        raise Untranslatable("FHIR JSON is UTF-8, and this byte is not", f"byte {start + fault.start}") from fault
    found = list(values(text))
    many = len(found) > 1
    lines = tuple(_line(value, n, many, (first, form)) for n, value in enumerate(found, 1))
    sent = Sent(text, Ruler(text, "utf-8", start), lines)
    if not sent.entries:
        raise Untranslatable("the message holds no resource", lines[0].label if lines else "message")
    return sent


def _line(value: Value, number: int, many: bool, piece: tuple[int, str]) -> Line:
    resource = value.value
    label = f"line {number}: " if many else ""
    if not isinstance(resource, dict):
        raise Untranslatable("a resource is a JSON object", label.rstrip(": ") or "message")
    kind = resource.get("resourceType")
    if kind != "Bundle":
        name = f"{label}{kind if isinstance(kind, str) and kind.isalpha() else 'resource'}"
        return Line(value, "", name, (Entry(name, "", resource, "", {}, (value.start, value.end)),))
    return _bundle(value, label, piece)


def _bundle(value: Value, label: str, piece: tuple[int, str]) -> Line:
    bundle, name = value.value, f"{label}Bundle"
    kind = bundle.get("type")
    if kind not in TAKEN:
        raise Untranslatable(f"a Bundle of type {', '.join(TAKEN)} is taken here", f"{name}.type")
    listed = bundle.get("entry", [])
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
        raise Untranslatable("entry must be a list of objects", f"{name}.entry")
    first, form = piece
    entries, pointers = [], []
    for n, row in enumerate(listed):
        at = f"line {first + n}: {_type(row)}" if form == "lines" else f"{name}.entry[{first + n}].resource"
        if "resource" not in row and "link" in row and "fullUrl" in row:
            pointers.append(Pointer(str(row["fullUrl"]), _self(row["link"])))
        elif not _is_outcome(row):
            entries.append(_entry(row, (at, f"entry[{n}]"), value))
    return Line(value, kind, name, tuple(entries), tuple(pointers))


def _self(links: Any) -> str:
    found = [link.get("url") for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    return str(found[0]) if found else ""


def _is_outcome(row: dict[str, Any]) -> bool:
    """What a search says about itself is no record."""
    search = row.get("search")
    return isinstance(search, dict) and search.get("mode") == "outcome"


def _type(row: dict[str, Any]) -> str:
    kind = row["resource"].get("resourceType") if isinstance(row.get("resource"), dict) else None
    return kind if isinstance(kind, str) and kind.isalpha() else "resource"


def _entry(row: dict[str, Any], at: tuple[str, str], value: Value) -> Entry:
    place, inside = at
    request = row.get("request", {})
    method = request.get("method", "PUT") if isinstance(request, dict) else ""
    resource, fault = row.get("resource"), None
    if not isinstance(resource, dict):
        fault, resource = Untranslatable("the entry has no resource", place), {}
    if method not in ("PUT", "POST"):
        where = place.removesuffix(".resource") + ".request.method"
        fault = Untranslatable(_METHODS, where)
    url, span = str(row.get("fullUrl", "")), value.spans[inside]
    return Entry(place, f"{inside}.resource", resource, url, request, span, fault)

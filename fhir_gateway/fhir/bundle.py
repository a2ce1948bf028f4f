"""Bundles that answer: stored JSON texts joined into one, without decoding any of them.

https://hl7.org/fhir/R4/bundle.html
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.resource import instant


@dataclass(frozen=True, slots=True)
class Response:
    """Bundle.entry.response. ``outcome`` is the JSON text of an OperationOutcome."""

    status: str
    location: str = ""
    etag: str = ""
    modified: datetime | None = None
    outcome: bytes = b""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``body`` is the stored text, empty when there is none; ``request`` is (method, url).

    ``told`` are extensions of its search part.
    """

    body: bytes = b""
    full_url: str = ""
    mode: str = ""
    request: tuple[str, str] | None = None
    response: Response | None = None
    told: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the entries; ``links`` are (relation, url)."""

    total: int | None = None
    links: Sequence[tuple[str, str]] = ()
    id: str = ""
    timestamp: datetime | None = None


_PLAIN = Header()


def searchset(entries: Iterable[Entry], header: Header = _PLAIN) -> bytes:
    return assemble("searchset", entries, header)


def history(entries: Iterable[Entry], header: Header = _PLAIN) -> bytes:
    return assemble("history", entries, header)


def transaction_response(entries: Iterable[Entry], header: Header = _PLAIN) -> bytes:
    return assemble("transaction-response", entries, header)


def batch_response(entries: Iterable[Entry], header: Header = _PLAIN) -> bytes:
    return assemble("batch-response", entries, header)


def assemble(kind: str, entries: Iterable[Entry], header: Header = _PLAIN) -> bytes:
    """The JSON text of a Bundle of ``kind``."""
    head = encode(_head(kind, header))
    texts = [_entry(entry) for entry in entries]
    return b"%b,%b}" % (head[:-1], b'"entry":[' + b",".join(texts) + b"]") if texts else head


def _head(kind: str, header: Header) -> dict[str, Any]:
    head: dict[str, Any] = {"resourceType": "Bundle"}
    if header.id:
        head["id"] = header.id
    head["type"] = kind
    if header.timestamp is not None:
        head["timestamp"] = instant(header.timestamp)
    if header.total is not None:
        head["total"] = header.total
    if header.links:
        head["link"] = [{"relation": relation, "url": url} for relation, url in header.links]
    return head


def _entry(entry: Entry) -> bytes:
    parts = []
    if entry.full_url:
        parts.append(b'"fullUrl":' + encode(entry.full_url))
    if entry.body:
        parts.append(b'"resource":' + entry.body)
    if entry.mode:
        parts.append(_told(entry) if entry.told else _mode(entry.mode))
    if entry.request:
        parts.append(b'"request":' + encode({"method": entry.request[0], "url": entry.request[1]}))
    if entry.response:
        parts.append(b'"response":' + _response(entry.response))
    return b"{" + b",".join(parts) + b"}"


def _told(entry: Entry) -> bytes:
    return b'"search":' + encode({"extension": list(entry.told), "mode": entry.mode})


@cache
def _mode(mode: str) -> bytes:
    return b'"search":' + encode({"mode": mode})


def _response(response: Response) -> bytes:
    element = {"status": response.status, "location": response.location, "etag": response.etag}
    if response.modified is not None:
        element["lastModified"] = instant(response.modified)
    text = encode({name: value for name, value in element.items() if value})
    return text[:-1] + b',"outcome":' + response.outcome + b"}" if response.outcome else text

"""The place in a search where a page ended: opaque, signed, valid only for the search that it came from.

https://hl7.org/fhir/R4/http.html#paging

The next page begins behind the values of the last record, not after a number of records: what is written meanwhile
neither repeats nor hides a record that did not change.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.controls import ITERATED, Sort
from fhir_gateway.search.criteria import UNIT, whole
from fhir_gateway.search.kinds import near
from fhir_gateway.search.query import Query

CURSOR = "_cursor"
PURPOSE = b"search cursor"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAGING = frozenset({"_count", "_format", "_pretty", "_total", "_include", "_revinclude", "_explain"}) | ITERATED
_TAG_BYTES = 16


def needs_index(query: Query) -> bool:
    """Whether ``position`` reads the record's search keys; reference and time alone tell it otherwise."""
    return any(sort.field in ("keys", "spans", "places") for sort in query.order)


def position(query: Query, reference: str, updated: datetime, index: Mapping[str, Any]) -> tuple[str | float, ...]:
    """A record's values in the query's order. ``index`` are its search fields (``extract.index``)."""
    stored: dict[str, str | float] = {"id": reference, "updated": (updated - _EPOCH) // timedelta(milliseconds=1)}
    return tuple(stored[sort.field] if sort.field in stored else _value(sort, index) for sort in query.order)


def _value(sort: Sort, index: Mapping[str, Any]) -> str | float:
    values: list[str | float]
    if sort.field == "places":
        place = index.get("places", {}).get(sort.key)
        values = [near.square(place, sort.center)] if place else []
    elif sort.field == "spans":
        spans = index.get("spans", {})
        values = [span["lo"] for key in (sort.key, *sort.also) for span in spans.get(key, ())]
    else:
        values = [one for key in (sort.key, *sort.also) for one in _texts(sort, key, index.get("keys", ()))]
    pick = max if sort.descending else min
    return pick(values, default=sort.missing)


def _texts(sort: Sort, key: str, keys: Iterable[str]) -> Iterator[str]:
    """Keys of one parameter; of several they compare by what follows their names (as in ``store.sorting``)."""
    start, stop = whole(key)
    ending, skipped = f"{UNIT}{sort.part}" if sort.part else "", len(start) if sort.also else 0
    return (one[skipped:] for one in keys if start <= one < stop and one.endswith(ending))


def issue(query: Query, after: tuple[str | float, ...], secret: bytes, backwards: bool = False) -> str:
    """The text of a position, for the ``_cursor`` of a next link, or of a previous one that leads ``backwards``.

    What was counted goes with it, so that it is counted once for all pages.
    """
    told = [_digest(query), list(after), backwards, query.counted, query.total]
    content = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return signed(content, secret, PURPOSE)


def resume(query: Query, cursor: str, secret: bytes) -> Query:
    """The query from the position on. Raises BadRequest when the cursor is not one of this search."""
    content = verified(cursor, secret, PURPOSE)
    digest, after, backwards, *counted = json.loads(content)
    if digest != _digest(query):
        raise BadRequest("'_cursor' belongs to another search", CURSOR)
    known = counted[0] if counted[1:] == [query.total] else None
    return replace(query, after=tuple(after), backwards=backwards, counted=known)


def signed(content: bytes, secret: bytes, purpose: bytes) -> str:
    """A cursor that only this server can have issued, and only for the same purpose."""
    return urlsafe_b64encode(_tag(content, secret, purpose) + content).decode().rstrip("=")


def verified(cursor: str, secret: bytes, purpose: bytes) -> bytes:
    """What was ``signed``. Raises BadRequest."""
    try:
        sealed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError:
        sealed = b""
    tag, content = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(content, secret, purpose)):
        raise BadRequest("'_cursor' was not issued by this server", CURSOR)
    return content


def _tag(content: bytes, secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, purpose + b"\0" + content, "sha256")[:_TAG_BYTES]


def _digest(query: Query) -> str:
    place = query.type if query.path is None else query.path
    asked = [place, *sorted(pair for pair in query.used if pair[0] not in _PAGING)]
    return sha256(json.dumps(asked).encode()).hexdigest()[:16]

"""The pages of a Connection: where one stands, and the cursors of those around it.

https://hl7.org/fhir/R4/graphql.html#searching

A cursor is that of the search, with the number of records before its page in front of it.
"""

import math
from typing import Any

from fhir_gateway.problem import BadRequest
from fhir_gateway.records.find import Page
from fhir_gateway.search import cursor
from fhir_gateway.search.controls import Sort
from fhir_gateway.search.criteria import END

FIRST = "first"
_LATEST = 253_000_000_000_000
"""Milliseconds: in the year 9987, for later dates are none to the database."""


def place(asked: str | None) -> tuple[int | None, str | None]:
    """How many records lie before the page, None where that is not known; and the search's own cursor."""
    if not asked or asked == FIRST:
        return 0, None
    offset, mark, position = asked.partition("~")
    if not mark:
        return None, asked
    if offset and not (offset.isascii() and offset.isdecimal() and len(offset) < 10):
        raise BadRequest("'_cursor' was not issued by this server", "_cursor")
    return (int(offset) if offset else None), position


def facts(page: Page, offset: int | None, secret: bytes) -> dict[str, Any]:
    """Count, offset, size of page, and the cursors: null where there is no such page."""
    size, shown = page.query.size, len(page.matches)
    if page.query.backwards and not page.preceding:
        # Records that came meanwhile are before it.
        offset = 0
    following = None if offset is None else offset + shown
    preceding = None if offset is None else max(0, offset - size)
    at_end = following is not None and page.total is not None and following >= page.total
    return {
        "count": page.total,
        "offset": offset,
        "pagesize": size,
        "first": FIRST if page.matches else None,
        "previous": _cursor(preceding, page.preceding),
        "next": None if at_end else _cursor(following, page.following),
        "last": _last(page, secret),
    }


def _cursor(offset: int | None, position: str) -> str | None:
    return f"{'' if offset is None else offset}~{position}" if position else None


def _last(page: Page, secret: bytes) -> str | None:
    """The page that ends with the last record: backwards from behind everything."""
    if not page.matches:
        return None
    query = page.query
    end = tuple(_end(sort, query.type) for sort in query.order)
    before = None if page.total is None else max(0, page.total - query.size)
    return _cursor(before, cursor.issue(query, end, secret, backwards=True))


def _end(sort: Sort, type_: str) -> str | float:
    if sort.field == "id":
        return f"{type_}/{'' if sort.descending else END}"
    if sort.field == "updated":
        return 0 if sort.descending else _LATEST
    if sort.field == "keys":
        return "" if sort.descending else END
    return -math.inf if sort.descending else math.inf

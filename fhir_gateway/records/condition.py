"""The condition of a conditional interaction: a search that should find one resource.

https://hl7.org/fhir/R4/http.html#ccreate
"""

from urllib.parse import parse_qsl, urlencode

from fhir_gateway.problem import BadRequest
from fhir_gateway.search import query as search
from fhir_gateway.store.port import Records

ENOUGH = ("_count", "2")


def pairs(condition: str) -> list[tuple[str, str]]:
    """The condition's parameters; BadRequest when there are none."""
    try:
        found = parse_qsl(condition, keep_blank_values=True, errors="strict")
    except (UnicodeError, ValueError) as error:
        raise BadRequest("a condition is a percent-encoded query", "condition") from error
    if not any(value for _, value in found):
        raise BadRequest("a condition needs a search parameter with a value", "condition")
    return found


def normal(condition: str) -> str:
    """One spelling for conditions that differ only in order and escapes."""
    return urlencode(sorted(pairs(condition)))


async def matches(store: Records, type_: str, condition: str, reader: str | None) -> list[str]:
    """Up to two references that meet the condition. An unknown parameter is an error here, never ignored."""
    query = search.parse(type_, [*pairs(condition), ENOUGH])
    return [version.reference for version in await store.find(query, reader)]

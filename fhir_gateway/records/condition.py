"""The condition of a conditional interaction: a search that should find one resource.

https://hl7.org/fhir/R4/http.html#ccreate
"""

from collections.abc import Container
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.query import parse
from fhir_gateway.store.port import Records

SEVERAL = 10


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


async def matches(
    store: Records, type_: str, condition: str, reader: str | None, leaving: Container[str] = ()
) -> list[str]:
    """References that meet the condition: all of them up to two. An unknown parameter is an error, never ignored.

    ``leaving`` are records that the same transaction deletes.
    """
    query = replace(parse(type_, pairs(condition)), size=SEVERAL, total="none")
    found = [version.reference for version in await store.find(query, reader)]
    return [reference for reference in found if reference not in leaving][:2]

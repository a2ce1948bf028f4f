"""The condition of a conditional interaction: a search that should find one resource.

https://hl7.org/fhir/R4/http.html#ccreate
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from fhir_gateway.problem import BadRequest, Problem
from fhir_gateway.records.desk import Author
from fhir_gateway.search.criteria import Choice, Condition
from fhir_gateway.search.query import Query, parse
from fhir_gateway.security.sight import Reader
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
    store: Records, type_: str, condition: str, author: Author, leaving: Container[str] = ()
) -> list[str]:
    """References that meet the condition: all of them up to two. An unknown parameter is an error, never ignored.

    ``leaving`` are records that the same transaction deletes.
    """
    query = replace(parse(type_, pairs(condition)), size=SEVERAL, total="none")
    if author.settle is not None:
        query = await author.settle(query)
    found = [version.reference for version in await store.find(query, author.reader)]
    return [reference for reference in found if reference not in leaving][:2]


async def known_matches(store: Records, type_: str, conditions: Iterable[str], reader: Reader) -> dict[str, list[str]]:
    """``matches`` of those conditions that one search key answers, asked for together; the others are left out."""
    parameters: dict[str, dict[str, str]] = {}
    for condition in conditions:
        if choice := _one_key(type_, condition):
            keys = parameters.setdefault(choice.start.partition(":")[0], {})
            keys |= {key: condition for key in (choice.start, choice.also) if key}
    found: dict[str, list[str]] = {}
    for parameter, keys in parameters.items():
        limit = SEVERAL * len(keys)
        query = Query(type_, (Condition(tuple(map(Choice, keys)), 1),), size=limit)
        rows = await store.targets(query, parameter, reader)
        if len(rows) < limit:
            found |= _by_condition(keys, rows)
    return found


def _by_condition(keys: Mapping[str, str], rows: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    met: dict[str, dict[str, None]] = {condition: {} for condition in keys.values()}
    for reference, held in rows.items():
        for key in held:
            if key in keys:
                met[keys[key]][reference] = None
    return {condition: list(references)[:2] for condition, references in met.items()}


def _one_key(type_: str, condition: str) -> Choice | None:
    """The choice of a condition that asks for one parameter by one exact key."""
    try:
        query = parse(type_, pairs(condition))
    except Problem:
        return None
    if len(query.criteria) != 1 or type_ == "AuditEvent":
        return None
    (criterion,) = query.criteria
    if not isinstance(criterion, Condition) or criterion.absent or len(criterion.choices) != 1:
        return None
    return criterion.choices[0] if criterion.choices[0].exact else None

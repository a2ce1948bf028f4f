"""Searches that an id or a selective key leads into, asked together: one question finds the records of all of them.

https://www.mongodb.com/docs/manual/reference/operator/query/in/

What each search asks besides is read here, of the few records found (``store.meeting``). Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_gateway.search import cursor
from fhir_gateway.search.criteria import UNIT, Compartment, Condition, Ids
from fhir_gateway.search.query import Query
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.filter import AUDIT, conditions, falls
from fhir_gateway.store.meeting import meets, readable
from fhir_gateway.store.ranking import SELECTIVE, rank
from fhir_gateway.store.typed import typed, without_type

NAMED_BY_MANY = frozenset({"Device", "Endpoint", "Group", "HealthcareService", "Location", "Medication", "Organization",
                           "Practitioner", "PractitionerRole", "Substance"})  # fmt: skip
"""Who refers to one of these is one of very many; to a patient or a visit some do."""
WEIGHTY = frozenset({"Binary", "Bundle", "DocumentReference", "Media"})
"""What may hold whole files: not fetched to be looked at here and perhaps left out."""

Document = dict[str, Any]
Stage = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Entrance:
    """Where a search begins: one of ``values`` stands in ``field``. ``rest`` is what it asks of the records there."""

    field: str
    values: tuple[str, ...]
    rest: tuple[Stage, ...]

    def let_in(self, documents: Iterable[Document]) -> list[Document]:
        """Those that the search finds."""
        return [one for one in documents if all(meets(one, condition) for condition in self.rest)]


def entrance(query: Query, reader: Reader) -> Entrance | None:
    """None for a search that begins with more, or is for what lies behind a position."""
    first = min(query.criteria, key=rank, default=None)
    if first is None or query.type == AUDIT or query.after or rank(first) > SELECTIVE:
        return None
    if query.type in WEIGHTY and not isinstance(first, Ids):
        return None
    match first:
        case Ids(absent=False):
            field, values = "_id", first.references
        case Compartment():
            field, values = "patients", first.patients
        case Condition(absent=False) if _leaves_few(first):
            field, values = "keys", tuple(typed(query.type, key) for key in _keys(first))
        case _:
            return None
    begin, *rest = (stage["$match"] for stage in conditions(query, reader))
    # Who comes in by one of the values meets what names them; a record found by its patient may be of any type.
    kept = tuple(rest) if begin.keys() == {field} else (begin, *rest)
    return Entrance(field, values, kept) if all(map(readable, kept)) else None


def _leaves_few(condition: Condition) -> bool:
    exact = all(choice.exact for choice in condition.choices)
    return exact and not any(key.rpartition(UNIT)[2] in NAMED_BY_MANY for key in _keys(condition))


def _keys(condition: Condition) -> tuple[str, ...]:
    return tuple(key for choice in condition.choices for key in (choice.start, choice.also) if key)


def together(field: str, values: Sequence[str], limit: int) -> list[Stage]:
    """The stages that find at most ``limit`` records behind any of the entrances, in no order."""
    return [{"$match": {field: {"$in": list(values)}}}, {"$limit": limit}]


def page(query: Query, documents: Iterable[Document]) -> list[Document]:
    """The documents in the order and number that the stages of the query would give them in."""
    if [sort.field for sort in query.order] == ["id"]:
        falling = falls(query, query.order[0])
        return sorted(documents, key=lambda one: one["_id"], reverse=falling)[: max(query.size, 1)]
    placed = [(cursor.position(query, one["_id"], one["updated"], without_type(one)), one) for one in documents]
    for at, sort in reversed([*enumerate(query.order)]):
        placed.sort(key=lambda one: one[0][at], reverse=falls(query, sort))
    return [document for _, document in placed[: max(query.size, 1)]]

"""A search as stages of an aggregation: pure, so that what runs can be read and tested without a database.

https://www.mongodb.com/docs/manual/core/aggregation-pipeline-optimization/

One condition a stage, the most selective first: MongoDB joins consecutive ``$match`` stages and picks its index itself,
the embedded engine takes the index of the first. That engine also leaves its index for ``$or``, ``$regex`` and for a
field that the index lacks: these come in stages of their own, behind one that it answers.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, cast

from fhir_gateway.problem import NotSupported
from fhir_gateway.search.controls import Sort
from fhir_gateway.search.criteria import (
    END,
    Choice,
    Circle,
    Compartment,
    Composite,
    Condition,
    Ids,
    Limit,
    Moment,
    Near,
    Span,
    Together,
    Updated,
)
from fhir_gateway.search.pending import Question
from fhir_gateway.search.query import Query
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.pages import PAGE_FIELDS, page_of, unfolding
from fhir_gateway.store.ranking import rank
from fhir_gateway.store.sight import confinement
from fhir_gateway.store.sorting import sort_value, square
from fhir_gateway.store.typed import asked_of

Stage = dict[str, Any]

AUDIT = "AuditEvent"
_INDEX_FIELDS = ("keys", "spans", "tuples", "places", "patients")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=1)


def merged(query: Query, found: Iterable[Stage]) -> list[Stage]:
    """The page that documents found in portions make: each once, in order. ``found`` are those of ``stages``."""
    documents = list({document["_id"]: document for document in found}.values())
    for name, sort in reversed(_order(query).items()):
        documents.sort(key=lambda document: document[name], reverse=falls(query, sort))
    return documents[: query.size]


def stages(query: Query, reader: Reader) -> list[Stage]:
    """One page: at most ``query.size`` records after the query's position, without their search keys.

    They come in order, or of a query that goes backwards in the opposite order, with the values they are sorted by.
    """
    order = _order(query)
    computed = {name: sort_value(query.type, sort) for name, sort in order.items() if name not in ("_id", "updated")}
    way: Stage = {"$sort": {name: -1 if falls(query, sort) else 1 for name, sort in order.items()}}
    limit = max(query.size, 1)
    # A page of the trail holds an event that counts, but the one where the position is need not hold another.
    first = [way, {"$limit": limit + 1}] if _each_page_counts(query) else []
    return [
        *_matches(query, reader, first),
        *([{"$set": computed}] if computed else []),
        *_following(query, order),
        way,
        {"$limit": limit},
        # Of other records the search keys come along: to leave them out costs the engine more than to send them.
        *([{"$project": dict.fromkeys((*_INDEX_FIELDS, *PAGE_FIELDS), 0)}] if query.type == AUDIT else []),
    ]


def _each_page_counts(query: Query) -> bool:
    """Whether a page that the one condition finds has an event that meets it, and pages lie in the order asked for."""
    if [sort.field for sort in query.order] not in _PAGED_ORDERS:
        return False
    return not query.criteria or (len(query.criteria) == 1 and _is_exact(query.criteria[0]))


def _is_exact(criterion: Question) -> bool:
    if isinstance(criterion, Condition):
        return not criterion.absent and all(choice.exact for choice in criterion.choices)
    return isinstance(criterion, Compartment)


def reference_stages(query: Query, reader: Reader) -> list[Stage]:
    """At most ``query.size`` of the matches, in no order: their ids alone."""
    return [*_matches(query, reader), {"$limit": max(query.size, 1)}, {"$project": {"_id": 1}}]


def target_stages(query: Query, reader: Reader) -> list[Stage]:
    """The ids and keys of at most ``query.size`` of the matches."""
    return [*_matches(query, reader), {"$limit": max(query.size, 1)}, {"$project": {"_id": 1, "keys": 1}}]


def falls(query: Query, sort: Sort) -> bool:
    """Whether the stages bring the greatest first."""
    return sort.descending != query.backwards


def count_stages(query: Query, reader: Reader, limit: int = 0) -> list[Stage]:
    """One document ``{"n": number}``, or none where nothing matches; the query's position does not count.

    With a ``limit`` no more than that are counted.
    """
    matches = _matches(replace(query, after=(), backwards=False), reader)
    return [*matches, *([{"$limit": limit}] if limit else []), {"$count": "n"}]


def costs_the_type(query: Query) -> bool:
    """Whether no condition selects: the database looks at all there is of the type, or at all of one parameter.

    A page in the order of the id or of the time of writing is read from an index and stops when it is full, if every
    record counts.
    """
    asks = bool(query.criteria) or sorts_by_value(query)
    return asks and all(rank(one) >= _INDEXED_RANK for one in query.criteria)


def sorts_by_value(query: Query) -> bool:
    """Whether the order is that of a parameter's values, which no index holds."""
    return any(sort.field in ("keys", "spans", "places") for sort in query.order)


def _matches(query: Query, reader: Reader, first: list[Stage] | None = None) -> list[Stage]:
    """``first`` are stages for pages of the audit trail, before their events are looked at."""
    matches = conditions(query, reader)
    return unfolding(matches, [*_pages_behind(query), *(first or [])]) if query.type == AUDIT else matches


def _pages_behind(query: Query) -> list[Stage]:
    """The pages that hold what lies behind the position, and that where the position is."""
    fields = [sort.field for sort in query.order]
    if not query.after or fields not in _PAGED_ORDERS:
        return []
    page: Stage = {"_id": {"$lte" if falls(query, query.order[-1]) else "$gte": page_of(str(query.after[-1]))}}
    if fields == ["id"]:
        return [{"$match": page}]
    moment = _stored(query.order[0], query.after[0])
    later = {"updated": {"$lt" if falls(query, query.order[0]) else "$gt": moment}}
    return [{"$match": {"updated": _from(query, query.order[0], query.after[0])}}, {"$match": {"$or": [later, page]}}]


_PAGED_ORDERS = (["id"], ["updated", "id"])


def conditions(query: Query, reader: Reader) -> list[Stage]:
    """The stages that a record has to pass, the most selective first."""
    if any(type(criterion) not in _TRANSLATE for criterion in query.criteria):
        raise NotSupported("a condition that leads to other records is offered in a search only")
    criteria = [asked_of(query.type, one) for one in sorted(query.criteria, key=rank)]
    # One condition finds by the index; of the others only the exact check is left to do.
    indexed = 1 if criteria and rank(criteria[0]) <= _INDEXED_RANK else 0
    found: list[Stage] = [] if indexed else _all_of_type(query, reader)
    for at, criterion in enumerate(criteria):
        found += (_TRANSLATE if at < indexed else _CHECK)[type(criterion)](criterion)
    first = found[0] if found[0].keys() & _TYPED else {"type": query.type, **found[0]}
    if isinstance(first.get("keys"), str):
        first |= _after_id(query)
    rest = {"deleted": False} | confinement(reader, query.type)
    return [{"$match": match} for match in [first, *found[1:], rest]]


def _all_of_type(query: Query, reader: Reader) -> list[Stage]:
    """Nothing that selects: what the reader may see, else the type in the order that is asked for."""
    if isinstance(reader, str):
        return [{"readers": reader}]
    if query.order[0].field == "updated":
        return [{"updated": _from(query, query.order[0], query.after[0]) if query.after else {"$gte": _EPOCH}}]
    # MongoDB walks its own _id index and stops when the page is full; the embedded engine takes the type from another.
    return [{}, {"_id": {"$gte": f"{query.type}/", "$lt": f"{query.type}0"}}]


_INDEXED_RANK = 8
_TYPED = frozenset({"_id", "keys"})
"""Fields whose values tell the type of the record."""


def _condition(condition: Condition) -> list[Stage]:
    choices = condition.choices
    if all(choice.exact for choice in choices):
        return [{"keys": _any_of(choices, absent=condition.absent)}]
    checks = [_check(choice) for choice in choices]
    if condition.absent:
        return [{"$nor": checks}]
    bounds = {
        "$gte": min(min(choice.start, choice.also or choice.start) for choice in choices),
        "$lt": max(choice.stop or max(choice.start, choice.also or "") + END for choice in choices),
    }
    tight = {"keys": {"$elemMatch": bounds}}
    rest = [] if checks == [tight] else checks if len(checks) == 1 else [{"$or": checks}]
    return [tight, *rest]


def _check_condition(condition: Condition) -> list[Stage]:
    if condition.absent or all(choice.exact for choice in condition.choices):
        return _condition(condition)
    return [_any([_check(choice) for choice in condition.choices])]


def _any_of(choices: tuple[Choice, ...], *, absent: bool) -> Any:
    values = [key for choice in choices for key in (choice.start, choice.also) if key is not None]
    if absent:
        return {"$nin": values}
    return values[0] if len(values) == 1 else {"$in": values}


def _check(choice: Choice) -> Stage:
    """Whether one record meets the choice, without regard to indexes."""
    return _any(_alternatives(choice, "keys", "spans."))


def _any(checks: list[Stage]) -> Stage:
    return checks[0] if len(checks) == 1 else {"$or": checks}


def _alternatives(choice: Choice, keys: str, spans: str) -> list[Stage]:
    """Checks of one field each, of which one has to hold. ``spans`` is what their key follows in the field's name."""
    if choice.span is not None:
        return [{spans + choice.span.key: {"$elemMatch": _one_span(choice.span, one)}} for one in choice.span.ways]
    if choice.pattern is not None:
        return [{keys: {"$regex": choice.pattern}}]
    if choice.exact:
        return [{keys: _any_of((choice,), absent=False)}]
    # Whole patterns cost an engine that reads them anew for each search more than the search.
    ending = {"$regex": f"{re.escape(choice.ending)}$"} if choice.ending else {}
    return [{keys: {"$elemMatch": {"$gte": choice.start, "$lt": choice.stop, **ending}}}]


def _one_span(span: Span, limits: tuple[Limit, ...]) -> Stage:
    wanted: Stage = {limit.edge: {f"${limit.operator}": limit.value} for limit in limits}
    return wanted | {name: text for name, text in (("unit", span.unit), ("system", span.system)) if text is not None}


def _composite(composite: Composite) -> list[Stage]:
    """First what an index answers, the most selective part first, then what one element has to hold."""
    narrow = [stage for one in sorted(composite.narrow, key=rank) for stage in _condition(one)]
    return [*narrow, *_check_composite(composite)]


def _check_composite(composite: Composite) -> list[Stage]:
    return [_any([check for choice in composite.choices for check in _together(choice)])]


def _together(choice: Together) -> list[Stage]:
    """Alternatives outside, for the embedded engine knows no ``$or`` within an element."""
    if not choice.key:
        return [{"$and": [_check(part) for part in choice.parts]}]
    parts = [_alternatives(part, f"k{at}", f"s{at}") for at, part in enumerate(choice.parts)]
    return [{f"tuples.{choice.key}": {"$elemMatch": _merged(checks)}} for checks in product(*parts)]


def _merged(checks: tuple[Stage, ...]) -> Stage:
    return {field: test for check in checks for field, test in check.items()}


def _near(near: Near) -> list[Stage]:
    bounds = {
        "$gte": min(circle.start for circle in near.circles),
        "$lt": max(circle.stop for circle in near.circles),
    }
    return [{"keys": {"$elemMatch": bounds}}, *_check_near(near)]


def _check_near(near: Near) -> list[Stage]:
    return [_any([{"$expr": _within(circle)} for circle in near.circles])]


def _within(circle: Circle) -> Stage:
    distance = square(circle.key, circle.center)
    # What has no place has no distance, and nothing sorts below every number.
    return {"$and": [{"$gt": [f"$places.{circle.key}.x", -2]}, {"$lte": [distance, circle.chord]}]}


def _ids(ids: Ids) -> list[Stage]:
    if ids.absent:
        return [{"_id": {"$nin": list(ids.references)}}]
    return [{"_id": ids.references[0] if len(ids.references) == 1 else {"$in": list(ids.references)}}]


def _compartment(compartment: Compartment) -> list[Stage]:
    patients = compartment.patients
    return [{"patients": patients[0] if len(patients) == 1 else {"$in": list(patients)}}]


def _updated(updated: Updated) -> list[Stage]:
    moments = [_moment(moment) for moment in updated.moments]
    return moments if len(moments) == 1 else [{"$or": moments}]


def _moment(moment: Moment) -> Stage:
    start = {} if moment.start is None else {"$gte": moment.start}
    stop = {} if moment.stop is None else {"$lt": moment.stop}
    if moment.outside:
        return {"$nor": [{"updated": start | stop}]}
    return {"updated": start | stop}


_TRANSLATE: dict[type, Callable[[Any], list[Stage]]] = {
    Condition: _condition,
    Composite: _composite,
    Near: _near,
    Ids: _ids,
    Compartment: _compartment,
    Updated: _updated,
}


_CHECK: dict[type, Callable[[Any], list[Stage]]] = {
    **_TRANSLATE,
    Condition: _check_condition,
    Composite: _check_composite,
    Near: _check_near,
}


def _order(query: Query) -> dict[str, Sort]:
    """The record's fields to sort by; values of search parameters are computed into ``_sort0`` and so on."""
    stored = {"id": "_id", "updated": "updated"}
    return {stored.get(sort.field, f"_sort{at}"): sort for at, sort in enumerate(query.order)}


def _after_id(query: Query) -> Stage:
    """Where the order is the id alone, the position is one more field of the first stage."""
    if not query.after or len(query.order) > 1:
        return {}
    return {"_id": {"$lt" if falls(query, query.order[0]) else "$gt": query.after[0]}}


def _following(query: Query, order: dict[str, Sort]) -> list[Stage]:
    """Behind the position: a later value, or the same and a later value in the next field."""
    if not query.after:
        return []
    steps = [(name, sort, _stored(sort, value)) for (name, sort), value in zip(order.items(), query.after, strict=True)]
    later: list[Stage] = []
    for at, (name, sort, value) in enumerate(steps):
        equal = {before: known for before, _, known in steps[:at]}
        later.append({**equal, name: {"$lt" if falls(query, sort) else "$gt": value}})
    first = {"$match": {steps[0][0]: _from(query, steps[0][1], query.after[0])}}
    return [first, {"$match": {"$or": later}}] if len(later) > 1 else [{"$match": later[0]}]


def _from(query: Query, sort: Sort, value: str | float) -> Stage:
    edge = _stored(sort, value)
    if sort.field == "updated" and falls(query, sort):
        # The embedded engine's index leaves out what equals the edge of ``$lte`` where another field follows.
        return {"$lt": edge + _TICK}
    return {"$lte" if falls(query, sort) else "$gte": edge}


def _stored(sort: Sort, value: str | float) -> Any:
    return _EPOCH + timedelta(milliseconds=cast(int, value)) if sort.field == "updated" else value

"""What a search costs: refused where no index selects and there is too much to look at; told where asked.

https://hl7.org/fhir/R4/search.html#errors
"""

import time
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.outcome import of_issues
from fhir_gateway.problem import Issue, TooCostly
from fhir_gateway.records.desk import Desk
from fhir_gateway.search.criteria import Compartment, Composite, Condition, Criterion, Ids, Near, Updated
from fhir_gateway.search.query import Query
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.filter import costs_the_type, sorts_by_value
from fhir_gateway.store.port import Plan, Store
from fhir_gateway.store.ranking import rank

REMEMBERED_SECONDS = 60.0
SELECTIVE = 5
"""A condition of a lower rank leaves few enough to sort."""

_Size = tuple[int, float]
_sizes: WeakKeyDictionary[Store, dict[tuple[str, Reader], _Size]] = WeakKeyDictionary()


async def must_be_affordable(desk: Desk, query: Query, reader: Reader) -> None:
    """Raises TooCostly for a search that would look at more than ``desk.scan_limit`` records."""
    if not costs_the_type(query):
        await _must_be_sortable(desk, query, reader)
        return
    if await _size(desk, query.type, reader) > desk.scan_limit:
        text = (
            f"no condition selects, and there are more than {desk.scan_limit} {query.type} records to look at;"
            " add a condition on an identifier, a reference, a code or a date"
        )
        raise TooCostly(text, "_sort" if query.sorts else None)


async def _must_be_sortable(desk: Desk, query: Query, reader: Reader) -> None:
    """A sort by a parameter's values looks at every match, so there must not be too many."""
    if not sorts_by_value(query) or min(map(rank, query.criteria)) < SELECTIVE:
        return
    if await desk.store.count(query, reader, desk.scan_limit + 1) > desk.scan_limit:
        raise TooCostly(f"more than {desk.scan_limit} records match, too many to sort; add a condition", "_sort")


async def _size(desk: Desk, type_: str, reader: Reader) -> int:
    """How many records of the type there are, counted up to the limit and remembered for a while."""
    known = _sizes.setdefault(desk.store, {})
    count, until = known.get((type_, reader), (0, 0.0))
    if time.monotonic() > until:
        count = await desk.store.count(Query(type_), reader, desk.scan_limit + 1)
        # Few are counted quickly, and may soon be many.
        until = time.monotonic() + (REMEMBERED_SECONDS if count > desk.scan_limit // 100 else 0.0)
        known[type_, reader] = count, until
    return count


async def explained(desk: Desk, queries: Sequence[tuple[Query, Reader]]) -> bytes:
    """An OperationOutcome that says how each search runs: conditions in order, index, records looked at."""
    issues = [_issue(query, await desk.store.explain(query, reader)) for query, reader in queries]
    return encode(of_issues(tuple(issues)))


def _issue(query: Query, plan: Plan) -> Issue:
    conditions = "; ".join(_told(one) for one in sorted(query.criteria, key=rank)) or "none"  # type: ignore[arg-type]
    order = ", ".join(f"{'-' if one.descending else ''}{one.key or one.field}" for one in query.order)
    looked = f"{plan.keys} keys and {plan.documents} records looked at"
    how = "collection scan" if plan.scans else f"index {', '.join(plan.indexes) or 'none'}"
    text = f"{query.type}: {how}; {looked}; conditions in this order: {conditions}; sorted by {order}"
    text += f"; asked before: {', '.join(query.before)}" if query.before else ""
    return Issue(text, None, "informational", "warning" if plan.scans else "information")


def _told(criterion: Criterion) -> str:
    """One condition without its values."""
    match criterion:
        case Condition():
            return _condition(criterion)
        case Composite():
            where = "one element" if any(one.key for one in criterion.choices) else "one record"
            return f"all of {where} ({' and '.join(_condition(one) for one in criterion.narrow)})"
        case Near():
            return "latitude by interval, distance checked"
        case Ids():
            return f"{'not ' if criterion.absent else ''}one of {len(criterion.references)} ids"
        case Compartment():
            return "compartment"
        case Updated():
            return "time of writing"


def _condition(condition: Condition) -> str:
    keys = ", ".join(dict.fromkeys(choice.start.partition(":")[0] for choice in condition.choices)) or "nothing"
    exact = all(choice.exact for choice in condition.choices)
    how = "none of" if condition.absent else "equal to one of" if exact else "within"
    return f"{keys} {how} {len(condition.choices)} {'keys' if exact else 'intervals of keys, then checked'}"

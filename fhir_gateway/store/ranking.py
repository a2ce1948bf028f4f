"""How few records each condition of a search leaves: the one that leaves fewest looks into the index.

https://www.mongodb.com/docs/manual/tutorial/create-queries-that-ensure-selectivity/
"""

import re
from collections.abc import Callable
from typing import Any

from fhir_gateway.search.criteria import Choice, Compartment, Composite, Condition, Ids, Near, Updated
from fhir_gateway.search.pending import Question

SELECTIVE = 2
"""The rank of a reference; what is less selective leaves many."""
_SHORT_RANK = 2.5
"""A day or two: fewer are born on one than have a name, more happens on one than to one patient."""
_SHORT = 2 * 86_400_000_000
_TIME = re.compile(r"[^:]+:(\d{18})")


def rank(criterion: Question) -> float:
    """How few records the criterion leaves: 0 one, 9 nearly all."""
    known = _RANKS.get(type(criterion))
    return float(known(criterion)) if known else 9


def _rank(condition: Condition) -> float:
    if condition.absent:
        return 9
    return min(condition.rank, _SHORT_RANK) if all(map(_is_short, condition.choices)) else condition.rank


def _is_short(choice: Choice) -> bool:
    """Whether it is an interval of time, of a day or two."""
    edges = [_TIME.match(edge or "") for edge in (choice.start, choice.stop)]
    first, last = (int(edge[1]) if edge else None for edge in edges)
    return choice.span is not None and first is not None and last is not None and last - first <= _SHORT


_RANKS: dict[type, Callable[[Any], float]] = {
    Condition: _rank,
    Composite: lambda composite: min(map(_rank, composite.narrow)),
    Near: lambda _: 3,
    Ids: lambda ids: 9 if ids.absent else 0,
    Compartment: lambda _: 2,
    Updated: lambda updated: 6 if _one_interval(updated) else 9,
}


def _one_interval(updated: Updated) -> bool:
    return len(updated.moments) == 1 and not updated.moments[0].outside

"""A search request, parsed: what is asked, in which order, how much of it.

https://hl7.org/fhir/R4/search.html
"""

import math
from dataclasses import dataclass

from fhir_gateway.search.criteria import END, Criterion


@dataclass(frozen=True, slots=True)
class Sort:
    """``field`` says where the value is: ``id``, ``updated``, ``keys`` (text) or ``spans`` (number) of ``key``.

    A record with several values sorts by the least of them, descending by the greatest; one with none comes last.
    """

    field: str
    key: str = ""
    part: str = ""
    descending: bool = False

    @property
    def missing(self) -> str | float:
        """What a record without the parameter sorts as: behind all others."""
        if self.field == "keys":
            return "" if self.descending else END
        return -math.inf if self.descending else math.inf


@dataclass(frozen=True, slots=True)
class Include:
    """``_include``: ``parameter`` of ``source``, to ``target``; ``*`` and None mean any. For ``_revinclude`` alike."""

    source: str
    parameter: str
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What to find. ``after`` holds the last record's values in ``order``; ``used`` is what was understood."""

    type: str
    criteria: tuple[Criterion, ...] = ()
    sorts: tuple[Sort, ...] = ()
    size: int = 20
    total: str = "accurate"
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    after: tuple[str | float, ...] = ()
    used: tuple[tuple[str, str], ...] = ()

    @property
    def order(self) -> tuple[Sort, ...]:
        """The sorts and, to tell equal records apart, the id, in the direction of the last of them."""
        if any(sort.field == "id" for sort in self.sorts):
            return self.sorts
        return (*self.sorts, Sort("id", descending=bool(self.sorts) and self.sorts[-1].descending))

    @property
    def count_only(self) -> bool:
        return self.size == 0

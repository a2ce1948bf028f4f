"""The parameters that shape an answer: how many, in which order, with what else, counted how.

https://hl7.org/fhir/R4/search.html#return
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.problem import BadRequest, NotSupported
from fhir_gateway.search.criteria import END, Near
from fhir_gateway.search.registry import Parameter, parameters

CONTROLS = frozenset(
    {"_count", "_sort", "_include", "_revinclude", "_total", "_summary", "_explain", "_contained", "_containedType"}
)

ITERATED = frozenset(f"{name}:{word}" for name in ("_include", "_revinclude") for word in ("iterate", "recurse"))

ELSEWHERE = frozenset({"_format", "_pretty", "_cursor"})
"""Read by whoever answers the request; a search neither needs nor refuses them."""

UNOFFERED = "legal FHIR that this server does not offer here"
UNSCORED = "what is searched for is found or not, without a score"
LATER = {
    "_elements": UNOFFERED,
    "_type": UNOFFERED,
    "_score": UNSCORED,
    "_query": "this server has no named queries; its CapabilityStatement would list them as operations",
}
"""Of R4, and refused by name, with the reason."""

TOTALS = ("none", "estimate", "accurate")

OTHER_WORDS = {
    ("_totalMethod", "count"): ("_total", "accurate"),
    ("_totalMethod", "estimate"): ("_total", "estimate"),
}
"""What widespread client libraries say for a parameter of R4; the self link shows the parameter of R4."""

_SPANS = frozenset({"date", "number", "quantity"})


@dataclass(frozen=True, slots=True)
class Sort:
    """``field`` says where the value is: ``id``, ``updated``, ``keys`` (text) or ``spans`` (number) of ``key``; of
    ``places`` it is the distance from ``center``.

    A record with several values sorts by the least of them, descending by the greatest; one with none comes last.
    ``also`` are further keys whose values count as well.
    """

    field: str
    key: str = ""
    part: str = ""
    descending: bool = False
    also: tuple[str, ...] = ()
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def missing(self) -> str | float:
        """What a record without the parameter sorts as: behind all others."""
        if self.field == "keys":
            return "" if self.descending else END
        return -math.inf if self.descending else math.inf


@dataclass(frozen=True, slots=True)
class Include:
    """References of ``source`` records by ``parameter`` to records of ``target``; ``*`` and None mean any.

    With ``iterate`` what was brought along is asked too.
    """

    source: str
    parameter: str
    target: str | None = None
    iterate: bool = False


def size(texts: Sequence[str], default: int, limit: int) -> int:
    """``_count``; more than the limit is the limit."""
    if not texts:
        return default
    text = only("_count", texts)
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadRequest("'_count' needs a whole number from 0", "_count")
    return min(int(text), limit)


def only(name: str, texts: Sequence[str]) -> str:
    if len(texts) > 1:
        raise BadRequest(f"'{name}' is given more than once", name)
    return texts[0]


def total(texts: Sequence[str]) -> str:
    text = only("_total", texts) if texts else "accurate"
    if text not in TOTALS:
        raise BadRequest(f"'_total' is one of {', '.join(TOTALS)}", "_total")
    return text


def counts_only(texts: Sequence[str]) -> bool:
    """``_summary=count``; the other summaries than ``false`` are not offered."""
    text = only("_summary", texts) if texts else "false"
    if text not in ("count", "false"):
        raise NotSupported("'_summary' is offered with the values count and false", "_summary")
    return text == "count"


def nearest(questions: Sequence[object]) -> tuple[Sort, ...]:
    """By distance, where there is one place to be near to."""
    circles = [circle for one in questions if isinstance(one, Near) for circle in one.circles]
    return (Sort("places", circles[0].key, center=circles[0].center),) if len(circles) == 1 else ()


def sorts(texts: Sequence[str], type_: str, near: Sequence[Sort] = ()) -> tuple[Sort, ...]:
    """``_sort``: codes separated by commas, the most important first, ``-`` before the descending ones.

    ``near`` is what else can be sorted by.
    """
    names = only("_sort", texts).split(",") if texts else []
    also = {one.key: one for one in near}
    found = tuple(
        replace(also[code], descending=falls) if code in also else _sort(code, falls, type_)
        for code, falls in ((name.removeprefix("-"), name.startswith("-")) for name in names)
    )
    if len({(one.field, one.key, one.part, one.also) for one in found}) < len(found):
        raise BadRequest("'_sort' names a parameter twice", "_sort")
    return found


def known_sorts(text: str, type_: str) -> str:
    """``_sort`` without the codes that are no parameter of the type, for whoever asks leniently."""
    known = parameters(type_)
    return ",".join(name for name in text.split(",") if name.removeprefix("-") in known)


def _sort(code: str, descending: bool, type_: str) -> Sort:
    if code == "_id":
        return Sort("id", descending=descending)
    if code == "_lastUpdated":
        return Sort("updated", descending=descending)
    if code == "_score":
        raise NotSupported(f"'_sort=_score': {UNSCORED}", "_sort")
    parameter = parameters(type_).get(code)
    if parameter is None:
        raise BadRequest(f"'_sort' needs search parameters of {type_}, and '{code}' is none", "_sort")
    if parameter.kind == "special":
        raise BadRequest(f"'_sort={code}' needs one place to be near to: a '{code}' with one value", "_sort")
    if not parameter.sortable:
        raise NotSupported(f"sorting by '{code}' is not offered", "_sort")
    field = "spans" if parameter.kind in _SPANS else "keys"
    return Sort(field, parameter.key, parameter.part, descending, parameter.also)


@dataclass(frozen=True, slots=True)
class Inside:
    """Contained resources are looked for; with ``outside`` others too. ``alone``: without what they lie in."""

    outside: bool
    alone: bool


def contained(asked: Mapping[str, Sequence[str]]) -> Inside | None:
    """``_contained`` and ``_containedType``; None where only records themselves are looked for."""
    where = _one_of("_contained", asked, ("false", "true", "both"))
    what = _one_of("_containedType", asked, ("container", "contained"))
    if where == "false":
        if what == "contained":
            raise BadRequest("'_containedType=contained' needs '_contained=true' or both", "_containedType")
        return None
    return Inside(where == "both", what == "contained")


def _one_of(name: str, asked: Mapping[str, Sequence[str]], words: tuple[str, ...]) -> str:
    """The word that was asked for, the first of ``words`` where none was."""
    text = only(name, asked[name]) if asked[name] else words[0]
    if text not in words:
        raise BadRequest(f"'{name}' is one of {', '.join(words)}", name)
    return text


def switch(name: str, texts: Sequence[str]) -> bool:
    text = only(name, texts) if texts else "false"
    if text not in ("true", "false"):
        raise BadRequest(f"'{name}' is true or false", name)
    return text == "true"


def includes(name: str, texts: Sequence[str], type_: str, iterate: bool = False) -> tuple[Include, ...]:
    """``_include`` and ``_revinclude``: ``Type:parameter``, ``Type:parameter:Target``, ``Type:*`` or ``*`` alone."""
    found = dict.fromkeys(_include(name, text, type_) for text in texts)
    return tuple(replace(one, iterate=iterate) for one in found)


def _include(name: str, text: str, type_: str) -> Include:
    if text == "*":
        return Include("*", "*")
    source, _, rest = text.partition(":")
    code, _, target = rest.partition(":")
    if source not in resource_types() or not code:
        raise BadRequest(f"'{name}' needs Type:parameter or Type:parameter:Target", name)
    if target and target not in resource_types():
        raise BadRequest(f"'{name}': '{target}' is not a resource type of R4", name)
    if code != "*" and code not in _references(source):
        raise BadRequest(f"'{name}': '{code}' is not a reference parameter of {source}", name)
    return Include(source, code, target or None)


def _references(type_: str) -> dict[str, Parameter]:
    return {code: one for code, one in parameters(type_).items() if one.kind == "reference" and one.searchable}

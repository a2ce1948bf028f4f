"""A search request, parsed: what is asked, in which order, how much of it. What is not understood is said so.

https://hl7.org/fhir/R4/search.html
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.problem import BadRequest, NotSupported
from fhir_gateway.search import controls
from fhir_gateway.search.controls import Include, Sort
from fhir_gateway.search.criteria import UNIT, Choice, Condition, Criterion, Ids, Moment, Updated, whole
from fhir_gateway.search.escape import plain, split
from fhir_gateway.search.kinds import date, number, quantity, reference, text, token, uri
from fhir_gateway.search.kinds.prefix import split_prefix
from fhir_gateway.search.registry import Parameter, nearest, parameters

VALUE_LIMIT = 2000
"""Characters of one value between commas."""

_TEXT = re.compile(r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]*$")


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


class Kind(Protocol):
    """What a module under ``kinds/`` offers to a request."""

    MODIFIERS: frozenset[str]

    def parse(self, parameter: Parameter, text: str, modifier: str) -> Choice: ...

    def rank(self, parameter: Parameter, modifier: str) -> int: ...


KINDS: dict[str, Kind] = {
    "token": token,
    "string": text,
    "reference": reference,
    "uri": uri,
    "date": date,
    "number": number,
    "quantity": quantity,
}


def parse(
    type_: str,
    pairs: Sequence[tuple[str, str]],
    *,
    lenient: bool = False,
    page_size: int = 20,
    page_limit: int = 1000,
) -> Query:
    """The query of decoded name and value pairs. Raises BadRequest; with ``lenient`` leaves out unknown parameters."""
    if type_ not in resource_types():
        raise BadRequest(f"'{type_}' is not a resource type of R4")
    used = [pair for pair in pairs if _understood(type_, pair, lenient)]
    asked = {name: [value for code, value in used if code == name] for name in controls.CONTROLS}
    size = controls.size(asked["_count"], min(page_size, page_limit), page_limit)
    return Query(
        type_,
        tuple(_criterion(type_, *pair) for pair in used if _selects(pair[0])),
        controls.sorts(asked["_sort"], type_),
        0 if controls.counts_only(asked["_summary"]) else size,
        controls.total(asked["_total"]),
        controls.includes("_include", asked["_include"], type_),
        controls.includes("_revinclude", asked["_revinclude"], type_),
        used=tuple(pair for pair in used if pair[0] != "_cursor"),
    )


def _selects(name: str) -> bool:
    return name not in controls.CONTROLS and name not in controls.ELSEWHERE


def _understood(type_: str, pair: tuple[str, str], lenient: bool) -> bool:
    try:
        if _selects(pair[0]):
            _known(type_, pair[0])
    except BadRequest:
        if not lenient:
            raise
        return False
    _check_value(*pair)
    return True


def _check_value(name: str, value: str) -> None:
    if not value:
        raise BadRequest(f"'{name}' has no value")
    if not _TEXT.match(value) or max(map(len, value.split(","))) > VALUE_LIMIT:
        raise BadRequest(f"'{name}' has a value that is too long or holds characters that are no text")


def _known(type_: str, name: str) -> tuple[Parameter, str]:
    """The parameter and the modifier of a name in a request."""
    code, _, modifier = name.partition(":")
    first = code.partition(".")[0]
    if code in controls.LATER or code in controls.CONTROLS or (first != code and first in parameters(type_)):
        raise NotSupported(f"'{name}' is legal FHIR that this server does not offer", name)
    if "." in modifier:
        raise NotSupported(f"'{name}' is a chain, and chains are not offered", name)
    parameter = parameters(type_).get(code)
    if parameter is None:
        raise _unknown(type_, code)
    if not parameter.searchable:
        raise NotSupported(f"'{code}' ({parameter.kind}) is a parameter that this server does not offer", name)
    _check_modifier(parameter, modifier)
    return parameter, modifier


def _unknown(type_: str, code: str) -> BadRequest:
    near = nearest(type_, code)
    hint = f"; did you mean '{near}'?" if near else ""
    return BadRequest(f"{type_} has no search parameter '{code[:60]}'{hint}", code[:60])


def _check_modifier(parameter: Parameter, modifier: str) -> None:
    in_the_record = parameter.code in ("_id", "_lastUpdated")
    offered = ({"not"} if parameter.code == "_id" else set()) if in_the_record else _offered(parameter)
    if not modifier or modifier in offered:
        return
    if parameter.kind == "reference" and modifier in resource_types():
        if modifier in parameter.targets:
            return
        raise BadRequest(f"'{parameter.code}' refers to {', '.join(parameter.targets)}, not to {modifier}")
    names = ", ".join(f":{one}" for one in sorted(offered)) or "none"
    what = f"{parameter.kind} parameter '{parameter.code}'"
    raise NotSupported(f"modifier ':{modifier[:40]}' is not offered for {what}; offered: {names}", parameter.code)


def _offered(parameter: Parameter) -> set[str]:
    return {"missing", *KINDS[parameter.kind].MODIFIERS}


def _criterion(type_: str, name: str, value: str) -> Criterion:
    parameter, modifier = _known(type_, name)
    values = split(value, ",")
    if not all(values):
        raise BadRequest(f"'{name}' has an empty value between its commas")
    if parameter.code == "_id":
        return Ids(tuple(f"{type_}/{plain(one)}" for one in values), modifier == "not")
    if parameter.code == "_lastUpdated":
        return Updated(tuple(_moment(plain(one)) for one in values))
    if modifier == "missing":
        return _missing(parameter, value)
    kind = KINDS[parameter.kind]
    choices = tuple(dict.fromkeys(kind.parse(parameter, one, modifier) for one in values))
    return Condition(choices, kind.rank(parameter, modifier), modifier == "not")


def _missing(parameter: Parameter, value: str) -> Condition:
    if value not in ("true", "false"):
        raise BadRequest(f"'{parameter.code}:missing' is true or false")
    start, stop = whole(parameter.key)
    pattern = rf"^{re.escape(start)}[\s\S]*{UNIT}{re.escape(parameter.part)}$" if parameter.part else None
    return Condition((Choice(start, stop, pattern),), 8, value == "true")


def _moment(text: str) -> Moment:
    """``_lastUpdated`` is a point in time, so a comparison needs one edge of the date that was asked for."""
    prefix, wanted = split_prefix(text)
    lo, hi = (_utc(edge) for edge in date.requested(wanted, "_lastUpdated"))
    match prefix:
        case "gt" | "sa":
            return Moment(start=hi)
        case "ge":
            return Moment(start=lo)
        case "lt" | "eb":
            return Moment(stop=lo)
        case "le":
            return Moment(stop=hi)
    if prefix == "ap":
        gap = max(abs(datetime.now(UTC) - lo) / 10, hi - lo)
        return Moment(lo - gap, hi + gap)
    return Moment(lo, hi, prefix == "ne")


def _utc(micros: int) -> datetime:
    last = datetime.max.replace(tzinfo=UTC)
    return last if micros >= date.LAST else min(last, datetime.min.replace(tzinfo=UTC) + timedelta(microseconds=micros))

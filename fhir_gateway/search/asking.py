"""One parameter of a request as a question: its name step by step, its values, what it asks of a record.

https://hl7.org/fhir/R4/search.html#chaining

A name may lead through references (``subject:Patient.organization.name``) and back along them
(``_has:Observation:patient:code``), and either may lie inside the other.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.problem import BadRequest, TooCostly
from fhir_gateway.search.composites import branches
from fhir_gateway.search.criteria import UNIT, Choice, Composite, Condition, Ids, Moment, Near, Updated, whole
from fhir_gateway.search.escape import plain, split
from fhir_gateway.search.folding import fold
from fhir_gateway.search.kinds import KINDS, composite, date, near, token, uri
from fhir_gateway.search.kinds.prefix import split_prefix
from fhir_gateway.search.names import known, modifiers, unknown
from fhir_gateway.search.pending import Chain, Coded, Listed, Placed, Question, Reverse, Words
from fhir_gateway.search.registry import Parameter, parameters, wholes

STEPS, TRIES = 8, 400
"""Longest way of one name, each step of which is at least one query; and types tried to follow it."""

UNCHAINED = frozenset({"identifier", "missing", "above", "below"})

_LOCAL = re.compile(r"^(?:([A-Z][A-Za-z]+)/)?([A-Za-z0-9\-.]{1,64})$")


def question(type_: str, name: str, value: str) -> Question:
    """What one name and value ask of records of the type. Raises BadRequest."""
    return _Way().question(type_, name, value)


def values(name: str, value: str) -> list[str]:
    found = split(value, ",")
    if not all(found):
        raise BadRequest(f"'{name}' has an empty value between its commas")
    return found


def compared(type_: str, name: str, operator: str, value: str) -> Question:
    """What ``_filter`` alone can ask of the string at the end of a name: one of ``text.COMPARED``."""
    return _Way(operator).question(type_, name, value)


class _Way:
    """Follows one name. Counts its tries: a reference to any type, followed by another, would have thousands."""

    def __init__(self, operator: str = "") -> None:
        self._tries, self._operator = 0, operator

    def question(self, type_: str, name: str, value: str, depth: int = 0) -> Question:
        self._tries += 1
        if depth > STEPS or self._tries > TRIES:
            raise TooCostly(f"a search goes through at most {STEPS} references; name their types", name[:60])
        if name.startswith("_has:") or name == "_has":
            return self._reverse(type_, name, value, depth)
        step, dot, rest = name.partition(".")
        if dot:
            return self._chain(known(type_, step), rest, value, depth)
        if name in ("_type", "_type:not"):
            return _typed(type_, name, values(name, value))
        if name == "_list":
            return Listed(type_, tuple(plain(one).removeprefix("List/") for one in values(name, value)))
        parameter, modifier = known(type_, name)
        if self._operator:
            return _compared(parameter, modifier, self._operator, values(name, value))
        return _asked(type_, parameter, modifier, values(name, value))

    def _chain(self, step: tuple[Parameter, str], rest: str, value: str, depth: int) -> Chain:
        parameter, modifier = step
        if parameter.kind != "reference" or modifier in UNCHAINED:
            raise BadRequest(f"'{parameter.code}' is no reference that a chain could follow", parameter.code)
        ways: list[tuple[str, Question]] = []
        problems: list[BadRequest] = []
        for target in (modifier,) if modifier else parameter.targets:
            try:
                ways.append((target, self.question(target, rest, value, depth + 1)))
            except BadRequest as problem:
                problems.append(problem)
        if not ways:
            raise min(problems, key=_vague, default=BadRequest(f"'{parameter.code}' leads nowhere"))
        return Chain(parameter.key, tuple(ways), bool(modifier))

    def _reverse(self, type_: str, name: str, value: str, depth: int) -> Reverse:
        parts = name.split(":", 3)
        if len(parts) < 4 or parts[1] not in resource_types():
            raise BadRequest("'_has' needs _has:Type:reference:parameter", "_has")
        _, source, code, rest = parts
        parameter = parameters(source).get(code)
        if parameter is None:
            raise unknown(source, code)
        if parameter.kind != "reference" or type_ not in parameter.targets:
            raise BadRequest(f"'{code}' of {source} does not refer to {type_}", "_has")
        return Reverse(type_, source, parameter.key, self.question(source, rest, value, depth + 1))


def _typed(type_: str, name: str, texts: Sequence[str]) -> Ids:
    """``_type`` of one type alone: all of its records, or none."""
    if unheard := [one for one in texts if one not in resource_types()]:
        raise BadRequest(f"'_type' names {unheard[0][:40]!r}, which is no resource type of R4", "_type")
    return Ids((), absent=(type_ in texts) == (name == "_type"))


def _vague(problem: BadRequest) -> bool:
    return "did you mean" not in problem.text


def _asked(type_: str, parameter: Parameter, modifier: str, texts: Sequence[str]) -> Question:
    if modifier == "missing" and parameter.code in ("_id", "_lastUpdated"):
        return Ids((), absent=not _is_missing(parameter, texts))
    if parameter.code in _OF_THE_RECORD:
        return _OF_THE_RECORD[parameter.code](type_, modifier, [plain(one) for one in texts])
    if modifier == "missing":
        return _missing(parameter, texts)
    if parameter.components:
        return composite.parse(branches(type_, parameter.code), parameter.code, texts, _part)
    if parameter.kind == "special":
        return Near(tuple(near.parse(parameter, one) for one in texts))
    special = _SPECIAL.get((parameter.kind, modifier))
    return special(parameter, modifier, texts) if special else _condition(parameter, modifier, texts)


def _compared(parameter: Parameter, modifier: str, operator: str, texts: Sequence[str]) -> Condition:
    if modifier or parameter.kind != "string" or not modifiers(parameter):
        raise BadRequest(f"'_filter' knows no comparison '{operator}' for '{parameter.code}'", "_filter")
    return _condition(parameter, operator, texts)


def _part(parameter: Parameter, text: str) -> Choice:
    return KINDS[parameter.kind].parse(parameter, text, "")


def _condition(parameter: Parameter, modifier: str, texts: Sequence[str]) -> Condition:
    kind = KINDS[parameter.kind]
    choices = tuple(dict.fromkeys(kind.parse(each, one, modifier) for each in parameter.each for one in texts))
    return Condition(choices, kind.rank(parameter, modifier), modifier == "not")


def _coded(parameter: Parameter, modifier: str, texts: Sequence[str]) -> Coded:
    wanted = tuple(plain(one) if modifier in ("in", "not-in") else one for one in texts)
    relation = modifier.removeprefix("not-")
    return Coded(parameter.key, relation, wanted, modifier == "not-in", parameter.part, parameter.also)


def _of_type(parameter: Parameter, modifier: str, texts: Sequence[str]) -> Composite:
    asked = [(each, one) for each in parameter.each for one in texts]
    narrow = tuple(token.parse(each, one.rpartition("|")[2], "") for each, one in asked)
    return Composite(tuple(token.of_type(each, one) for each, one in asked), (Condition(narrow, 1),))


def _above(parameter: Parameter, modifier: str, texts: Sequence[str]) -> Condition:
    above = dict.fromkeys(address for one in texts for address in uri.parents(plain(one)))
    return Condition(tuple(Choice(f"{parameter.key}:{address}{UNIT}") for address in above), 3)


def _placed(parameter: Parameter, modifier: str, texts: Sequence[str]) -> Placed:
    steps = tuple((target, key) for target in parameter.targets if (key := wholes(target)))
    return Placed(parameter.key, modifier, tuple(_place(parameter, plain(one)) for one in texts), steps)


def _place(parameter: Parameter, text: str) -> str:
    match = _LOCAL.match(text)
    type_ = match[1] or (parameter.targets[0] if len(parameter.targets) == 1 else "") if match else ""
    if match is None or not type_:
        raise BadRequest(f"'{parameter.code}' needs Type/id of what lies above or below")
    return f"{type_}/{match[2]}"


_OF_THE_RECORD: dict[str, Callable[[str, str, Sequence[str]], Question]] = {
    "_id": lambda type_, modifier, texts: Ids(tuple(f"{type_}/{one}" for one in texts), modifier == "not"),
    "_lastUpdated": lambda type_, modifier, texts: Updated(tuple(_moment(one) for one in texts)),
    "_text": lambda type_, modifier, texts: Words(tuple(fold(one) for one in texts)),
    "_content": lambda type_, modifier, texts: Words(tuple(fold(one) for one in texts), everywhere=True),
}

_SPECIAL: dict[tuple[str, str], Callable[[Parameter, str, Sequence[str]], Question]] = {
    ("token", "in"): _coded,
    ("token", "not-in"): _coded,
    ("token", "above"): _coded,
    ("token", "below"): _coded,
    ("token", "of-type"): _of_type,
    ("uri", "above"): _above,
    ("reference", "above"): _placed,
    ("reference", "below"): _placed,
}


def _is_missing(parameter: Parameter, texts: Sequence[str]) -> bool:
    if len(texts) != 1 or texts[0] not in ("true", "false"):
        raise BadRequest(f"'{parameter.code}:missing' is true or false")
    return texts[0] == "true"


def _missing(parameter: Parameter, texts: Sequence[str]) -> Condition:
    missing = _is_missing(parameter, texts)
    choices = tuple(choice for each in parameter.each for choice in _any_value(each))
    return Condition(choices, 8, missing)


def _any_value(parameter: Parameter) -> Iterator[Choice]:
    start, stop = whole(parameter.key)
    yield Choice(start, stop, _of_part(parameter, start) if parameter.part else None)
    if parameter.kind in ("token", "reference") and not parameter.part:
        # Words without a code, and an identifier without an address, are a value too.
        yield Choice(*whole(f"{parameter.key}~"))


def _of_part(parameter: Parameter, start: str) -> str:
    """Keys of the part alone; a reference to another server's record tells its type inside its address."""
    part = re.escape(parameter.part)
    address = f"|/{part}/[^/{UNIT}]+(?:/_history/[^{UNIT}]*)?{UNIT}[^{UNIT}]*" if parameter.kind == "reference" else ""
    return rf"^{re.escape(start)}[\s\S]*(?:{UNIT}{part}{address})$"


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

"""``_filter``: one expression of comparisons joined by and, or, not and parentheses.

https://hl7.org/fhir/R4/search_filter.html

Each comparison becomes the question that a parameter with a modifier or prefix asks. ``and`` and ``or`` are joined from
left to right, neither closer than the other.
"""

import re

from fhir_gateway.problem import BadRequest, TooCostly
from fhir_gateway.search.asking import compared, question
from fhir_gateway.search.kinds import text as strings
from fhir_gateway.search.names import known
from fhir_gateway.search.pending import Either, Neither, Question
from fhir_gateway.search.registry import parameters

DEPTH, COMPARISONS = 8, 30

_ORDERED = frozenset({"date", "number", "quantity"})
_COMPARED = frozenset({"gt", "lt", "ge", "le", "ap", "sa", "eb", "po"})
_MODIFIERS = {"co": "contains", "ss": "above", "sb": "below", "in": "in", "ni": "not-in"}
_TOKEN = re.compile(r'\s*(?:(?P<sign>[()])|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>[^\s()"]+))')
_SPECIAL = re.compile(r"([,$\\])")
_NAMED = re.compile(r"(^|\|)(loinc|snomed|rxnorm|ucum)\|")
_SYSTEMS = {
    "loinc": "http://loinc.org",
    "snomed": "http://snomed.info/sct",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "ucum": "http://unitsofmeasure.org",
}

_Way = tuple[Question, ...]


def questions(type_: str, text: str) -> _Way:
    """What all has to hold. Raises BadRequest."""
    reader = _Reader(type_, _tokens(text))
    way = reader.either(0)
    if reader.peek() is not None:
        raise _wrong("an end")
    return way


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong("an end to its quotes")
        at = match.end()
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
    return found


def _wrong(wanted: str) -> BadRequest:
    return BadRequest(f"'_filter' needs {wanted}", "_filter")


class _Reader:
    """Reads from left to right."""

    def __init__(self, type_: str, tokens: list[tuple[str, str]]) -> None:
        self._type, self._tokens, self._at, self._count = type_, tokens, 0, 0

    def peek(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self, wanted: str) -> tuple[str, str]:
        token = self.peek()
        if token is None:
            raise _wrong(wanted)
        self._at += 1
        return token

    def either(self, depth: int) -> _Way:
        if depth > DEPTH:
            raise TooCostly(f"'_filter' may be {DEPTH} parentheses deep", "_filter")
        ways = [self._one(depth)]
        while (joint := self.peek()) in (("word", "and"), ("word", "or")):
            self._at += 1
            part = self._one(depth)
            ways = [*ways, part] if joint == ("word", "or") else [_any(ways) + part]
        return _any(ways)

    def _one(self, depth: int) -> _Way:
        token = self._next("a parameter")
        if token == ("word", "not"):
            return (Neither(self._one(depth + 1)),) if depth < DEPTH else self.either(DEPTH + 1)
        if token != ("sign", "("):
            return (self._comparison(token[1]),)
        way = self.either(depth + 1)
        if self._next("a closing parenthesis") != ("sign", ")"):
            raise _wrong("a closing parenthesis")
        return way

    def _comparison(self, name: str) -> Question:
        self._count += 1
        if self._count > COMPARISONS:
            raise TooCostly(f"'_filter' may have {COMPARISONS} comparisons", "_filter")
        operator = self._next("a comparison")[1]
        kind, value = self._next("a value")
        return _compared(self._type, name, operator, _SPECIAL.sub(r"\\\1", _plain(value)) if kind == "text" else value)


def _any(ways: list[_Way]) -> _Way:
    return ways[0] if len(ways) == 1 else (Either(tuple(ways)),)


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _compared(type_: str, name: str, operator: str, value: str) -> Question:
    kind = _kind(type_, name)
    if kind in ("token", "quantity"):
        value = _NAMED.sub(lambda match: f"{match[1]}{_SYSTEMS[match[2]]}|", value)
    if operator == "ne":
        return _unequal(type_, name, kind, value)
    if operator == "pr":
        if value not in ("true", "false"):
            raise _wrong("true or false behind pr")
        return question(type_, f"{name}:missing", "false" if value == "true" else "true")
    if operator in _COMPARED and kind in _ORDERED:
        return _ordered(type_, name, operator, value)
    if kind == "string" and operator in strings.COMPARED:
        return compared(type_, name, operator, value)
    if operator in _MODIFIERS:
        return question(type_, f"{name}:{_MODIFIERS[operator]}", value)
    if operator == "eq" or (operator == "sw" and kind == "string") or (operator == "re" and kind == "reference"):
        return question(type_, name, value)
    raise BadRequest(
        f"'_filter' knows no comparison '{operator[:10]}' for the {kind} parameter '{name[:60]}'", "_filter"
    )


def _ordered(type_: str, name: str, operator: str, value: str) -> Question:
    if operator != "po":
        return question(type_, name, operator + value)
    # What does not lie wholly below it nor wholly above it shares something with it.
    return Either(((question(type_, name, f"ge{value}"), question(type_, name, f"le{value}")),))


def _unequal(type_: str, name: str, kind: str, value: str) -> Question:
    """There is a value, and another one than this."""
    if kind == "string":
        return Either(((compared(type_, name, "lt", value),), (compared(type_, name, "gt", value),)))
    if kind in _ORDERED:
        return question(type_, name, f"ne{value}")
    return Either(((question(type_, f"{name}:missing", "false"), Neither((question(type_, name, value),))),))


def _kind(type_: str, name: str) -> str:
    """The kind of the parameter at the end of a path."""
    first, dot, rest = name.partition(".")
    parameter, modifier = known(type_, first)
    if not dot:
        return parameter.kind
    targets = (modifier,) if modifier else parameter.targets
    kinds = {one.kind for target in targets for one in parameters(target).values() if one.code == rest}
    return _kind(targets[0], rest) if len(targets) == 1 else next(iter(sorted(kinds)), parameter.kind)

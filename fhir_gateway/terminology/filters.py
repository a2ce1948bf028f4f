"""The filters of a value set: which concepts of a code system an include takes.

https://hl7.org/fhir/R4/valueset-filter-operator.html
"""

from collections.abc import Callable, Mapping
from typing import Any

from fhir_gateway.fhir.pattern import matches_whole
from fhir_gateway.problem import Unprocessable
from fhir_gateway.terminology.system import Concept, System

Test = Callable[[Concept], bool]
Make = Callable[[System, str, str], Test]


def test(system: System, facts: Mapping[str, Any]) -> Test:
    """Whether a concept passes one filter. Raises Unprocessable for an operator or a property that is not known."""
    operator = facts.get("op")
    make = _OPERATORS.get(str(operator))
    if make is None:
        raise Unprocessable(
            "the value set has a filter with an operator unknown to R4", "ValueSet.compose.include.filter"
        )
    name = str(facts.get("property", ""))
    if not system.knows(name):
        # A filter that nothing passes would make an empty value set of a misspelt word.
        raise Unprocessable(
            f"the code system has no property '{name[:60]}' to filter by", "ValueSet.compose.include.filter.property"
        )
    return make(system, name, str(facts.get("value", "")))


def keeps_branches(facts: Mapping[str, Any]) -> bool:
    """Whether the filter takes a code only together with all that is below it."""
    return facts.get("op") in ("is-a", "descendent-of")


def values(concept: Concept, name: str) -> list[str]:
    """What a concept says under a property, as text."""
    if name in ("code", "concept"):
        return [concept.code]
    if name == "display":
        return [concept.display]
    if name == "definition":
        return [concept.definition]
    if name == "parent":
        return list(concept.parents)
    if name == "inactive":
        return [_text(concept.inactive)]
    return [_text(value) for given, _, value in concept.properties if given == name]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("code", ""))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _equals(_: System, name: str, value: str) -> Test:
    return lambda concept: value in values(concept, name)


def _is_a(system: System, _: str, value: str) -> Test:
    return lambda concept: system.subsumes(value, concept.code)


def _descendent_of(system: System, _: str, value: str) -> Test:
    return lambda concept: value in system.ancestors(concept.code)


def _is_not_a(system: System, _: str, value: str) -> Test:
    return lambda concept: not system.subsumes(value, concept.code)


def _generalizes(system: System, _: str, value: str) -> Test:
    above = system.ancestors(value) | {value}
    return lambda concept: concept.code in above


def _regex(_: System, name: str, value: str) -> Test:
    matches_whole(value, "")
    return lambda concept: any(matches_whole(value, text) for text in values(concept, name))


def _in(_: System, name: str, value: str) -> Test:
    wanted = {part.strip() for part in value.split(",")}
    return lambda concept: not wanted.isdisjoint(values(concept, name))


def _not_in(_: System, name: str, value: str) -> Test:
    unwanted = {part.strip() for part in value.split(",")}
    return lambda concept: unwanted.isdisjoint(values(concept, name))


def _exists(_: System, name: str, value: str) -> Test:
    return lambda concept: any(values(concept, name)) == (value != "false")


_OPERATORS: dict[str, Make] = {
    "=": _equals,
    "is-a": _is_a,
    "descendent-of": _descendent_of,
    "is-not-a": _is_not_a,
    "generalizes": _generalizes,
    "regex": _regex,
    "in": _in,
    "not-in": _not_in,
    "exists": _exists,
}

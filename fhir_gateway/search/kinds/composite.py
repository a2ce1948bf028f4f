"""Composite search: ``value$value``, each part as a search by its own parameter, both in one element.

https://hl7.org/fhir/R4/search.html#composite
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.composites import Branch, Part
from fhir_gateway.search.criteria import Choice, Composite, Condition, Together
from fhir_gateway.search.escape import split
from fhir_gateway.search.registry import Parameter

ParsePart = Callable[[Parameter, str], Choice]


def parse(found: Sequence[Branch], code: str, texts: Sequence[str], parse_part: ParsePart) -> Composite:
    """Any of ``texts`` in any of the elements ``found``."""
    values = [_parts(code, text, len(found[0].parts)) for text in texts]
    choices = [_together(branch, value, parse_part) for branch in found for value in values]
    wide = max(found, key=lambda branch: bool(branch.key))
    narrow = [_narrow(part, [value[at] for value in values], parse_part) for at, part in enumerate(wide.parts)]
    return Composite(tuple(choices), tuple(narrow))


def _parts(code: str, text: str, count: int) -> list[str]:
    parts = split(text, "$")
    if len(parts) != count or not all(parts):
        raise BadRequest(f"'{code}' needs {count} values joined by '$'")
    return parts


def _together(branch: Branch, texts: Sequence[str], parse_part: ParsePart) -> Together:
    parts = (part.parameter for part in branch.parts)
    if branch.key:
        parts = (replace(one, key="", part="", also=()) for one in parts)
    return Together(branch.key, tuple(parse_part(one, text) for one, text in zip(parts, texts, strict=True)))


def _narrow(part: Part, texts: Sequence[str], parse_part: ParsePart) -> Condition:
    choices = tuple(dict.fromkeys(parse_part(each, text) for each in part.parameter.each for text in texts))
    return Condition(choices, 4 if part.parameter.kind in ("token", "reference") else 6)

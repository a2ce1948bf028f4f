"""FHIRPath expressions on a FHIR value, by the one library that evaluates them here.

https://hl7.org/fhirpath/N1/
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from fhirpathpy import apply_parsed_path, parse
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models

from fhir_gateway.fhir.codec import plain
from fhir_gateway.fhir.elements import members
from fhir_gateway.problem import BadRequest

LENGTH_LIMIT = 2000

# They run as long as an expression likes, or reach out.
_REFUSED = re.compile(r"\b(repeat|aggregate|matches|matchesFull|replaceMatches|resolve|trace)\s*\(")
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'")
_EQUALS = re.compile(r"\s*([A-Za-z]+)\s*=\s*'([^'\\]*)'\s*")


def evaluate(value: Any, kind: str, expression: str, where: str) -> list[Any]:
    """What the expression gives for a value of ``kind``. BadRequest when it is no expression or not to be run."""
    if len(expression) > LENGTH_LIMIT:
        raise BadRequest(f"an expression may have {LENGTH_LIMIT} characters", where)
    if refused := _REFUSED.search(_STRING.sub("", expression)):
        raise BadRequest(f"{refused[1]}() is not offered", where)
    try:
        node = ResourceNode.create_node(plain(value), kind)
        return list(apply_parsed_path(node, _parsed(expression), {}, models["r4"]))
    except Exception as error:  # the library raises nothing more precise
        raise BadRequest("the FHIRPath expression cannot be evaluated", where) from error


def holds(value: Any, kind: str, condition: str, where: str) -> bool:
    """Whether a condition is true of the value; equality with a string needs no library."""
    simple = _EQUALS.fullmatch(condition)
    if simple and isinstance(value, dict) and _is_single_text(value, members(kind), simple[1]):
        return bool(value.get(simple[1]) == simple[2])
    return evaluate(value, kind, condition, where) == [True]


def _is_single_text(value: Mapping[str, Any], known: Mapping[str, str], name: str) -> bool:
    return name in known and isinstance(value.get(name, ""), str)


@lru_cache(maxsize=512)
def _parsed(expression: str) -> dict[str, Any]:
    parsed: dict[str, Any] = parse(expression)
    return parsed

"""FHIRPath expressions on a FHIR value, by the one library that evaluates them here.

https://hl7.org/fhirpath/N1/
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from antlr4 import CommonTokenStream, InputStream
from fhirpathpy import compile as compiled
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models
from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

from fhir_gateway.fhir import pattern
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
        typed = ResourceNode.create_node(plain(value), kind)  # type: ignore[no-untyped-call]
        return list(_compiled(expression)(typed, {}))
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


def satisfied(value: Any, kind: str, expression: str, resource: Any) -> bool:
    """Whether an invariant holds for a value inside ``resource`` (as ``plain`` gives it). BadRequest if nobody can say.

    What gives nothing holds, as a rule about what is not there. Regular expressions run in linear time.
    """
    if len(expression) > LENGTH_LIMIT:
        raise BadRequest(f"an expression may have {LENGTH_LIMIT} characters", "expression")
    refused = _REFUSED.search(_STRING.sub("", expression))
    if refused and not refused[1].startswith("matches"):
        raise BadRequest(f"{refused[1]}() is not offered", "expression")
    try:
        typed = ResourceNode.create_node(plain(value), kind)  # type: ignore[no-untyped-call]
        found = list(_invariant(expression)(typed, {"resource": resource, "rootResource": resource}))
    except Exception as error:  # the library raises nothing more precise
        raise BadRequest("the FHIRPath expression cannot be evaluated", "expression") from error
    return not found or found == [True] or (len(found) == 1 and not isinstance(found[0], bool))


def _found_by(whole: bool) -> Callable[[Any, str], list[bool]]:
    """A function of expressions that tests a text, by the engine without backtracking."""
    test = pattern.matches_whole if whole else pattern.matches
    return lambda values, expression: [test(expression, str(value)) for value in values[:1]]


_TEXT_TESTS = {
    name: {"fn": _found_by(whole), "arity": {1: ["String"]}}
    for name, whole in (("matches", False), ("matchesFull", True))
}


@lru_cache(maxsize=512)
def _invariant(expression: str) -> Callable[[Any, Any], list[Any]]:
    _must_be_whole(expression)
    return compiled(expression, models["r4"], {"userInvocationTable": _TEXT_TESTS})


@lru_cache(maxsize=512)
def _compiled(expression: str) -> Callable[[Any, Any], list[Any]]:
    _must_be_whole(expression)
    return compiled(expression, models["r4"])


def _must_be_whole(expression: str) -> None:
    """The library reads as far as it understands and drops the rest: ``a.exists()) and false`` would be true."""
    lexer = FHIRPathLexer(InputStream(expression))
    lexer.removeErrorListeners()
    parser = FHIRPathParser(CommonTokenStream(lexer))
    parser.removeErrorListeners()
    parser.entireExpression()  # type: ignore[no-untyped-call]
    if parser.getNumberOfSyntaxErrors():
        raise ValueError("not a FHIRPath expression")

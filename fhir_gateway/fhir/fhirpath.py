"""FHIRPath expressions on a FHIR value: what they give, and whether they hold.

https://hl7.org/fhirpath/N1/
"""

import re
from collections.abc import Mapping
from typing import Any

from fhir_gateway.fhir.codec import plain
from fhir_gateway.fhir.elements import members
from fhir_gateway.fhir.expression import collections, resources, values
from fhir_gateway.fhir.expression.amounts import Amount
from fhir_gateway.fhir.expression.evaluation import NotOffered, Reach, Run, Scope
from fhir_gateway.fhir.expression.items import Item, simple
from fhir_gateway.fhir.expression.moments import Moment
from fhir_gateway.fhir.expression.operators import truth
from fhir_gateway.fhir.expression.syntax import NotFhirPath, read
from fhir_gateway.problem import BadRequest

LENGTH_LIMIT = 2000

_FUNCTIONS = {**collections.FUNCTIONS, **values.FUNCTIONS, **resources.FUNCTIONS}
_EQUALS = re.compile(r"\s*([A-Za-z]+)\s*=\s*'([^'\\]*)'\s*")
_NOWHERE = Reach()


def evaluate(value: Any, kind: str, expression: str, where: str) -> list[Any]:
    """What the expression gives for a value of ``kind``. BadRequest when it is no expression or not to be run."""
    own = value.get("resourceType", kind) if isinstance(value, dict) else kind
    item = Item(plain(value), own)
    return [_given(one) for one in items(item, expression, where)]


def items(item: Item, expression: str, where: str) -> list[Item]:
    """What the expression gives for an item, with types. BadRequest when it is no expression or not to be run."""
    return _found(item, expression, where, {"resource": [item], "rootResource": [item]}, _NOWHERE)


def _given(item: Item) -> Any:
    """A value as JSON has it; moments and amounts that an expression made as their text."""
    value = simple(item) if item.is_system else item.value
    return str(value) if isinstance(value, Moment | Amount) else value


def holds(value: Any, kind: str, condition: str, where: str) -> bool:
    """Whether a condition is true of the value; equality with a string needs no evaluation."""
    simple_one = _EQUALS.fullmatch(condition)
    if simple_one and isinstance(value, dict) and _is_single_text(value, members(kind), simple_one[1]):
        return bool(value.get(simple_one[1]) == simple_one[2])
    return evaluate(value, kind, condition, where) == [True]


def _is_single_text(value: Mapping[str, Any], known: Mapping[str, str], name: str) -> bool:
    return name in known and isinstance(value.get(name, ""), str)


def satisfied(item: Item, expression: str, inside: tuple[Any, Any], reach: Reach = _NOWHERE) -> bool:
    """Whether an invariant holds for an item of a resource and of what contains it. BadRequest if nobody can say.

    What gives nothing holds, as a rule about what is not there.
    """
    named = zip(("resource", "rootResource"), inside, strict=True)
    constants = {name: [Item(one, str(one.get("resourceType")))] for name, one in named}
    found = _found(item, expression, "expression", constants, reach)
    try:
        return truth(found) is not False
    except NotFhirPath:
        return False


def _found(item: Item, expression: str, where: str, constants: Mapping[str, list[Item]], reach: Reach) -> list[Item]:
    if len(expression) > LENGTH_LIMIT:
        raise BadRequest(f"an expression may have {LENGTH_LIMIT} characters", where)
    run = Run(_FUNCTIONS, {**constants, "context": [item]}, reach)
    try:
        return run.evaluate(read(expression), Scope([item]))
    except NotOffered as error:
        raise BadRequest(str(error), where) from error
    except (NotFhirPath, RecursionError) as error:
        raise BadRequest(f"the FHIRPath expression cannot be evaluated: {error}", where) from error

"""Typed building with fhir.resources, and its opinion on a resource as a second to the gate's.

https://hl7.org/fhir/R4/resourcelist.html

The models are of R4B, the nearest there is, and alter what they hold (72.50 becomes 72.5): they look, and what was
given is what is kept.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from fhir_gateway.fhir.codec import plain
from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.resource import Resource, instant
from fhir_gateway.problem import Invalid, Issue


def build(type_name: str, **elements: Any) -> Resource:
    """A resource from elements given by name, dates as Python's own; None leaves an element out.

    Raises Invalid with the faults the model finds.
    """
    resource = {"resourceType": type_name, **_written(elements)}
    if issues := cross_check(resource):
        raise Invalid(issues[0].text, issues[0].where, tuple(issues))
    return resource


def cross_check(resource: Resource) -> list[Issue]:
    """What the model of the type finds wrong; a type that only R4 has passes unseen."""
    kind = str(resource.get("resourceType"))
    if kind not in resource_types():
        return [Issue("the resourceType is not one of R4", "resourceType", "not-supported")]
    try:
        model = get_fhir_model_class(kind)
    except ValueError:
        return []
    try:
        model.model_validate(plain(resource))
    except ValidationError as error:
        return [Issue(fault["msg"], _path(kind, fault["loc"]), "invalid") for fault in _faults(error)]
    except (KeyError, RecursionError):
        return [Issue("the model cannot read the resource", kind, "invalid")]
    return []


def _faults(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_input=False, include_context=False))


def _path(kind: str, location: Sequence[int | str]) -> str:
    return kind + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


def _written(value: Any) -> Any:
    """Dates as FHIR text, None left out, numbers untouched."""
    if isinstance(value, dict):
        return {name: _written(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    if isinstance(value, datetime):
        return instant(value)
    return value.isoformat() if isinstance(value, date) else value

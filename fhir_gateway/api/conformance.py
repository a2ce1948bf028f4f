"""$validate and the $meta operations by HTTP.

https://hl7.org/fhir/R4/resource-operation-validate.html
"""

from dataclasses import replace
from typing import Any

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.asked import answered, asked_with, reference, sent
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import without_presentation
from fhir_gateway.api.services import Services
from fhir_gateway.fhir import outcome
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.parameters import Arguments, answer, arguments, parameter
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, Issue
from fhir_gateway.records import meta as labels
from fhir_gateway.records.everything import visible
from fhir_gateway.records.journal import Touched, record
from fhir_gateway.records.step import Step
from fhir_gateway.records.write import rehearsed
from fhir_gateway.terminology import conformance, library

MODES = ("create", "update", "delete", "profile")
METHODS = {"create": "POST", "update": "PUT", "delete": "DELETE"}


async def validate(services: Services, asked: Asked) -> Answer:
    """An OperationOutcome of all faults: what is sent, or the record that is stored."""
    given, resource = await _to_validate(services, asked)
    given.only({"resource", "mode", "profile"})
    mode = given.text("mode") or ""
    if mode and mode not in MODES:
        raise BadRequest(f"'mode' is one of {', '.join(MODES)}", "mode")
    stored = await _stored(services, asked)
    issues: list[Issue] = []
    subject = resource if resource is not None else stored
    if subject is not None and mode != "delete":
        books = library.of(services.desk.store)
        issues += await conformance.faults(books, subject, asked.path("type"), given.texts("profile"))
    elif mode != "delete":
        raise BadRequest("a resource is required", "resource")
    if mode in METHODS and not any(issue.severity in ("error", "fatal") for issue in issues):
        issues += await _mode_issues(services, asked, mode, subject)
    about = (reference(asked),) if "id" in asked.params else ()
    await record(services.desk, asked.visit, "$validate", Touched(about))
    return answered(outcome.of_issues(tuple(issues)))


async def _to_validate(services: Services, asked: Asked) -> tuple[Arguments, Resource | None]:
    """The arguments, and the resource: the body itself, or a parameter in it."""
    pairs = without_presentation(asked.pairs)
    body = await sent(services, asked)
    if body is None or body["resourceType"] != "Parameters" or asked.path("type") == "Parameters":
        return arguments(pairs), body
    given = arguments(pairs, body)
    return given, given.element("resource")


async def _stored(services: Services, asked: Asked) -> Resource | None:
    if "id" not in asked.params:
        return None
    return decode_resource((await visible(services.desk, asked.visit, reference(asked), "read")).body)


async def _mode_issues(services: Services, asked: Asked, mode: str, subject: Resource | None) -> tuple[Issue, ...]:
    """What would prevent the caller from doing now what the mode says; it is tried, and nothing is written."""
    identity = asked.params.get("id")
    if mode != "create" and identity is None:
        return (Issue(f"mode {mode} is about one record, so ask it of Type/id", "mode", "required"),)
    if mode == "update" and subject is not None and subject.get("id") != identity:
        return (Issue("the resource's id must be the id of the url", f"{asked.path('type')}.id", "value"),)
    step = Step(METHODS[mode], asked.path("type"), None if mode == "create" else identity)
    fault = await rehearsed(services.desk, asked.visit, step if mode == "delete" else replace(step, resource=subject))
    return fault.issues if fault else ()


async def meta(services: Services, asked: Asked) -> Answer:
    """$meta of a record, a type, or everything."""
    (await asked_with(services, asked)).only(())
    desk, visit = services.desk, asked.visit
    if "id" in asked.params:
        return _meta(await labels.of_record(desk, visit, reference(asked)))
    return _meta(await labels.in_use(desk, visit, asked.params.get("type")))


async def meta_add(services: Services, asked: Asked) -> Answer:
    return await _changed(services, asked, remove=False)


async def meta_delete(services: Services, asked: Asked) -> Answer:
    return await _changed(services, asked, remove=True)


async def _changed(services: Services, asked: Asked, *, remove: bool) -> Answer:
    given = await asked_with(services, asked)
    given.only({"meta"})
    wanted = given.element("meta")
    if wanted is None:
        raise BadRequest("'meta' is required", "meta")
    return _meta(await labels.change(services.desk, asked.visit, reference(asked), wanted, remove=remove))


def _meta(found: dict[str, Any]) -> Answer:
    return answered(answer(parameter("return", "Meta", found)) if found else answer_of_nothing())


def answer_of_nothing() -> Resource:
    return {"resourceType": "Parameters"}

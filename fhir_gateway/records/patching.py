"""Patches applied: what each makes of the current version, checked as any resource that is to be written.

https://hl7.org/fhir/R4/http.html#patch
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.patch.document import within
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Gone, NotFound, PreconditionFailed, Problem
from fhir_gateway.records.desk import Author
from fhir_gateway.records.gate import must_conform
from fhir_gateway.records.step import Step
from fhir_gateway.records.targets import Target
from fhir_gateway.store.port import Records, Version


async def patched(store: Records, chosen: Sequence[Target], author: Author) -> list[Target]:
    """The targets, patches among them turned into the resources they make.

    Raises NotFound, Gone or Unprocessable where a patch has nothing to change, PreconditionFailed where it is meant for
    another version, Invalid where what it makes is not R4.
    """
    wanted = [target.reference for target in chosen if target.step.patch and target.reference]
    if not wanted:
        return list(chosen)
    current = await store.currents(wanted)
    made = [_made(target, current, author) if target.step.patch else target for target in chosen]
    await must_conform([target.step for target in made if target.step.patch])
    return made


def _made(target: Target, current: Mapping[str, Version], author: Author) -> Target:
    step, version = target.step, current.get(target.reference or "")
    if version is None or not author.sees(version):
        raise NotFound("there is no such resource", step.where or f"{step.type}.id")
    if version.deleted:
        raise Gone("the resource was deleted", step.where or f"{step.type}.id")
    if step.if_match is not None and step.if_match != version.number:
        place = f"{step.where}.request.ifMatch" if step.where else "If-Match"
        raise PreconditionFailed("the resource is at another version", place)
    resource = _changed(step, decode_resource(version.body))
    return replace(target, step=replace(step, resource=resource), patched=version.number)


def _changed(step: Step, resource: Resource) -> Resource:
    assert step.patch is not None
    try:
        return step.patch(resource)
    except Problem as problem:
        raise within(problem, f"{step.where}.resource") if step.where else problem from None

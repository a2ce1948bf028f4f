"""Writing: one resource or many, each commit with its AuditEvent, repeated when another writer was faster.

https://hl7.org/fhir/R4/http.html#create

Trying again after a Conflict is safe: the plan is made anew, so If-Match then fails with 412, a condition then finds
what the other writer made, and a blind update is, as FHIR means it, the last one.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, Conflict, Problem, TooCostly
from fhir_gateway.records.condition import normal, pairs
from fhir_gateway.records.desk import Author, Desk, attempts
from fhir_gateway.records.gate import must_conform
from fhir_gateway.records.journal import Touched, Visit, draft, written
from fhir_gateway.records.settle import settle
from fhir_gateway.records.step import READS, Step
from fhir_gateway.records.transaction import Plan, Result, planned
from fhir_gateway.search.query import parse
from fhir_gateway.security.access import may
from fhir_gateway.store.port import Commit

MANY = 40
"""Steps of a transaction that stands in line: a larger one would make many wait for long."""
INTERACTIONS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "read", "HEAD": "read"}


async def create(desk: Desk, visit: Visit, resource: Resource, condition: str | None = None) -> Result:
    """Store a new resource; with ``condition`` (If-None-Exist) only where nothing matches it."""
    step = Step("POST", resource["resourceType"], condition=condition, resource=resource)
    return (await run(desk, visit, [step], "create"))[0]


async def update(desk: Desk, visit: Visit, reference: str, resource: Resource, if_match: int | None = None) -> Result:
    """Replace a resource or create it under the client's id; PreconditionFailed unless it is at ``if_match``."""
    type_, _, identity = reference.partition("/")
    step = Step("PUT", type_, identity, resource=resource, if_match=if_match)
    return (await run(desk, visit, [step], "update"))[0]


async def delete(desk: Desk, visit: Visit, reference: str, if_match: int | None = None) -> Result:
    """Delete a resource; its history stays."""
    type_, _, identity = reference.partition("/")
    return (await run(desk, visit, [Step("DELETE", type_, identity, if_match=if_match)], "delete"))[0]


async def patch(desk: Desk, visit: Visit, step: Step) -> Result:
    """The current version changed by ``step.patch``; NotFound where there is nothing to change."""
    return (await run(desk, visit, [step], "patch"))[0]


async def delete_all(desk: Desk, visit: Visit, type_: str, condition: str, limit: int) -> int:
    """Delete whatever meets the condition, all of it or nothing; TooCostly when it is more than ``limit``.

    A record that changes meanwhile spoils it with PreconditionFailed: it may no longer meet the condition.
    """
    access = may(visit.caller, "delete", type_)
    query = replace(parse(type_, pairs(condition)), size=limit + 1, total="none")
    found = await desk.store.find(await settle(desk, visit, query), access.reader)
    if len(found) > limit:
        raise TooCostly(f"a condition may delete {limit} resources", "query")
    steps = [Step("DELETE", type_, version.id, if_match=version.number) for version in found]
    await run(desk, visit, steps, "delete")
    return len(steps)


async def run(desk: Desk, visit: Visit, steps: Sequence[Step], interaction: str = "transaction") -> tuple[Result, ...]:
    """All steps or none; reads among them are permitted and left for the caller to answer."""
    author = _author(desk, visit, steps)
    _must_be_itself(steps)
    await must_conform(steps)
    steps = desk.admission.admitted(steps)
    with suppress(Conflict):
        return (await _committed(desk, visit, steps, author, interaction)).results
    async with desk.lines.turn(_contended(steps)):
        async for _ in attempts():
            with suppress(Conflict):
                return (await _committed(desk, visit, steps, author, interaction)).results
    raise Conflict("other writers were faster every time; try again")


async def rehearsed(desk: Desk, visit: Visit, step: Step) -> Problem | None:
    """What would prevent the step, of a resource that conforms; nothing is written."""
    try:
        author = _author(desk, visit, [step])
        _must_be_itself([step])
        await planned(desk.store, desk.admission.admitted([step]), author, desk.now())
    except Problem as problem:
        return problem
    return None


async def _committed(desk: Desk, visit: Visit, steps: Sequence[Step], author: Author, interaction: str) -> Plan:
    plan = await planned(desk.store, steps, author, desk.now())
    touched = written(plan.changes) if plan.changes else _found(plan)
    told = draft(desk, visit, interaction, touched, plan.results[0].status if len(steps) == 1 else 200)
    if plan.changes or plan.claims:
        notes = desk.admission.notes(visit.caller, plan.changes)
        await desk.store.commit(Commit(plan.changes, plan.claims, notes=notes, drafts=(told,)))
    else:
        await desk.trail.enter(*told)
    return plan


def _contended(steps: Sequence[Step]) -> list[str]:
    """What the steps may be in others' way for."""
    writing = [step for step in steps if step.method not in READS]
    return [name for step in writing if (name := _name(step))] if len(writing) <= MANY else []


def _name(step: Step) -> str:
    """A create is in nobody's way a second time: it then finds what the other one made."""
    if step.method == "POST":
        return ""
    if step.condition is not None:
        return f"{step.type}?{normal(step.condition)}"
    return step.reference


def _found(plan: Plan) -> Touched:
    return Touched(tuple(result.version.reference for result in plan.results if result.version))


def _author(desk: Desk, visit: Visit, steps: Sequence[Step]) -> Author:
    """The caller's right to all the steps; a role is confined to the same reader in every type it may write."""
    kinds = dict.fromkeys((step.method, step.type) for step in steps if step.method not in READS)
    accesses = [may(visit.caller, INTERACTIONS[method], type_) for method, type_ in kinds]
    owner = visit.caller.organization
    confined = next((access.reader for access in accesses if access.reader is not None), None)
    return Author(confined, (owner,) if owner else (), partial(settle, desk, visit))


def _must_be_itself(steps: Sequence[Step]) -> None:
    for step in steps:
        if step.method == "PUT" and step.id is not None and step.resource and step.resource.get("id") != step.id:
            place = f"{step.where}.resource.id" if step.where else "id"
            raise BadRequest("the resource's id must be the id of the url", place)

"""Many changes as one: what a transaction Bundle would write, and the commit that writes all of it or nothing.

https://hl7.org/fhir/R4/http.html#transaction
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed
from fhir_gateway.records.condition import matches
from fhir_gateway.records.desk import Author
from fhir_gateway.records.gate import must_conform
from fhir_gateway.records.links import linked
from fhir_gateway.records.patching import patched
from fhir_gateway.records.revision import deletion, revision
from fhir_gateway.records.step import ORDER, READS, Step, steps
from fhir_gateway.records.targets import Target, targets
from fhir_gateway.records.turns import in_turns
from fhir_gateway.records.unalterable import must_be_alterable
from fhir_gateway.store.port import Change, Claim, Records, Version

PLAN_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Result:
    """What becomes of one step; ``version`` is the resource afterwards, None when nothing is there."""

    step: Step
    status: int
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit would write. ``results`` are in the order of the steps; reads among them are not answered."""

    changes: tuple[Change, ...]
    claims: tuple[Claim, ...]
    results: tuple[Result, ...]


@dataclass(slots=True)
class _Draft:
    """A plan while it grows."""

    author: Author
    now: datetime
    current: Mapping[str, Version]
    changes: list[Change] = field(default_factory=list)
    made: dict[str, Version] = field(default_factory=dict)

    def add(self, reference: str, change: Change) -> Version:
        self.changes.append(change)
        self.made[reference] = change.version
        return change.version


async def plan(store: Records, bundle: Resource, author: Author, now: datetime) -> Plan:
    """What a transaction Bundle would write, on behalf of ``author``: nothing is written yet.

    Raises Invalid for what is not R4.
    """
    asked = steps(bundle, PLAN_LIMIT, "")
    await must_conform(asked)
    return await planned(store, asked, author, now)


async def planned(store: Records, asked: Sequence[Step], author: Author, now: datetime) -> Plan:
    """As ``plan``, for steps already read."""
    places = [place for place, step in enumerate(asked) if step.method not in READS]
    places.sort(key=lambda place: ORDER[asked[place].method])
    chosen = await targets(store, [asked[place] for place in places], author)
    _must_differ(chosen)
    chosen = await linked(store, await patched(store, chosen, author), author)
    current = await store.currents([target.reference for target in chosen if target.reference and not target.fresh])
    await _must_not_be_overtaken(store, [target for target in chosen if target.claim], current, author)
    draft = _Draft(author, now, current)
    results = {}
    async for place, target in in_turns(zip(places, chosen, strict=True)):
        results[place] = _result(draft, target)
    claims = tuple(target.claim for target in chosen if target.claim)
    in_order = tuple(results.get(place, Result(step, 200)) for place, step in enumerate(asked))
    return Plan(tuple(draft.changes), claims, in_order)


async def _must_not_be_overtaken(
    store: Records, claiming: Sequence[Target], current: Mapping[str, Version], author: Author
) -> None:
    """What a condition did not find and is there by now was made in between: it may meet the condition after all."""
    for target in claiming:
        step = target.step
        if target.reference in current and target.reference in await matches(
            store, step.type, step.condition or "", author
        ):
            raise Conflict("another writer was faster than the condition", _place(step))


def _must_differ(chosen: Sequence[Target]) -> None:
    counted = Counter(target.reference for target in chosen if target.reference and not target.met)
    for target in chosen:
        if target.reference and not target.met and counted[target.reference] > 1:
            raise BadRequest("two entries of a transaction write the same resource", _place(target.step))


def _result(draft: _Draft, target: Target) -> Result:
    if target.step.method == "DELETE":
        return _deleted(draft, target)
    assert target.reference is not None
    current = draft.current.get(target.reference)
    if target.met:
        return Result(target.step, 200, draft.made.get(target.reference, current))
    _must_match(target.step, current)
    if target.patched is not None and (current is None or current.number != target.patched):
        raise Conflict("another writer was faster than the patch", _place(target.step))
    if target.claim and current is not None:
        raise PreconditionFailed("the condition matches nothing, and the resource's id is taken", _place(target.step))
    if current is not None and not draft.author.owns(current):
        raise Forbidden("this id belongs to a record that you may not replace", _place(target.step))
    assert target.step.resource is not None
    must_be_alterable(target.step.resource, current, _place(target.step))
    change = revision(target.step.resource, target.reference, current, draft.now, draft.author.readers)
    status = 201 if current is None or current.deleted else 200
    return Result(target.step, status, draft.add(target.reference, change))


def _place(step: Step) -> str | None:
    return step.where or None


def _deleted(draft: _Draft, target: Target) -> Result:
    """An id that never was and one that is hidden look alike to a confined caller."""
    current = draft.current.get(target.reference or "")
    hidden = current is None or not draft.author.sees(current)
    if target.reference and hidden and isinstance(draft.author.reader, str):
        raise NotFound("there is no such resource", _place(target.step))
    if current is None or hidden or current.deleted:
        return Result(target.step, 204)
    if not draft.author.owns(current):
        raise Forbidden("this record belongs to another hospital", _place(target.step))
    _must_match(target.step, current)
    must_be_alterable(None, current, _place(target.step))
    draft.add(current.reference, deletion(current, draft.now))
    return Result(target.step, 204)


def _must_match(step: Step, current: Version | None) -> None:
    """``if_match`` 0 asks that there be nothing yet; what is deleted is nothing."""
    number = 0 if current is None or current.deleted else current.number
    if step.if_match is not None and number != step.if_match:
        place = f"{step.where}.request.ifMatch" if step.where else "If-Match" if step.if_match else "If-None-Match"
        raise PreconditionFailed("the resource is at another version", place)

"""Which resource each step is about: ids given, ids assigned, conditions matched, one claim for each condition.

https://hl7.org/fhir/R4/http.html#ccreate

A condition that matches nothing is claimed together with the resource it makes, so of two writers one loses, looks
again and finds the other's resource. Claims are read before the search: an owner that the search then does not find
has stopped matching and may be replaced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from fhir_gateway.problem import BadRequest, NotFound, PreconditionFailed
from fhir_gateway.records.condition import matches, normal
from fhir_gateway.records.desk import Author
from fhir_gateway.records.step import Step
from fhir_gateway.records.turns import in_turns
from fhir_gateway.store.port import Claim, Records

CLAIMING = frozenset({"POST", "PUT"})


@dataclass(frozen=True, slots=True)
class Target:
    """``reference`` is None when a conditional delete matched nothing; ``met`` says that If-None-Exist did.

    ``patched`` is the number of the version that a patch was applied to; ``fresh``: the id was made up here, so nothing
    can be stored under it.
    """

    step: Step
    reference: str | None
    met: bool = False
    claim: Claim | None = None
    patched: int | None = None
    fresh: bool = False


@dataclass(slots=True)
class _Ground:
    """What is known while the steps are gone through: who owns a condition, who claims it now, what is deleted."""

    owners: Mapping[str, str]
    claimed: dict[str, str] = field(default_factory=dict)
    leaving: set[str] = field(default_factory=set)


async def targets(store: Records, steps: Sequence[Step], author: Author) -> list[Target]:
    """One Target for each step; deletions come first. Raises PreconditionFailed where a condition matches several."""
    ground = _Ground(await _owners(store, steps, author))
    found = []
    async for step in in_turns(steps):
        target = await _target(store, step, author, ground)
        if step.method == "DELETE" and target.reference:
            ground.leaving.add(target.reference)
        found.append(target)
    return found


async def _owners(store: Records, steps: Sequence[Step], author: Author) -> Mapping[str, str]:
    keys = [_key(step, author) for step in steps if step.condition is not None and step.method in CLAIMING]
    return await store.claimed(list(dict.fromkeys(keys))) if keys else {}


def _key(step: Step, author: Author) -> str:
    return f"condition|{author.named}|{step.type}?{normal(step.condition or '')}"


async def _target(store: Records, step: Step, author: Author, ground: _Ground) -> Target:
    if step.condition is None:
        return Target(step, step.reference) if step.id else Target(step, f"{step.type}/{uuid4()}", fresh=True)
    found = await matches(store, step.type, step.condition, author, ground.leaving)
    if len(found) > 1:
        raise PreconditionFailed("the condition matches more than one resource", _where(step))
    if found:
        return _matched(step, found[0])
    if step.method == "PATCH":
        raise NotFound("no resource meets the condition", _where(step))
    return Target(step, None) if step.method == "DELETE" else _claiming(step, _key(step, author), ground)


def _matched(step: Step, reference: str) -> Target:
    given = step.resource.get("id") if step.resource and step.method == "PUT" else None
    if given is not None and f"{step.type}/{given}" != reference:
        raise BadRequest("the condition matches a resource with another id", _where(step))
    return Target(step, reference, met=step.method == "POST")


def _claiming(step: Step, key: str, ground: _Ground) -> Target:
    """Nothing matches: a new resource that claims the condition, or the one an earlier step of the Bundle makes."""
    claimed = ground.claimed
    if key in claimed:
        return Target(step, claimed[key], met=True)
    given = step.resource.get("id") if step.resource and step.method == "PUT" else None
    claimed[key] = f"{step.type}/{given or uuid4()}"
    return Target(step, claimed[key], claim=Claim(key, claimed[key], ground.owners.get(key)), fresh=given is None)


def _where(step: Step) -> str:
    if not step.where:
        return "If-None-Exist" if step.method == "POST" else "query"
    return f"{step.where}.request.{'ifNoneExist' if step.method == 'POST' else 'url'}"

"""Which resource each step is about: ids given, ids assigned, conditions matched, one claim for each condition.

https://hl7.org/fhir/R4/http.html#ccreate

A condition that matches nothing is claimed together with the resource it makes, so of two writers one loses, looks
again and finds the other's resource. Claims are read before the search: an owner that the search then does not find
has stopped matching and may be replaced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from fhir_gateway.problem import BadRequest, PreconditionFailed
from fhir_gateway.records.condition import matches, normal
from fhir_gateway.records.desk import Author
from fhir_gateway.records.step import Step
from fhir_gateway.store.port import Claim, Records


@dataclass(frozen=True, slots=True)
class Target:
    """``reference`` is None when a conditional delete matched nothing; ``met`` when If-None-Exist found its resource."""

    step: Step
    reference: str | None
    fresh: bool = False
    met: bool = False
    claim: Claim | None = None


async def targets(store: Records, steps: Sequence[Step], author: Author) -> list[Target]:
    """One Target for each step, in its order. Raises PreconditionFailed where a condition matches several."""
    owners = await _owners(store, steps, author)
    known: dict[str, str] = {}
    return [await _target(store, step, author, (owners, known)) for step in steps]


async def _owners(store: Records, steps: Sequence[Step], author: Author) -> Mapping[str, str]:
    keys = [_key(step, author) for step in steps if step.condition is not None and step.method != "DELETE"]
    return await store.claimed(list(dict.fromkeys(keys))) if keys else {}


def _key(step: Step, author: Author) -> str:
    return f"condition|{author.reader or '*'}|{step.type}?{normal(step.condition or '')}"


async def _target(
    store: Records, step: Step, author: Author, claims: tuple[Mapping[str, str], dict[str, str]]
) -> Target:
    if step.condition is None:
        if step.id is None:
            return Target(step, f"{step.type}/{uuid4()}", fresh=True)
        return Target(step, step.reference)
    found = await matches(store, step.type, step.condition, author.reader)
    if len(found) > 1:
        raise PreconditionFailed("the condition matches more than one resource", _where(step))
    if found:
        return _matched(step, found[0])
    return Target(step, None) if step.method == "DELETE" else _claiming(step, _key(step, author), *claims)


def _matched(step: Step, reference: str) -> Target:
    given = step.resource.get("id") if step.resource and step.method == "PUT" else None
    if given is not None and f"{step.type}/{given}" != reference:
        raise BadRequest("the condition matches a resource with another id", _where(step))
    return Target(step, reference, met=step.method == "POST")


def _claiming(step: Step, key: str, owners: Mapping[str, str], known: dict[str, str]) -> Target:
    """Nothing matches: a new resource that claims the condition, or the one an earlier step of the Bundle makes."""
    if key in known:
        return Target(step, known[key], met=True)
    given = step.resource.get("id") if step.resource and step.method == "PUT" else None
    known[key] = f"{step.type}/{given or uuid4()}"
    return Target(step, known[key], fresh=given is None, claim=Claim(key, known[key], owners.get(key)))


def _where(step: Step) -> str:
    if not step.where:
        return "If-None-Exist" if step.method == "POST" else "query"
    return f"{step.where}.request.{'ifNoneExist' if step.method == 'POST' else 'url'}"

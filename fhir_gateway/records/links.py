"""Links inside a transaction: names that the Bundle gave become ids, conditional references become the one they match.

https://hl7.org/fhir/R4/http.html#trules
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fhir_gateway.fhir.reference import Link, parse, references, rewrite
from fhir_gateway.problem import BadRequest, PreconditionFailed
from fhir_gateway.records.condition import matches
from fhir_gateway.records.desk import Author
from fhir_gateway.records.targets import Target
from fhir_gateway.records.turns import in_turns
from fhir_gateway.store.port import Records


async def linked(store: Records, chosen: Sequence[Target], author: Author) -> list[Target]:
    """The targets with their resources' links resolved. Raises where a link leads nowhere or to several."""
    names = _names(chosen)
    async for target in in_turns(chosen):
        for link in _open_links(target):
            if link.target not in names:
                names[link.target] = await _found(store, target, link, author)
    return [_rewritten(target, names) async for target in in_turns(chosen)]


def _names(chosen: Sequence[Target]) -> dict[str, str]:
    """What entries are called inside the Bundle, and the reference each gets."""
    names: dict[str, str] = {}
    for target in chosen:
        if target.step.full_url and target.reference:
            if names.setdefault(target.step.full_url, target.reference) != target.reference:
                raise BadRequest("another entry has the same fullUrl", f"{target.step.where}.fullUrl")
            called = parse(target.step.full_url)
            if called.form == "absolute" and called.type == target.step.type:
                names[called.reference] = target.reference
    return names


def _open_links(target: Target) -> Iterator[Link]:
    resource = target.step.resource
    if resource is None or target.met:
        return
    for link in references(resource):
        if "?" in link.target or link.target.startswith(("urn:uuid:", "urn:oid:")):
            yield link


async def _found(store: Records, target: Target, link: Link, author: Author) -> str:
    inner = link.path.removeprefix(f"{target.step.type}.")
    place = f"{target.step.where}.resource.{inner}" if target.step.where else link.path
    asked = parse(link.target)
    if asked.form == "urn" and target.step.where:
        raise BadRequest("no entry of the Bundle has this fullUrl", place)
    if asked.form != "conditional" or not target.step.where:
        return link.target
    found = await matches(store, asked.type, asked.query, author)
    if len(found) != 1:
        raise PreconditionFailed(f"the conditional reference matches {'several' if found else 'no'} resources", place)
    return found[0]


def _rewritten(target: Target, names: dict[str, str]) -> Target:
    if target.step.resource is None or not names:
        return target
    return replace(target, step=replace(target.step, resource=rewrite(target.step.resource, names)))

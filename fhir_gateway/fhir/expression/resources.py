"""The functions that FHIR adds: extensions, values that are there, what a link leads to, codes of value sets.

https://hl7.org/fhir/R4/fhirpath.html#functions
"""

from collections.abc import Callable

from fhir_gateway.fhir import narrative
from fhir_gateway.fhir.elements import is_primitive
from fhir_gateway.fhir.expression.evaluation import Asked, NotOffered, described
from fhir_gateway.fhir.expression.items import Item, children, lineage, made, simple, text
from fhir_gateway.fhir.expression.operators import Collection, said, single

CORE = "http://hl7.org/fhir/StructureDefinition/"

Function = Callable[[Asked], Collection]


def _extension(asked: Asked) -> Collection:
    url = single(asked.takes(1).values(0))
    found = [child for item in asked.focus for child in children(item, "extension")]
    wanted = text(url) if url else None
    return [item for item in found if isinstance(item.value, dict) and item.value.get("url") == wanted]


def _is_value(item: Item) -> bool:
    return not item.is_system and is_primitive(item.kind) and item.value is not None


def _has_value(asked: Asked) -> Collection:
    asked.takes(0)
    return [made(len(asked.focus) == 1 and _is_value(asked.focus[0]))]


def _get_value(asked: Asked) -> Collection:
    item = single(asked.takes(0).focus)
    return [made(simple(item))] if item and _is_value(item) else []


def _resolve(asked: Asked) -> Collection:
    resolve = asked.takes(0).run.reach.resolve
    if resolve is None:
        raise NotOffered("resolve() is not offered here")
    found = (resolve(item) for item in asked.focus)
    return [item for item in found if item is not None]


def _with_address(asked: Asked, ask: Callable[[Item, str], bool | None] | None) -> Collection:
    address = single(asked.takes(1).values(0))
    item = single(asked.focus)
    if address is None or item is None:
        return []
    if asked.name == "conformsTo" and (text(address) or "").startswith(CORE):
        return [made((text(address) or "").removeprefix(CORE) in lineage(item.kind))]
    if ask is None:
        raise NotOffered(f"{asked.name}() is not offered here")
    found = ask(item, text(address) or "")
    if found is None:
        raise NotOffered(f"{asked.name}() meets what is not held here")
    return said(found)


def _html(asked: Asked) -> Collection:
    item = single(asked.takes(0).focus)
    div = simple(item) if item else None
    return [made(isinstance(div, str) and narrative.fault(div) is None)] if item else []


FUNCTIONS: dict[str, Function] = {
    "extension": _extension,
    "hasValue": _has_value,
    "getValue": _get_value,
    "resolve": _resolve,
    "memberOf": lambda asked: _with_address(asked, asked.run.reach.member_of),
    "conformsTo": lambda asked: _with_address(asked, asked.run.reach.conforms),
    "htmlChecks": _html,
    "checkModifiers": lambda asked: asked.focus,
    "type": lambda asked: [found for item in asked.takes(0).focus for found in described(item)],
}

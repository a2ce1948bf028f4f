"""The invariants of R4 that the gate has no rule for, as R4 itself writes them: asked by $validate, not of every write.

https://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from collections.abc import Iterator

from fhir_gateway.fhir import fhirpath
from fhir_gateway.fhir.definitions import constraints, types
from fhir_gateway.fhir.elements import Node, kind_of, nodes, spelt
from fhir_gateway.fhir.expression.evaluation import Reach
from fhir_gateway.fhir.expression.items import Item, children
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, Issue

ASKED_LIMIT = 20_000


def faults(path: str, resource: Resource) -> Iterator[Issue]:
    """What the resource, as ``plain`` gives it, and those inside it do against those invariants."""
    waiting: list[tuple[str, Resource]] = [(path, resource)]
    left = ASKED_LIMIT
    for where, one in waiting:
        for node in nodes((None, where, None), one["resourceType"], one):
            if node[1] == "Resource":
                waiting.append((spelt(node[0]), node[2]))
                continue
            left -= 1
            if left < 0:
                text = f"only {ASKED_LIMIT} elements were asked of their invariants"
                yield Issue(text, None, "incomplete", "information")
                return
            yield from _broken(node, one)


def _broken(node: Node, resource: Resource) -> Iterator[Issue]:
    place, kind, element = node
    item = Item(element, kind_of(kind, element))
    for key, expression in constraints().get(kind, {}).items():
        if not _holds(item, expression, resource):
            yield Issue(f"breaks {key}: {expression}", spelt(place), "invariant")
    for path, name in _LEAVES.get(kind, ()):
        for child in children(item, name):
            for key, expression in constraints()[path].items():
                if not _holds(child, expression, resource):
                    yield Issue(f"breaks {key}: {expression}", f"{spelt(place)}.{name}", "invariant")


def _holds(item: Item, expression: str, resource: Resource) -> bool:
    try:
        return fhirpath.satisfied(item, expression, (resource, resource), Reach(resolve=lambda _: None))
    except BadRequest:
        return True


def _leaves() -> dict[str, list[tuple[str, str]]]:
    """Invariants of single elements, by the class that they are elements of."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in constraints():
        owner, _, name = path.rpartition(".")
        if owner and path not in types():
            found.setdefault(owner, []).append((path, name.removesuffix("[x]")))
    return found


_LEAVES = _leaves()

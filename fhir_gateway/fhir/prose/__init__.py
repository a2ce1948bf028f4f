"""What R4 demands in words, beside its formal invariants: asked by $validate, not of every write.

https://hl7.org/fhir/R4/conformance-rules.html
"""

from collections.abc import Iterator

from fhir_gateway.fhir.elements import nodes, spelt
from fhir_gateway.fhir.prose import addresses, codes, datatypes, questions, structures, terminologies
from fhir_gateway.fhir.prose.rule import Demand, Element, Fault
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Issue

_SUBJECTS = (datatypes.DEMANDS, questions.DEMANDS, structures.DEMANDS, terminologies.DEMANDS, codes.DEMANDS)
DEMANDS: dict[str, tuple[Demand, ...]] = {
    kind: tuple(demand for each in _SUBJECTS for demand in each.get(kind, ())) for one in _SUBJECTS for kind in one
}


def faults(path: str, resource: Resource) -> Iterator[Issue]:
    """What the resource, and those inside it, do against those demands."""
    waiting: list[tuple[str, Resource]] = [(path, resource)]
    for where, one in waiting:
        yield from datatypes.repeated_ids(where, one)
        for place, kind, element in nodes((None, where, None), one["resourceType"], one):
            if kind == "Resource":
                waiting.append((spelt(place), element))
                continue
            for below, text in _broken(kind, element):
                yield Issue(text, f"{spelt(place)}.{below}", "value")


def _broken(kind: str, element: Element) -> Iterator[Fault]:
    for demand in DEMANDS.get(kind, ()):
        yield from demand(element)
    yield from addresses.wrong(kind, element)

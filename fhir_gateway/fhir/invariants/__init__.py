"""The rules of the standard that JSON Schema cannot say, by the class of the element they are about.

https://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from collections.abc import Iterator

from fhir_gateway.fhir.invariants import clinical, datatypes, definitional, documents, workflow
from fhir_gateway.fhir.invariants.rule import Element, Rule
from fhir_gateway.problem import Issue

RULES: dict[str, tuple[Rule, ...]] = {
    **clinical.RULES,
    **datatypes.RULES,
    **definitional.RULES,
    **documents.RULES,
    **workflow.RULES,
}


def faults(path: str, kind: str, element: Element) -> Iterator[Issue]:
    """The rules that an element breaks whose own datatypes are right."""
    for rule in RULES.get(kind, ()):
        if not rule.holds(element):
            yield Issue(f"{rule.text} ({rule.key})", path, "invariant")

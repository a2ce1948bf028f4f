"""The rules of the standard that JSON Schema cannot say, by the class of the element they are about.

https://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from fhir_gateway.fhir.invariants import clinical, datatypes, definitional, documents, workflow
from fhir_gateway.fhir.invariants.rule import Element, Rule

RULES: dict[str, tuple[Rule, ...]] = {
    **clinical.RULES,
    **datatypes.RULES,
    **definitional.RULES,
    **documents.RULES,
    **workflow.RULES,
}


def broken_rules(kind: str, element: Element) -> list[Rule]:
    """The rules that an element breaks whose own datatypes are right."""
    return [rule for rule in RULES.get(kind, ()) if not rule.holds(element)]

"""The invariants that R4 writes in FHIRPath and the gate has no rule for."""

from typing import Any

import pytest

from fhir_gateway.fhir.definitions import constraints
from fhir_gateway.fhir.expression.syntax import read
from fhir_gateway.fhir.invariants import RULES
from fhir_gateway.fhir.invariants.formal import faults


def found(resource: dict[str, Any]) -> list[tuple[str | None, str]]:
    return [(one.where, one.text.split()[1].rstrip(":")) for one in faults(resource["resourceType"], resource)]


@pytest.mark.parametrize(
    ("resource", "fault"),
    [
        ({"resourceType": "SearchParameter", "chain": ["x"], "type": "token"}, ("SearchParameter", "spd-2")),
        (
            {"resourceType": "ConceptMap", "group": [{"unmapped": {"mode": "fixed"}}]},
            ("ConceptMap.group[0].unmapped", "cmd-2"),
        ),
        (
            {
                "resourceType": "StructureDefinition",
                "abstract": True,
                "kind": "resource",
                "differential": {
                    "element": [
                        {"id": "a", "path": "Patient.name", "type": [{"code": "string"}, {"code": "string"}]},
                    ]
                },
            },
            ("StructureDefinition.differential.element[0]", "eld-13"),
        ),
        (
            {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "NamingSystem", "kind": "root",
             "uniqueId": [{"type": "uuid"}]}}]},
            ("Bundle.entry[0].resource", "nsd-1"),
        ),
    ],
)  # fmt: skip
def test_a_broken_invariant_is_told_with_its_place(resource, fault):
    assert fault in found(resource)


def test_each_of_them_can_be_read_and_has_no_rule_beside_it():
    keys = {(path, rule.key) for path, rules in RULES.items() for rule in rules}
    for path, listed in constraints().items():
        for key, expression in listed.items():
            assert read(expression)
            assert (path, key) not in keys


def test_an_element_that_is_no_object_is_asked_too():
    element = {"id": "a", "path": "Patient.name", "max": "-1"}
    definition = {"resourceType": "StructureDefinition", "differential": {"element": [element]}}

    assert ("StructureDefinition.differential.element[0].max", "eld-3") in found(definition)

"""Search expressions as closures, held against a full FHIRPath engine."""

import json
import re
from collections import defaultdict
from pathlib import Path as File
from typing import Any

import pytest

from fhir_gateway.search.paths import compile_paths
from fhir_gateway.search.registry import parameters

CORPUS = File(__file__).resolve().parents[2].parent / "shared" / "corpus" / "fhir-r4"
A_TYPE = 3
"""Resources of one type that are compared: the engine needs milliseconds for a union."""


def found(expression: str, resource: dict[str, Any]) -> list[Any]:
    paths = compile_paths(expression, resource["resourceType"])
    return [
        value
        for path in paths
        for member, child in resource.items()
        if path.begins(member)
        for value in path.values(child)
    ]


OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "statusHistory": "no",
    "valueQuantity": {"value": 5},
    "subject": {"reference": "Patient/1"},
    "component": [{"valueString": "a"}, {"valueQuantity": {"value": 6}}],
    "note": [{"text": "a"}, {"text": "b", "extension": [{"url": "urn:other"}, {"url": "urn:mine"}]}],
    "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}, None],
}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("Observation.status", ["final"]),
        ("Observation.value", [{"value": 5}]),
        ("(Observation.value as Quantity) | (Observation.component.value as Quantity)", [{"value": 5}, {"value": 6}]),
        ("Observation.component.value.ofType(string)", ["a"]),
        ("Observation.value as CodeableConcept", None),
        ("(Observation.value as CodeableConcept).text", []),
        ("Observation.subject.where(resolve() is Patient)", [{"reference": "Patient/1"}]),
        ("Observation.subject.where(resolve() is Group)", []),
        ("Observation.telecom.where(system='email').value", ["2"]),
        ("Observation.note.where(hasExtension('urn:mine')).text", ["b"]),
        ("Patient.name | Observation.status", ["final"]),
    ],
)
def test_an_expression_finds_what_it_names(expression: str, values: list[Any] | None) -> None:
    if values is None:
        with pytest.raises(ValueError, match="not a search expression"):
            compile_paths(expression, "Observation")
    else:
        assert found(expression, OBSERVATION) == values


def test_a_position_takes_one_item() -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {"id": "a"}}, {"resource": {"id": "b"}}]}
    assert found("Bundle.entry[0].resource", bundle) == [{"id": "a"}]


def corpus() -> list[dict[str, Any]]:
    by_type: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for file in sorted(CORPUS.glob("*.json")):
        resource = json.loads(file.read_text(encoding="utf-8"))
        if len(by_type[resource["resourceType"]]) < A_TYPE and file.stat().st_size < 40_000:
            by_type[resource["resourceType"]].append(resource)
    return [resource for resources in by_type.values() for resource in resources]


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not on this machine")
def test_closures_find_what_a_full_engine_finds() -> None:
    fhirpathpy = pytest.importorskip("fhirpathpy")
    from fhirpathpy.models import models  # noqa: PLC0415 - optional, and slow to load

    compared, differing = 0, []
    for resource in corpus():
        for parameter in parameters(resource["resourceType"]).values():
            if not parameter.sortable or "resolve()" in parameter.expression:
                continue
            expected = oracle(fhirpathpy, parameter.expression, resource, models["r4"])
            if expected is None or parameter.code in ("_id", "deceased", "near"):
                continue
            ours = found(parameter.expression, resource)
            compared += 1
            if normal(ours) != normal(expected):
                differing.append((resource["resourceType"], resource.get("id"), parameter.code))
    assert compared > 1000
    assert differing == []


def oracle(engine: Any, expression: str, resource: dict[str, Any], model: Any) -> list[Any] | None:
    """Its answer, or None where it cannot say: inherited types, casts of collections."""
    type_ = resource["resourceType"]
    expression = re.sub(r"hasExtension\(('[^']+')\)", r"extension.where(url=\1).exists()", expression)
    own = [one.strip() for one in expression.split("|") if one.strip().lstrip("(").partition(".")[0] == type_]
    try:
        return engine.evaluate(resource, " | ".join(own), model=model) if own else None
    except ValueError:
        return None


def normal(values: list[Any]) -> list[str]:
    """Distinct values as text: a union drops repeats, and the engine turns numbers into decimals."""
    return sorted({json.dumps(value, sort_keys=True, default=str).strip('"') for value in values})

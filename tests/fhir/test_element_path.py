"""Paths to elements: asked by people, written by ledgers, and what lies there."""

import pytest

from fhir_gateway.fhir.element_path import Step, asked, covers, values, written
from fhir_gateway.problem import BadRequest

PATIENT = {"name": [{"family": "Trần"}, {"given": ["An", "Bình"]}], "_birthDate": {"extension": [{"url": "x"}]}}


@pytest.mark.parametrize(
    ("kind", "path", "steps"),
    [
        ("Patient", "name[0].family", (Step(("name",), 0), Step(("family",)))),
        ("Patient", "Patient.name", (Step(("name",)),)),
        ("Patient", "Patient", ()),
        ("Patient", "", ()),
        ("Patient", "deceased", (Step(("deceasedBoolean", "deceasedDateTime")),)),
        ("Observation", "value.ofType(Quantity).value", (Step(("valueQuantity",)), Step(("value",)))),
        ("Patient", "_birthDate", (Step(("_birthDate",)),)),
    ],
)
def test_a_path_is_understood_as_fhirpath_writes_it(kind, path, steps):
    assert asked(kind, path) == steps


@pytest.mark.parametrize("path", ["nam", "name.where(use='old')", "name[x]", "name..given", "status", ".name"])
def test_a_path_the_type_does_not_have_is_refused_at_its_step(path):
    with pytest.raises(BadRequest) as refused:
        asked("Patient", path)
    assert refused.value.issues[0].where == "path"


@pytest.mark.parametrize(
    ("one", "other", "meant"),
    [
        ("name[0].family", "name", True),
        ("name", "name[0].family", True),
        ("name[0]", "name[1].family", False),
        ("name[0].family", "name[0].given", False),
        ("identifier.value", "identifier[2].value", True),
        ("", "name", True),
    ],
)
def test_a_path_means_what_is_below_it_and_what_it_is_a_part_of(one, other, meant):
    assert covers(written(one), written(other)) is meant


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("name[0].family", ["Trần"]),
        ("name.given", ["An", "Bình"]),
        ("name[1].given[0]", ["An"]),
        ("name[7].given", []),
        ("birthDate.extension.url", ["x"]),
        ("gender", []),
    ],
)
def test_what_lies_at_a_path_is_given_one_by_one(path, found):
    assert list(values(PATIENT, written(path))) == found

import pytest

from fhir_gateway.fhir.patch.path import find, parse
from fhir_gateway.problem import BadRequest, Unprocessable

PATIENT = {
    "resourceType": "Patient",
    "name": [
        {"use": "official", "given": ["An", "Bình"], "family": "Lê (x)"},
        {"use": "usual", "given": ["Chi"], "extension": [{"url": "u", "valueCode": "c"}]},
    ],
    "deceasedDateTime": "2020",
}


def values(text):
    return [node.content.value for node in find(PATIENT, parse(text, "path"), "path")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient.name.given", ["An", "Bình", "Chi"]),
        ("name[1].given", ["Chi"]),
        ("Patient.name.where(use = 'official').given[1]", ["Bình"]),
        ("Patient.name.where(family = 'Lê (x)').use", ["official"]),
        ("Patient.name.where(given.count() > 1 and use != 'old').use", ["official"]),
        ("Patient.name.first().given.last()", ["Bình"]),
        ("Patient.name.given.skip(1).take(1)", ["Bình"]),
        ("Patient.name.tail().use", ["usual"]),
        ("Patient . name [ 0 ] . use", ["official"]),
        ("Patient.deceased", ["2020"]),
        ("Patient.deceased.ofType(dateTime)", ["2020"]),
        ("Patient.deceased.ofType(boolean)", []),
        ("Patient.name.extension('u').value", ["c"]),
        ("Patient.`name`[0].use.single()", ["official"]),
        ("Patient.photo.url", []),
        ("Patient.name.given.where($this = 'Bình')", ["Bình"]),
        ("Patient.name.where(extension.where(url = 'u').value = 'c').use", ["usual"]),
        ("Patient.name[7]", []),
    ],
)
def test_a_path_leads_to_the_elements_it_names(text, expected):
    assert values(text) == expected


@pytest.mark.parametrize("text", ["Patient.nam", "Patient.name.use.foo", "Patient.name.single()"])
def test_a_path_that_r4_does_not_know_is_unprocessable(text):
    with pytest.raises(Unprocessable) as caught:
        values(text)
    assert caught.value.issues[0].where == "path"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Patient..name",
        "Patient.name.",
        "Patient name",
        "[0]",
        "Patient.name.where(use='x'",
        "Patient.name.resolve()",
        "Patient.name.where(use = )",
        "Patient.name.skip(x)",
        "Patient.name.extension(u)",
        "Patient." + "name." * 1000,
    ],
)
def test_what_is_no_path_is_a_bad_request(text):
    with pytest.raises(BadRequest):
        values(text)

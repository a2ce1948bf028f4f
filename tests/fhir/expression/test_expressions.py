"""FHIRPath: what expressions give, by the rules of N1 and of R4."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir import fhirpath
from fhir_gateway.fhir.expression.evaluation import Reach
from fhir_gateway.fhir.expression.items import Item
from fhir_gateway.fhir.fhirpath import evaluate, satisfied
from fhir_gateway.problem import BadRequest

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "active": True,
    "gender": "male",
    "birthDate": "1974-12-25",
    "_birthDate": {"extension": [{"url": "http://x/time", "valueDateTime": "1974-12-25T14:35:45-05:00"}]},
    "deceasedBoolean": False,
    "name": [
        {"use": "official", "family": "Chalmers", "given": ["Peter", "James"]},
        {"use": "usual", "given": ["Jim"], "period": {"start": "2001"}},
    ],
    "contained": [{"resourceType": "Organization", "id": "o", "name": "A"}],
    "managingOrganization": {"reference": "#o"},
}
WEIGHT: dict[str, Any] = {
    "resourceType": "Observation",
    "valueQuantity": {
        "value": Decimal("185.50"),
        "unit": "lbs",
        "system": "http://unitsofmeasure.org",
        "code": "[lb_av]",
    },
}


def given_by(expression: str, resource: dict[str, Any] = PATIENT) -> list[Any]:
    return evaluate(resource, resource["resourceType"], expression, "expression")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Patient.name.given", ["Peter", "James", "Jim"]),
        ("name.given.count()", [3]),
        ("Observation.name", []),
        ("name.where(use = 'usual').given", ["Jim"]),
        ("name.given.skip(1).first()", ["James"]),
        ("name[1].given", ["Jim"]),
        ("name.given[7]", []),
        ("(name.given | 'Jim' | 'Ann').count()", [4]),
        ("name.given.combine('Jim').count()", [4]),
        ("name.select(given.count())", [2, 1]),
        ("name.repeat(period).start", ["2001"]),
        ("name.given.aggregate($total + $this.length(), 0)", [13]),
        ("descendants().ofType(HumanName).count()", [2]),
        ("deceased", [False]),
        ("deceased is boolean", [True]),
        ("gender is string", [True]),
        ("gender.ofType(string)", []),
        ("gender.ofType(code)", ["male"]),
        ("active is System.Boolean", [False]),
        ("1 is Integer", [True]),
        ("name.first().type().name", ["HumanName"]),
        ("contained.first() is Organization", [True]),
        ("birthDate.extension('http://x/time').value", ["1974-12-25T14:35:45-05:00"]),
        ("birthDate.hasValue() and name.hasValue().not()", [True]),
        ("birthDate < @1975", [True]),
        ("birthDate = @1974-12", []),
        ("birthDate > @1974-12", []),
        ("birthDate + 7 days", ["1975-01-01"]),
        ("@2024-01-31 + 1 month", ["2024-02-29"]),
        ("@2024-02-29 - 1 year", ["2023-02-28"]),
        ("@T23:30 + 45 minutes", ["00:15"]),
        ("@2020-01-01T00:00:00.000+07:00 = @2019-12-31T17:00:00.000Z", [True]),
        ("@2020-01-01T00:00:00Z = @2020-01-01T00:00:00", []),
        ("1 day = 24 hours", [True]),
        ("1 month = 1 'mo'", []),
        ("1 month ~ 1 'mo'", [True]),
        ("1 'm' = 100 'cm'", [True]),
        ("1 'm' > 2 's'", []),
        ("2 'cm' * 3 'cm' = 6 'cm2'", [True]),
        ("1.0 = 1", [True]),
        ("1.05 ~ 1.1", [True]),
        ("'Ab  c' ~ 'ab c'", [True]),
        ("(1 | 2) ~ (2 | 1)", [True]),
        ("(1 | 2) = (2 | 1)", [False]),
        ("{} = 1", []),
        ("{} or true", [True]),
        ("{} and false", [False]),
        ("{} implies true", [True]),
        ("true xor {}", []),
        ("1 | 1 is Integer", [1, True]),
        ("-5 mod 3", [-2]),
        ("7 div 2", [3]),
        ("1 / 0", []),
        ("'a' & {} & 'b'", ["ab"]),
        ("'a' + {}", []),
        ("'abcd'.substring(1, 2)", ["bc"]),
        ("'a.b'.matches('a.b') and 'aXb'.matches('^a\\\\.b$').not()", [True]),
        ("'a\nb'.matches('a.b')", [True]),
        ("'a,b'.split(',')", ["a", "b"]),
        ("name.given.join('-')", ["Peter-James-Jim"]),
        ("'1.50'.toDecimal().toString()", ["1.50"]),
        ("'x'.toInteger()", []),
        ("'2015-02-30T'.convertsToDate()", [False]),
        ("true.toString()", ["true"]),
        ("'4 days'.toQuantity() = 4 'd'", [True]),
        ("iif(active, 'yes', 1 / 'no')", ["yes"]),
        ("{}.iif(empty(), 1, 2)", [1]),
        ("name.all(given.exists())", [True]),
        ("name.family.exists() and name.tail().family.empty()", [True]),
        ("%`vs-administrative-gender`", ["http://hl7.org/fhir/ValueSet/administrative-gender"]),
        ("%vs-x-y", ["http://hl7.org/fhir/ValueSet/x-y"]),
        ("%resource.active", [True]),
        ("2.power(10) + 9.sqrt() + 1.5.round(0)", [Decimal("1029.0")]),
        ("(-1.5).abs() + 1.2.ceiling() + 1.8.truncate()", [Decimal("4.5")]),
        ("'x' in ('x' | 'y') and ('x' | 'y') contains 'y'", [True]),
        ("$this.conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')", [True]),
    ],
)
def test_an_expression_gives_what_the_standard_says(expression, expected):
    found = given_by(expression)

    assert found == expected
    assert [type(one) for one in found] == [type(one) for one in expected]


@pytest.mark.parametrize(
    "expression",
    [
        "Patient.",
        "name.where(",
        "1 +",
        "'a",
        "name given",
        "@2020-13",
        "name.nope()",
        "name.single()",
        "name.first(1)",
        "1 > 'a'",
        "'a' - 'b'",
        "name.ofType(Nothing)",
        "%nothing",
        "name.where($total)[",
        "$index",
        "gender.replaceMatches('(a+)+$', '')",
        "managingOrganization.resolve()",
        "gender.memberOf('http://x')",
        "(" * 3000,
        "descendants().select(%resource.descendants()).select(%resource.descendants()).select(%resource.descendants())",
    ],
)
def test_what_is_no_expression_or_may_not_be_run_is_a_bad_request(expression):
    with pytest.raises(BadRequest):
        given_by(expression)


def test_a_quantity_of_a_record_compares_with_one_of_the_expression():
    assert given_by("value > 80 'kg' and value < 85 'kg'", WEIGHT) == [True]
    assert given_by("value.value.toString()", WEIGHT) == ["185.50"]


def test_links_value_sets_and_profiles_are_asked_where_there_is_somebody_to_ask():
    organization = Item(PATIENT["contained"][0], "Organization")
    reach = Reach(lambda _: organization, lambda item, url: url == "http://x/vs" and item.value == "male")
    inside = (PATIENT, PATIENT)
    patient = Item(PATIENT, "Patient")

    assert satisfied(patient, "managingOrganization.resolve().name = 'A'", inside, reach)
    assert satisfied(patient, "gender.memberOf('http://x/vs')", inside, reach)
    assert not satisfied(patient, "gender.memberOf('http://x/other')", inside, reach)


def test_an_invariant_about_what_is_not_there_holds():
    assert satisfied(Item({}, "HumanName"), "family.matches('^[A-Z]')", ({}, {}))
    assert not satisfied(Item({"family": "x"}, "HumanName"), "family.matches('^[A-Z]')", ({}, {}))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abA.()[]'%$@ 0123T:-+*/|=~<>{},\\`\n", max_size=40))
def test_no_text_breaks_the_reader(text):
    with suppress(BadRequest):
        assert isinstance(fhirpath.evaluate(PATIENT, "Patient", text, "expression"), list)

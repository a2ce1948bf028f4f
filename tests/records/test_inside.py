"""Contained resources: found by chains, by themselves, told with or without what they lie in."""

from collections.abc import Callable
from typing import Any

import pytest

from fhir_gateway.problem import NotSupported, TooCostly
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import Page, search
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import update
from fhir_gateway.search.query import parse

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
Element = dict[str, Any]
ALONE = ("_containedType", "contained")
TRUE, BOTH = ("_contained", "true"), ("_contained", "both")


def _medication(id_: str, code: str, **more: Any) -> Element:
    return {"resourceType": "Medication", "id": id_, "code": {"coding": [{"system": "urn:c", "code": code}]}, **more}


def _request(id_: str, *contained: Element, **more: Any) -> Element:
    link = {"medicationReference": {"reference": f"#{contained[0]['id']}"}} if contained else {}
    facts = {"status": "active", "intent": "order", "subject": {"reference": "Patient/p"}}
    within = {"contained": [*contained]} if contained else {}
    return {"resourceType": "MedicationRequest", "id": id_, **facts, **within, **link, **more}


async def _write(desk: Desk, visit: Visit, *resources: Element) -> None:
    for one in resources:
        await update(desk, visit, f"{one['resourceType']}/{one['id']}", one)


def names(page: Page) -> list[str]:
    return [version.reference for version in page.matches]


@pytest.fixture
async def admin(desk: Desk, visit_of: VisitOf) -> Visit:
    visit = visit_of("admin")
    await _write(
        desk,
        visit,
        _medication("free", "abc", status="active"),
        {"resourceType": "Organization", "id": "maker", "name": "Dược Hạ Long"},
        _request("23", _medication("m1", "abc", status="active", manufacturer={"reference": "Organization/maker"})),
        _request("24", _medication("m1", "xyz", status="inactive")),
        _request("25", medicationReference={"reference": "Medication/free"}),
    )
    return visit


async def ask(desk: Desk, visit: Visit, type_: str, *pairs: tuple[str, str]) -> list[str]:
    return names(await search(desk, visit, type_, pairs))


async def test_a_chain_leads_into_contained_resources(desk: Desk, admin: Visit) -> None:
    async def found(*pairs: tuple[str, str]) -> list[str]:
        return [one.removeprefix("MedicationRequest/") for one in await ask(desk, admin, "MedicationRequest", *pairs)]

    assert await found(("medication.code", "abc")) == ["23", "25"]
    assert await found(("medication.code", "urn:c|xyz")) == ["24"]
    assert await found(("medication:Medication.status", "active")) == ["23", "25"]
    assert await found(("medication.code", "abc"), ("medication.status", "inactive")) == []
    assert await found(("medication.manufacturer.name", "duoc")) == ["23"]
    assert await found(("medication.code", "nothing")) == []
    assert await found(("_filter", 'medication.code eq "abc"')) == ["23", "25"]


async def test_two_values_are_asked_of_one_contained_resource_together(desk: Desk, admin: Visit) -> None:
    def result(name: str, code: str, value: float) -> Element:
        coding = {"coding": [{"system": "urn:l", "code": code}]}
        quantity = {"value": value, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}
        return {"resourceType": "Observation", "id": name, "status": "final", "code": coding, "valueQuantity": quantity}

    body = {"resourceType": "DiagnosticReport", "id": "r", "status": "final", "code": {"text": "x"}}
    within = {"contained": [result("a", "K", 5), result("b", "NA", 140)]}
    await _write(desk, admin, {**body, **within, "result": [{"reference": "#a"}, {"reference": "#b"}]})
    await _write(desk, admin, result("free", "K", 5))
    await _write(desk, admin, {**body, "id": "linked", "result": [{"reference": "Observation/free"}]})

    async def found(value: str) -> list[str]:
        return await ask(desk, admin, "DiagnosticReport", ("result.code-value-quantity", value))

    assert await found("urn:l|K$gt4") == ["DiagnosticReport/linked", "DiagnosticReport/r"]
    assert await found("urn:l|NA$gt100") == ["DiagnosticReport/r"]
    assert await found("urn:l|K$gt100") == []
    assert await ask(desk, admin, "Observation", ("code-value-quantity", "K$gt100"), TRUE) == []


async def test_a_chain_finds_each_of_two_contained_resources_by_its_date(desk: Desk, admin: Visit) -> None:
    facts = [
        {"resourceType": "Observation", "id": f"o{year}", "status": "final", "code": {"text": "x"}}
        | {"effectiveDateTime": year}
        for year in ("2020", "2022")
    ]
    links = [{"reference": f"#{one['id']}"} for one in facts]
    report = {"resourceType": "DiagnosticReport", "id": "r", "status": "final", "code": {"text": "x"}}
    await _write(desk, admin, {**report, "contained": facts, "result": links})

    found = [await ask(desk, admin, "DiagnosticReport", ("result.date", year)) for year in ("2020", "2021", "2022")]
    assert found == [["DiagnosticReport/r"], [], ["DiagnosticReport/r"]]


async def test_a_chain_goes_on_from_one_contained_resource_to_another(desk: Desk, admin: Visit) -> None:
    maker = {"resourceType": "Organization", "id": "o", "name": "Quảng Ninh", "active": True}
    await _write(desk, admin, _request("27", _medication("m", "own", manufacturer={"reference": "#o"}), maker))

    for name, value in (("name", "quang"), ("active", "true"), ("name:contains", "ninh")):
        asked = (f"medication:Medication.manufacturer.{name}", value)
        assert await ask(desk, admin, "MedicationRequest", asked) == ["MedicationRequest/27"]
    assert await ask(desk, admin, "MedicationRequest", ("medication.manufacturer.name", "ha")) == []


async def test_a_chain_leads_from_a_linked_record_into_what_that_contains(desk: Desk, admin: Visit) -> None:
    within = {"resourceType": "Organization", "id": "o", "name": "Quảng Ninh"}
    patient = {"resourceType": "Patient", "id": "p", "contained": [within], "managingOrganization": {"reference": "#o"}}
    fact = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}}
    await _write(desk, admin, patient, fact | {"subject": {"reference": "Patient/p"}})

    for name, value in (("name", "quang"), ("name:exact", "Quảng Ninh"), ("identifier:missing", "true")):
        asked = (f"subject:Patient.organization.{name}", value)
        assert await ask(desk, admin, "Observation", asked) == ["Observation/o"]
    assert await ask(desk, admin, "Observation", ("subject:Patient.organization.name", "ha")) == []


async def test_a_chain_leads_only_along_its_own_reference(desk: Desk, admin: Visit) -> None:
    inside = {"resourceType": "Practitioner", "id": "d", "name": [{"family": "Vũ"}]}
    patient = {"resourceType": "Patient", "id": "x", "name": [{"family": "Lê"}]}
    body = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}}
    links = {"subject": {"reference": "#x"}, "performer": [{"reference": "#d"}]}
    await _write(desk, admin, {**body, **links, "contained": [inside, patient]})

    assert await ask(desk, admin, "Observation", ("performer:Practitioner.name", "vu")) == ["Observation/o"]
    assert await ask(desk, admin, "Observation", ("subject.name", "le")) == ["Observation/o"]
    assert await ask(desk, admin, "Observation", ("patient.name", "le")) == ["Observation/o"]
    assert await ask(desk, admin, "Observation", ("subject.name", "vu")) == []
    assert await ask(desk, admin, "Observation", ("performer:Practitioner.name", "le")) == []


PERSON = {
    "identifier": [{"system": "urn:mrn", "value": "7", "type": {"coding": [{"system": "urn:t", "code": "MR"}]}}],
    "name": [{"family": "Đào", "given": ["Thị Lan"]}],
    "birthDate": "1980-02-01",
    "gender": "female",
    "telecom": [{"system": "phone", "value": "0912"}],
    "address": [{"city": "Hạ Long"}],
    "managingOrganization": {"reference": "Organization/maker"},
}
ALIKE = {
    "name=dao": True,
    "name:exact=Đào": True,
    "name:exact=Dao": False,
    "name:contains=ao": True,
    "family=dao": True,
    "given=dao": False,
    "address-city=ha long": True,
    "phone=0912": True,
    "email=0912": False,
    "identifier=urn:mrn|7": True,
    "identifier=urn:mrn|": True,
    "identifier=|7": False,
    "birthdate=1980": True,
    "birthdate=lt1980-02-01": False,
    "birthdate=ge1980-02,1970": True,
    "gender=female": True,
    "gender=http://hl7.org/fhir/administrative-gender|female": True,
    "gender:not=male": True,
    "gender:not=female": False,
    "birthdate:missing=true": False,
    "death-date:missing=true": True,
    "name:missing=false": True,
    "organization=maker": True,
    "organization.name=duoc": True,
    "organization.name=other": False,
    "deceased=false": True,
}


async def test_a_chain_asks_what_is_contained_as_it_asks_what_is_linked(desk: Desk, admin: Visit) -> None:
    fact = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    person = {"resourceType": "Patient", "id": "x", **PERSON}
    linked = fact | {"id": "linked", "subject": {"reference": "Patient/x"}}
    holding = fact | {"id": "holding", "subject": {"reference": "#x"}, "contained": [person]}
    await _write(desk, admin, person, linked, holding, fact | {"id": "neither"})

    for asked, there in ALIKE.items():
        name, _, value = asked.partition("=")
        found = await ask(desk, admin, "Observation", (f"subject:Patient.{name}", value))
        assert found == (["Observation/holding", "Observation/linked"] if there else []), asked
    for asked in ("name:contains=ao", "identifier=urn:mrn|7", "gender:not=female", "birthdate=lt1980-02-01"):
        name, _, value = asked.partition("=")
        inside = await ask(desk, admin, "Patient", (name, value), TRUE)
        assert inside == (["Observation/holding"] if ALIKE[asked] else []), asked


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        ([("code", "abc")], ["Medication/free"]),
        ([("code", "abc"), TRUE], ["MedicationRequest/23"]),
        ([("code", "abc"), TRUE, ALONE], ["MedicationRequest/23#m1"]),
        ([("code", "abc"), BOTH], ["Medication/free", "MedicationRequest/23"]),
        ([("code", "abc"), BOTH, ALONE], ["Medication/free", "MedicationRequest/23#m1"]),
        ([TRUE, ALONE], ["MedicationRequest/23#m1", "MedicationRequest/24#m1"]),
        ([("code:not", "abc"), TRUE, ALONE], ["MedicationRequest/24#m1"]),
        ([("manufacturer.name", "duoc"), TRUE], ["MedicationRequest/23"]),
        ([("_id", "m1"), TRUE], ["MedicationRequest/23", "MedicationRequest/24"]),
        ([("code", "abc"), ("status", "inactive"), TRUE], []),
        ([TRUE, ALONE, ("_sort", "-code")], ["MedicationRequest/24#m1", "MedicationRequest/23#m1"]),
        ([BOTH, ("_sort", "-_id")], ["MedicationRequest/24", "MedicationRequest/23", "Medication/free"]),
    ],
)
async def test_contained_resources_are_found_where_that_is_asked(
    desk: Desk, admin: Visit, pairs: list[tuple[str, str]], found: list[str]
) -> None:
    page = await search(desk, admin, "Medication", pairs)
    assert (names(page), page.total) == (found, len(found))


async def test_one_contained_resource_has_to_meet_all_that_is_asked(desk: Desk, admin: Visit) -> None:
    two = (_medication("a", "abc", status="inactive"), _medication("b", "def", status="active"))
    await _write(desk, admin, _request("26", *two, supportingInformation=[{"reference": "#b"}]))

    asked = [("code", "def"), ("status", "inactive"), TRUE]
    assert await ask(desk, admin, "Medication", *asked) == []
    assert await ask(desk, admin, "Medication", ("code", "def"), ("status", "active"), TRUE, ALONE) == [
        "MedicationRequest/26#b"
    ]


async def test_a_contained_resource_is_found_by_another_one_that_it_points_at(desk: Desk, admin: Visit) -> None:
    maker = {"resourceType": "Organization", "id": "o", "name": "Quảng Ninh", "active": True}
    await _write(desk, admin, _request("28", _medication("m", "own", manufacturer={"reference": "#o"}), maker))

    for name, value in (("name", "quang"), ("name:exact", "Quảng Ninh"), ("active", "true")):
        asked = (f"manufacturer.{name}", value)
        assert await ask(desk, admin, "Medication", asked, TRUE, ALONE) == ["MedicationRequest/28#m"]
    assert await ask(desk, admin, "Medication", ("manufacturer.name", "ha"), TRUE) == []


async def test_what_no_parameter_points_at_is_found_too(desk: Desk, admin: Visit) -> None:
    about = {"url": "http://example.org/about", "valueReference": {"reference": "#m"}}
    body = {"resourceType": "Basic", "id": "b", "code": {"text": "x"}, "extension": [about]}
    await _write(desk, admin, {**body, "contained": [_medication("m", "abc")]})
    assert "Basic/b#m" in await ask(desk, admin, "Medication", ("code", "abc"), TRUE, ALONE)


async def test_pages_of_contained_resources_follow_each_other_both_ways(desk: Desk, admin: Visit) -> None:
    await _write(desk, admin, *(_request(f"r{at}", _medication("m", "many")) for at in range(7)))
    asked = [("code", "many"), TRUE, ALONE, ("_count", "3")]

    pages = [await search(desk, admin, "Medication", asked)]
    while pages[-1].following:
        pages.append(await search(desk, admin, "Medication", [*asked, ("_cursor", pages[-1].following)]))
    before = await search(desk, admin, "Medication", [*asked, ("_cursor", pages[-1].preceding)])

    assert [names(page) for page in pages] == [
        [f"MedicationRequest/r{at}#m" for at in part] for part in ((0, 1, 2), (3, 4, 5), (6,))
    ]
    assert names(before) == names(pages[1])
    assert {page.total for page in pages} == {7}
    counted = await search(desk, admin, "Medication", [*asked[:3], ("_count", "0")])
    assert (names(counted), counted.total) == ([], 7)


async def test_who_may_not_see_the_container_does_not_find_what_it_contains(desk: Desk, visit_of: VisitOf) -> None:
    general, other = visit_of("qn-general"), visit_of("bai-chay")
    await _write(desk, general, _request("23", _medication("m1", "abc")))

    assert await ask(desk, general, "Medication", ("code", "abc"), TRUE) == ["MedicationRequest/23"]
    assert await ask(desk, other, "Medication", ("code", "abc"), TRUE) == []
    assert await ask(desk, other, "MedicationRequest", ("medication.code", "abc")) == []


async def test_the_trail_names_the_patient_of_the_container(desk: Desk, admin: Visit) -> None:
    page = await search(desk, admin, "Medication", [("code", "xyz"), TRUE, ALONE])
    assert b"Patient/p" not in page.matches[0].body

    (event,) = await desk.store.find(parse("AuditEvent", [("subtype", "search-type"), ("_count", "1")]))
    assert "Patient/p" in event.body.decode()


async def test_what_cannot_be_looked_into_is_refused(desk: Desk, admin: Visit) -> None:
    with pytest.raises(NotSupported, match="_containedType=contained"):
        await search(desk, admin, "Medication", [TRUE, ("_sort", "code")])
    for ending, value in (("active:not", "true"), ("name:missing", "true")):
        with pytest.raises(NotSupported, match="ends in a negation"):
            await search(desk, admin, "Medication", [TRUE, (f"manufacturer.{ending}", value)])
    with pytest.raises(NotSupported, match="distance"):
        await search(desk, admin, "Location", [TRUE, ("near", "20|107")])
    few = Desk(desk.store, desk.trail, desk.clock, desk.cursor_secret, 20, 50, desk.base_url, chain_limit=1)
    with pytest.raises(TooCostly, match="at most 1 records"):
        await search(few, admin, "Medication", [TRUE])


async def test_the_plan_of_a_look_inside_names_an_index_for_each_type(desk: Desk, admin: Visit) -> None:
    page = await search(desk, admin, "Medication", [("code", "urn:c|abc"), BOTH, ("_explain", "true")])
    told = page.explanation.decode()
    assert "Medication: index keys" in told
    assert "MedicationRequest: index keys" in told
    assert "medication>Medication>code" in told
    assert "collection scan" not in told

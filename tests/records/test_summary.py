"""The International Patient Summary."""

from collections.abc import Callable
from typing import Any

import pytest

from fhir_gateway.fhir.gathered import faults
from fhir_gateway.fhir.profile.surroundings import Surroundings
from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import NotFound, PreconditionFailed
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.summary import identified, summary
from fhir_gateway.records.write import update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
NUMBER = {"identifier": [{"system": "urn:cccd", "value": "001"}]}


async def put(desk: Desk, visit: Visit, type_: str, name: str, **facts: Any) -> None:
    await update(desk, visit, f"{type_}/{name}", {"resourceType": type_, "id": name, **facts})


def sections(bundle: dict) -> dict[str, list[str]]:
    composition = bundle["entry"][0]["resource"]
    return {
        one["code"]["coding"][0]["code"]: [entry["reference"] for entry in one.get("entry", [])]
        for one in composition["section"]
    }


async def test_an_empty_record_has_the_three_required_sections(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await put(desk, admin, "Patient", "p", active=True)
    made = await summary(desk, admin, "p")

    assert list(sections(made)) == ["48765-2", "10160-0", "11450-4"]
    said = [
        coding["code"]
        for entry in made["entry"]
        for name in ("code", "medicationCodeableConcept")
        for coding in entry["resource"].get(name, {}).get("coding", [])
    ]
    assert said == ["no-allergy-info", "no-medication-info", "no-problem-info"]
    names = {entry["fullUrl"].removeprefix("http://gateway/fhir/") for entry in made["entry"]}
    assert all(reference in names for cited in sections(made).values() for reference in cited)
    assert validate(made) == ()


async def test_records_of_one_human_come_from_every_hospital(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    for name in ("p", "q", "r"):
        await put(desk, admin, "Patient", name, **NUMBER)
        subject = {"reference": f"Patient/{name}"}
        await put(desk, admin, "Condition", f"c{name}", subject=subject, code={"text": f"Bệnh <{name}>"})
    wrong = {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    wrong["verificationStatus"]["coding"][0]["system"] = system
    await put(desk, admin, "Condition", "wrong", subject={"reference": "Patient/p"}, **wrong)
    links = [("Patient/p", "level4"), ("Patient/q", "level3"), ("Patient/r", "level2")]
    rows = [{"target": {"reference": target}, "assurance": level} for target, level in links]
    await put(desk, admin, "Person", "one", link=rows)
    made = await summary(desk, admin, "p")

    assert set(sections(made)["11450-4"]) == {"Condition/cp", "Condition/cq"}
    assert "Bệnh &lt;q&gt;" in made["entry"][0]["resource"]["section"][2]["text"]["div"]
    assert validate(made) == ()
    own = await summary(desk, admin, "r")
    assert sections(own)["11450-4"] == ["Condition/cr"]


async def test_a_summary_holds_nothing_that_it_does_not_speak_of(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    for name in ("p", "q", "r"):
        await put(desk, admin, "Patient", name, **NUMBER)
    await put(desk, admin, "Condition", "cq", subject={"reference": "Patient/q"}, code={"text": "A"})
    rows = [{"target": {"reference": f"Patient/{name}"}, "assurance": "level4"} for name in "pqr"]
    await put(desk, admin, "Person", "one", link=rows)
    made = await summary(desk, admin, "p")

    inside = {entry["fullUrl"].removeprefix("http://gateway/fhir/") for entry in made["entry"]}
    assert {"Patient/p", "Patient/q"} <= inside
    assert "Patient/r" not in inside
    assert list(faults(made, Surroundings(made))) == []


async def test_results_and_vital_signs_have_sections_of_their_own(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await put(desk, admin, "Patient", "p", active=True)
    for name in ("laboratory", "vital-signs", "imaging"):
        coding = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": name}
        facts = {"status": "final", "code": {"text": name}, "category": [{"coding": [coding]}]}
        await put(desk, admin, "Observation", name, subject={"reference": "Patient/p"}, **facts)
    found = sections(await summary(desk, admin, "p"))

    assert (found["30954-2"], found["8716-3"]) == (["Observation/laboratory"], ["Observation/vital-signs"])


async def test_an_identifier_of_two_humans_names_nobody(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await put(desk, admin, "Patient", "p", **NUMBER)
    assert await identified(desk, admin, "urn:cccd|001") == "p"

    await put(desk, admin, "Patient", "q", **NUMBER)
    with pytest.raises(PreconditionFailed):
        await identified(desk, admin, "urn:cccd|001")
    with pytest.raises(NotFound):
        await identified(desk, admin, "urn:cccd|002")

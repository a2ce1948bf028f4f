"""Questions that lead to other records: chains, lists, value sets and hierarchies, for who may see what is there."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fhir_gateway.problem import Forbidden, NotFound, NotSupported, TooCostly
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import search
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import create, update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
ICD, VITAL = "urn:icd", "http://example.org/vital"


def _observation(name: str, patient: str, code: str, **more: Any) -> dict[str, Any]:
    coding = {"system": "http://loinc.org", "code": code}
    subject = {"reference": f"Patient/{patient}"}
    fixed = {"resourceType": "Observation", "id": name, "status": "final"}
    return {**fixed, "subject": subject, "code": {"coding": [coding]}, **more}


def _part(type_: str, id_: str, whole: str = "", **more: Any) -> dict[str, Any]:
    return {"resourceType": type_, "id": id_, **more} | ({"partOf": {"reference": f"{type_}/{whole}"}} if whole else {})


RECORDS: list[dict[str, Any]] = [
    _part("Organization", "ministry", name="Bộ Y tế"),
    _part("Organization", "province", "ministry", name="Sở Y tế Quảng Ninh"),
    _part("Organization", "hospital", "province", name="Bệnh viện Bãi Cháy"),
    _part("Location", "house"),
    _part("Location", "ward", "house"),
    _part("Location", "bed", "ward"),
    {"resourceType": "Patient", "id": "lan", "name": [{"family": "Nguyễn", "given": ["Lan"]}], "gender": "female",
     "managingOrganization": {"reference": "Organization/hospital"},
     "text": {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'><b>Dị ứng</b>penicillin</div>"}},
    {"resourceType": "Patient", "id": "duc", "name": [{"family": "Trần", "given": ["Đức"]}], "gender": "male",
     "managingOrganization": {"reference": "Organization/ministry"}},
    {"resourceType": "Practitioner", "id": "binh", "name": [{"family": "Lê", "given": ["Bình"]}]},
    _observation("hb", "lan", "718-7", performer=[{"reference": "Practitioner/binh"}],
                 note=[{"text": "Tan huyết nhẹ"}]),
    _observation("k", "duc", "2823-3", note=[{"text": "mẫu tốt"}],
                 component=[{"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}}]),
    {"resourceType": "DiagnosticReport", "id": "report", "status": "final", "code": {"text": "x"},
     "subject": {"reference": "Patient/lan"}, "result": [{"reference": "Observation/hb"}]},
    {"resourceType": "Encounter", "id": "stay", "status": "finished", "class": {"code": "IMP"},
     "subject": {"reference": "Patient/lan"}, "location": [{"location": {"reference": "Location/bed"}}]},
    {"resourceType": "Condition", "id": "bp", "subject": {"reference": "Patient/lan"},
     "code": {"coding": [{"system": ICD, "code": "I10.1"}]}},
    {"resourceType": "Condition", "id": "flu", "subject": {"reference": "Patient/duc"},
     "code": {"coding": [{"system": ICD, "code": "J11"}]}},
    {"resourceType": "Questionnaire", "id": "form", "status": "active", "url": "http://example.org/q",
     "title": "Khám sức khoẻ"},
    {"resourceType": "Questionnaire", "id": "form2", "status": "active", "url": "http://example.org/q2", "title": "x"},
    {"resourceType": "QuestionnaireResponse", "id": "answer", "status": "completed",
     "questionnaire": "http://example.org/q|2.0"},
    {"resourceType": "List", "id": "watched", "status": "current", "mode": "changes", "entry": [
        {"item": {"reference": "Patient/duc"}}, {"item": {"reference": "Observation/hb"}},
        {"item": {"reference": "Patient/lan"}, "deleted": True}]},
    {"resourceType": "CodeSystem", "id": "icd", "url": ICD, "status": "active", "content": "complete", "concept": [
        {"code": "I10-I15", "concept": [{"code": "I10", "concept": [{"code": "I10.1"}]}]}, {"code": "J11"}]},
    {"resourceType": "ValueSet", "id": "vital", "url": VITAL, "status": "active", "compose": {"include": [
        {"system": "http://loinc.org", "concept": [{"code": "718-7"}, {"code": "8480-6"}]}]}},
]  # fmt: skip

CASES = [
    ("Observation", "subject:Patient.name", "nguyen", "hb"),
    ("Observation", "subject.name", "TRAN", "k"),
    ("Observation", "patient.organization.name", "bai chay", ""),
    ("Observation", "patient.organization.name", "bệnh viện", "hb"),
    ("Observation", "patient.organization.partof.partof.name", "bo y te", "hb"),
    ("Observation", "subject:Patient.gender:not", "male", "hb"),
    ("Observation", "patient._id", "duc", "k"),
    ("DiagnosticReport", "result.performer:Practitioner.family", "le", "report"),
    ("Patient", "_has:Observation:patient:code", "718-7", "lan"),
    ("Patient", "_has:Observation:patient:code", "718-7,2823-3", "duc lan"),
    ("Patient", "_has:Observation:patient:performer:Practitioner.name", "binh", "lan"),
    ("Patient", "_has:Observation:patient:_has:DiagnosticReport:result:status", "final", "lan"),
    ("Encounter", "patient._has:Observation:patient:code", "718-7", "stay"),
    ("Encounter", "patient._has:Observation:patient:code", "2823-3", ""),
    ("Patient", "_list", "watched", "duc"),
    ("Observation", "_list", "List/watched", "hb"),
    ("Patient", "_list", "none", ""),
    ("Observation", "code:in", VITAL, "hb"),
    ("Observation", "code:not-in", VITAL, "k"),
    ("Observation", "code:in", "ValueSet/vital", "hb"),
    ("Observation", "combo-code:in", VITAL, "hb k"),
    ("Observation", "combo-code:not-in", VITAL, ""),
    ("Observation", "component-code:in", VITAL, "k"),
    ("Patient", "_has:Observation:patient:combo-code", "8480-6", "duc"),
    ("Patient", "_has:Observation:patient:code", "8480-6", ""),
    ("DiagnosticReport", "result.combo-code", "718-7", "report"),
    ("Observation", "_filter", "combo-code eq 8480-6 and code eq 2823-3", "k"),
    ("QuestionnaireResponse", "questionnaire.title", "kham", "answer"),
    ("QuestionnaireResponse", "questionnaire.title", "other", ""),
    ("Questionnaire", "_has:QuestionnaireResponse:questionnaire:status", "completed", "form"),
    ("Questionnaire", "_has:QuestionnaireResponse:questionnaire:status", "amended", ""),
    ("Condition", "code:below", f"{ICD}|I10", "bp"),
    ("Condition", "code:below", f"{ICD}|I10-I15", "bp"),
    ("Condition", "code:below", f"{ICD}|J11,{ICD}|I10", "bp flu"),
    ("Condition", "code:above", f"{ICD}|I10.1", "bp"),
    ("Condition", "code:above", f"{ICD}|I10", ""),
    ("Patient", "_has:Condition:patient:code:below", f"{ICD}|I10", "lan"),
    ("Encounter", "location:below", "Location/house", "stay"),
    ("Encounter", "location:below", "ward", "stay"),
    ("Encounter", "location:above", "bed", "stay"),
    ("Encounter", "location:above", "ward", ""),
    ("Patient", "organization:above", "hospital", "duc lan"),
    ("Patient", "organization:below", "province", "lan"),
    ("Patient", "_filter", "gender eq male", "duc"),
    ("Patient", "_filter", "gender ne male", "lan"),
    ("Patient", "_filter", 'name sw nguyen or given eq "Đức"', "duc lan"),
    ("Patient", "_filter", "gender eq male and (name sw nguyen or name co an)", "duc"),
    ("Patient", "_filter", "not (gender eq male and name sw tran) and gender pr true", "lan"),
    ("Patient", "_filter", "birthdate pr true", ""),
    ("Patient", "_filter", "organization.name sw benh", "lan"),
    ("Condition", "_filter", f"code sb {ICD}|I10 or patient re Patient/duc", "bp flu"),
    ("Patient", "_text", "di ung", "lan"),
    ("Patient", "_text", "PENICILLIN", "lan"),
    ("Patient", "_text", "nguyen", ""),
    ("Observation", "_content", "tan huyết", "hb"),
    ("Observation", "_content", "huyết xyz,tốt", "k"),
]


async def _fill(desk: Desk, visit: Visit) -> None:
    for record in RECORDS:
        await update(desk, visit, f"{record['resourceType']}/{record['id']}", record)


async def _ids(desk: Desk, visit: Visit, type_: str, *pairs: tuple[str, str]) -> str:
    page = await search(desk, visit, type_, pairs)
    assert page.total == len(page.matches)
    return " ".join(version.id for version in page.matches)


async def test_of_a_few_only_those_who_refer_to_them_are_looked_at(
    desk: Desk, visit_of: VisitOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, looked, targets = visit_of("admin"), [], desk.store.targets
    for record in RECORDS:
        await update(desk, admin, f"{record['resourceType']}/{record['id']}", record)
    for name in ("more", "still-more"):
        await update(desk, admin, f"Observation/{name}", _observation(name, "duc", "718-7"))

    async def counted(*asked: Any) -> dict[str, list[str]]:
        found = await targets(*asked)
        looked.append(sorted(found))
        return found

    monkeypatch.setattr(desk.store, "targets", counted)
    for code, expected in (("718-7", ["lan"]), ("2823-3", [])):
        page = await search(desk, admin, "Patient", [("_id", "lan"), ("_has:Observation:patient:code", code)])
        assert [one.id for one in page.matches] == expected
    assert looked == [["Observation/hb"], []]


async def test_each_question_finds_exactly_what_it_asks_for(desk: Desk, visit_of: VisitOf) -> None:
    await _fill(desk, visit_of("admin"))
    found = {case[:3]: await _ids(desk, visit_of("admin"), case[0], case[1:3]) for case in CASES}

    assert found == {case[:3]: case[3] for case in CASES}


async def test_no_question_ends_in_a_collection_scan(desk: Desk, visit_of: VisitOf) -> None:
    await _fill(desk, visit_of("admin"))
    for type_, name, value, _ in CASES:
        page = await search(desk, visit_of("admin"), type_, [(name, value), ("_explain", "true")])
        text = json.loads(page.explanation)["issue"][0]["diagnostics"]
        assert "index " in text, (type_, name)
        assert "collection scan" not in text, (type_, name)


async def test_a_question_narrows_together_with_others(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)

    assert await _ids(desk, admin, "Observation", ("subject.name", "nguyen"), ("code", "2823-3")) == ""
    assert await _ids(desk, admin, "Observation", ("subject.name", "nguyen"), ("subject.gender", "female")) == "hb"


async def test_a_chain_through_a_hidden_record_finds_nothing(desk: Desk, visit_of: VisitOf) -> None:
    san_nhi, bai_chay = visit_of("san-nhi"), visit_of("bai-chay")
    hidden = await create(desk, san_nhi, {"resourceType": "Patient", "name": [{"family": "Vũ"}]})
    id_ = hidden.version.id
    await create(desk, bai_chay, _observation("", id_, "1") | {"id": "x"})
    await create(desk, san_nhi, _observation("", id_, "2") | {"id": "y"})
    listed = {"resourceType": "List", "status": "current", "mode": "working"}
    entry = [{"item": {"reference": f"Patient/{id_}"}}]
    watched = (await create(desk, san_nhi, {**listed, "entry": entry})).version.id

    assert len((await search(desk, bai_chay, "Observation", [])).matches) == 1
    assert await _ids(desk, bai_chay, "Observation", ("patient.name", "vu")) == ""
    assert await _ids(desk, bai_chay, "Patient", ("_has:Observation:patient:code", "1")) == ""
    assert await _ids(desk, san_nhi, "Patient", ("_has:Observation:patient:code", "1")) == ""
    assert await _ids(desk, san_nhi, "Patient", ("_has:Observation:patient:code", "2")) == id_
    assert await _ids(desk, bai_chay, "Patient", ("_list", watched)) == ""
    assert await _ids(desk, san_nhi, "Patient", ("_list", watched)) == id_


async def test_a_chain_asks_for_the_right_to_every_type_on_its_way(desk: Desk, visit_of: VisitOf) -> None:
    for name in ("_has:Observation:patient:code", "organization.name", "general-practitioner:Practitioner.name"):
        with pytest.raises(Forbidden):
            await search(desk, visit_of("population"), "Patient", [(name, "x")])


async def test_a_chain_through_too_many_records_is_refused(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    tight = replace(desk, chain_limit=1)

    for type_, name, value in (
        ("Observation", "patient.gender", "male,female"),
        ("Encounter", "patient._has:Observation:patient:status", "final"),
        ("Condition", "code:below", f"{ICD}|I10-I15"),
        ("Encounter", "location:below", "house"),
        ("Patient", "_content", "lan"),
    ):
        with pytest.raises(TooCostly, match=r"(more than|at most) 1"):
            await search(tight, admin, type_, [(name, value)])


async def test_where_the_rest_leaves_few_a_chain_asks_those(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    tight = replace(desk, chain_limit=1)

    assert await _ids(tight, admin, "Observation", ("patient.gender", "male,female"), ("code", "718-7")) == "hb"
    assert await _ids(tight, admin, "Observation", ("patient.gender", "male,female"), ("_id", "k")) == "k"
    assert await _ids(tight, admin, "Patient", ("_content", "lan"), ("gender", "female")) == "lan"


async def test_what_nobody_knows_is_said_so(desk: Desk, visit_of: VisitOf) -> None:
    with pytest.raises(NotFound, match="value set"):
        await search(desk, visit_of("admin"), "Observation", [("code:in", "http://nowhere")])
    with pytest.raises(NotSupported, match="functional"):
        await search(desk, visit_of("admin"), "Observation", [("_list", "$current-problems")])
    with pytest.raises(NotSupported, match="terminology"):
        await search(replace(desk, terminology=None), visit_of("admin"), "Observation", [("code:in", "x")])

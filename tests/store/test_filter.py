"""Searches run against the real engine: the right records, by an index, in order, page by page."""

import json
from dataclasses import replace
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pymongo.collection import Collection

from fhir_gateway.search import cursor
from fhir_gateway.search.criteria import UNIT, Compartment
from fhir_gateway.search.kinds import KINDS
from fhir_gateway.search.query import Query, parse
from fhir_gateway.search.registry import parameters
from fhir_gateway.store.filter import count_stages, merged, stages
from fhir_gateway.store.mongo.connection import widened
from fhir_gateway.store.mongo.plan import to_plan
from fhir_gateway.store.portions import parted
from fhir_gateway.store.typed import typed, without_type

Records = Collection[dict[str, Any]]


def asked(type_: str, text: str) -> Query:
    return parse(type_, parse_qsl(text, strict_parsing=bool(text)))


def found(records: Records, query: Query, reader: str | None = None) -> list[str]:
    return [record["id"] for record in records.aggregate(widened(stages(query, reader)))]


CASES = [
    # token
    ("Patient", "gender=female", "lan hoa-old hoa-new"),
    ("Patient", "gender=http://hl7.org/fhir/administrative-gender|male", "duc"),
    ("Patient", "gender=other", ""),
    ("Patient", "gender=male,female", "duc lan hoa-old hoa-new"),
    ("Patient", "gender:not=female", "duc nobody"),
    ("Patient", "gender:missing=true", "nobody"),
    ("Patient", "gender:missing=false", "lan hoa-old hoa-new duc"),
    ("Patient", "active=true", "lan"),
    ("Patient", "deceased=true", "duc"),
    ("Patient", "deceased=false", "lan hoa-old hoa-new nobody"),
    ("Patient", "identifier=urn:cccd|022012345678", "lan"),
    ("Patient", "identifier=022012345678", "lan duc"),
    ("Patient", "identifier=urn:cccd|", "lan"),
    ("Patient", "identifier=|77", "hoa-old"),
    ("Patient", r"identifier=urn:odd|a\|b\,c", "nobody"),
    ("Patient", "identifier=urn:cccd|022012345678,urn:mrn|022012345678", "lan duc"),
    ("Patient", "identifier=urn:mrn|77", ""),
    ("Patient", "phone=0912000111", "lan"),
    ("Patient", "email=0912000111", ""),
    ("Patient", "telecom=0912000111", "lan"),
    ("Patient", "phone:missing=true", "hoa-old hoa-new duc nobody"),
    # string
    ("Patient", "name=hoa", "hoa-old hoa-new"),
    ("Patient", "name=HOÀ", "hoa-old hoa-new"),
    ("Patient", "given:exact=Hoà", "hoa-new"),
    ("Patient", "name:exact=Hoà", "hoa-new"),
    ("Patient", "family=Nguyen", "lan duc"),
    ("Patient", "family=nguyễn&given=lan", "lan"),
    ("Patient", "given=nguyen", ""),
    ("Patient", "family=ng,tr", "lan duc hoa-old hoa-new"),
    ("Patient", "family:contains=guy", "lan duc"),
    ("Patient", "given:contains=an", "lan"),
    ("Patient", "name=lan&name=nguyen", "lan"),
    ("Patient", "address-city=ha long", "lan"),
    ("Patient", "address=Hạ", "lan"),
    ("Patient", "address-country=ha long", ""),
    ("Patient", "family:missing=true", "nobody"),
    ("Patient", "name=.*", ""),
    # date
    ("Patient", "birthdate=1980-05-01", "lan"),
    ("Patient", "birthdate=1980-05", "lan hoa-old"),
    ("Patient", "birthdate=1980", "lan hoa-old hoa-new"),
    ("Patient", "birthdate=ne1980-05", "hoa-new duc"),
    ("Patient", "birthdate=gt1980-05-01", "hoa-old hoa-new duc"),
    ("Patient", "birthdate=ge1980-05-01", "lan hoa-old hoa-new duc"),
    ("Patient", "birthdate=lt1980-05-01", "hoa-new"),
    ("Patient", "birthdate=le1980-05-31", "lan hoa-old hoa-new"),
    ("Patient", "birthdate=sa1980-05-01", "duc"),
    ("Patient", "birthdate=eb1981", "lan hoa-old hoa-new"),
    ("Patient", "birthdate=ge1980-01-01&birthdate=lt1981-01-01", "lan hoa-old hoa-new"),
    ("Patient", "birthdate=1980-05-01,1990-12-31", "lan duc"),
    ("Encounter", "date=2026-03-10", "short"),
    ("Encounter", "date=ge2026-05-01", "open"),
    ("Encounter", "date=sa2026-03-05", "short"),
    ("Encounter", "date=eb2026-03-20", "short"),
    ("Encounter", "date=ap2026-03-12", "open short"),
    ("Observation", "date=2026-03-10T01:30:00Z", "hb"),
    ("Observation", "date=2026-03-10T08:30:00+07:00", "hb"),
    ("Observation", "date=2026-03-10", "hb"),
    ("Observation", "date=lt2026-03-10T08:30:01+07:00", "hb"),
    # reference
    ("Observation", "patient=lan", "hb k"),
    ("Observation", "subject=Patient/lan", "hb k"),
    ("Observation", "subject:Patient=lan", "hb k"),
    ("Observation", "subject=lan", "hb k ward"),
    ("Observation", "subject:Group=lan", "ward"),
    ("Observation", "patient=Patient/duc,Patient/lan", "hb k pressure"),
    ("Observation", "performer:identifier=urn:licence|0001", "k"),
    ("Observation", "performer=https://other.example/fhir/Practitioner/9", "hb"),
    ("Observation", "patient:missing=true", "blood-type ward"),
    # number, quantity
    ("Observation", "value-quantity=7.2", "hb k"),
    ("Observation", "value-quantity=7.20", "hb"),
    ("Observation", "value-quantity=7.2||g/dL", "hb"),
    ("Observation", "value-quantity=7.2|http://unitsofmeasure.org|mmol/L", "k"),
    ("Observation", "value-quantity=gt7.2", "k"),
    ("Observation", "value-quantity=ge7.2", "hb k"),
    ("Observation", "value-quantity=lt7.2", "ward"),
    ("Observation", "value-quantity=lt-1", "ward"),
    ("Observation", "value-quantity=ne7.2", "ward"),
    ("Observation", "value-quantity=ap7", "hb k"),
    ("Observation", "code=http://loinc.org|718-7&value-quantity=lt8||g/dL", "hb"),
    ("RiskAssessment", "probability=ge0.3", "risk"),
    ("RiskAssessment", "probability=lt0.3", ""),
    ("RiskAssessment", "probability:missing=false", "risk"),
    ("Observation", "value-quantity:missing=true", "pressure blood-type"),
    ("Patient", "birthdate:missing=true", "nobody"),
    ("ValueSet", "url:missing=false", "vs"),
    # uri, record fields
    ("ValueSet", "url=http://example.org/vs|1", ""),
    ("ValueSet", "url=http://example.org/vs", "vs"),
    ("Patient", "_id=lan,duc", "lan duc"),
    ("Patient", "_id:not=lan", "hoa-old hoa-new duc nobody"),
    ("Patient", "_id=lan&gender=male", ""),
    ("Patient", "_lastUpdated=2026-01-01", "lan"),
    ("Patient", "_lastUpdated=gt2026-01-02T23:59:59Z", "hoa-new duc nobody"),
    ("Patient", "_lastUpdated=ne2026-01-01", "hoa-old hoa-new duc nobody"),
    ("Patient", "_tag=urn:tag|test", "lan"),
    ("Patient", "_profile=http://example.org/p", "lan"),
    ("Patient", "", "lan hoa-old hoa-new duc nobody"),
    # words beside codes, kinds of identifiers
    ("Observation", "code:text=huyet", "pressure"),
    ("Observation", "code:text=NHÓM máu", "blood-type"),
    ("Observation", "code:missing=true", ""),
    ("Observation", "performer:missing=false", "hb k"),
    ("Practitioner", "identifier:of-type=urn:types|MD|7", "doctor"),
    ("Practitioner", "identifier:of-type=urn:types|NI|7", ""),
    ("Practitioner", "identifier:of-type=urn:types|NI|7,urn:types|NI|8", "doctor"),
    ("Practitioner", "identifier:text=chung", "doctor"),
    # units on one scale
    ("Observation", "value-quantity=72|http://unitsofmeasure.org|g/L", "hb"),
    ("Observation", "value-quantity=gt6|http://unitsofmeasure.org|g/dL", "hb"),
    ("Observation", "value-quantity=lt7200|http://unitsofmeasure.org|umol/L", ""),
    ("Observation", "value-quantity=le7240|http://unitsofmeasure.org|umol/L", "k"),
    ("Observation", "value-quantity=7.2|http://unitsofmeasure.org|g/L", ""),
    ("Observation", "component-value-quantity=24.0|http://unitsofmeasure.org|kPa", "pressure"),
    # composites
    ("Observation", "code-value-quantity=http://loinc.org|718-7$7.2", "hb"),
    ("Observation", "code-value-quantity=718-7$gt8,2823-3$gt7||mmol/L", "k"),
    ("Observation", "code-value-quantity=8480-6$180", ""),
    ("Observation", "component-code-value-quantity=8480-6$gt140", "pressure"),
    ("Observation", "component-code-value-quantity=8462-4$gt140", ""),
    ("Observation", "component-code-value-quantity=8462-4$ge80|http://unitsofmeasure.org|mm[Hg]", "pressure"),
    ("Observation", "component-code-value-quantity=8462-4$12|http://unitsofmeasure.org|kPa", "pressure"),
    ("Observation", "component-code-value-quantity=8462-4$ne90", ""),
    ("Observation", "combo-code-value-quantity=8462-4$90", "pressure"),
    ("Observation", "combo-code-value-quantity=718-7$7.2", "hb"),
    ("Observation", "combo-code-value-quantity=718-7$7.2,8462-4$90", "hb pressure"),
    ("Observation", "combo-code-value-quantity=8480-6$90", ""),
    ("Observation", "combo-value-concept=urn:blood|%2B", "blood-type"),
    # parameters that ask by the keys of others
    ("Observation", "combo-code=8480-6", "pressure"),
    ("Observation", "combo-code=http://loinc.org|8480-6", "pressure"),
    ("Observation", "combo-code=http://loinc.org|85354-9,718-7", "hb pressure"),
    ("Observation", "combo-code=urn:other|8480-6", ""),
    ("Observation", "combo-code:text=huyet", "pressure"),
    ("Observation", "combo-code:not=8480-6&code:missing=false", "blood-type hb k ward"),
    ("Observation", "combo-code:missing=true", ""),
    ("Observation", "combo-code:missing=false", "blood-type hb k pressure ward"),
    ("Observation", "code=8480-6", ""),
    ("Observation", "component-code=85354-9", ""),
    ("Observation", "combo-value-quantity=7.2", "hb k"),
    ("Observation", "combo-value-quantity=24.0|http://unitsofmeasure.org|kPa", "pressure"),
    ("Observation", "combo-value-quantity=gt70", "pressure"),
    ("Observation", "combo-value-quantity=lt8,gt170", "hb k pressure ward"),
    ("Observation", "combo-value-quantity:missing=true", "blood-type"),
    ("Observation", "value-quantity=gt70", ""),
    ("Observation", "component-value-concept:missing=true", "hb k pressure ward"),
    ("Observation", "combo-value-concept:missing=false", "blood-type"),
    ("Observation", "combo-data-absent-reason:missing=true", "blood-type hb k pressure ward"),
    ("Group", "characteristic-value=smoker$true", "smokers"),
    ("Group", "characteristic-value=adult$true", ""),
    ("DocumentReference", "relationship=DocumentReference/first$replaces", "later"),
    ("DocumentReference", "relationship=DocumentReference/first$appends", ""),
    ("MolecularSequence", "chromosome-variant-coordinate=1$ge90$le210", "seq"),
    ("MolecularSequence", "chromosome-variant-coordinate=1$ge90$lt200", ""),
    ("MolecularSequence", "chromosome-variant-coordinate=1$ge450$le210", ""),
    ("Library", "context-type-quantity=age$20|http://unitsofmeasure.org|a", ""),
    ("Library", "context-type-quantity=age$ge60|http://unitsofmeasure.org|a", "lib"),
    ("Library", "context-type-quantity=focus$ge60|http://unitsofmeasure.org|a", ""),
    ("Library", "context-type-value=focus$I10", "lib"),
    ("Library", "context-type-value=age$I10", ""),
    # addresses above and below
    ("Library", "url:below=http://example.org/a", "lib up"),
    ("Library", "url:above=http://example.org/a/b/c", "lib up"),
    ("Library", "url:above=http://example.org/a/x", "up"),
    # places
    ("Location", "near=20.9712|107.0448|1|km", "general"),
    ("Location", "near=20.9712|107.0448|5000|m", "general bai-chay"),
    ("Location", "near=20.9712|107.0448", "general bai-chay"),
    ("Location", "near=20.9712|107.0448|130", "general bai-chay bach-mai"),
    ("Location", "near=20.9712|107.0448|1,21.0017|105.8412|1", "general bach-mai"),
    ("Location", "near=20.9712|107.0448|30000", "general bai-chay bach-mai same-latitude"),
    ("Location", "near:missing=true", "nowhere"),
]


@pytest.mark.parametrize(("type_", "text", "expected"), CASES, ids=[f"{one[0]}?{one[1]}" for one in CASES])
def test_a_search_finds_exactly_what_it_asks_for(records: Records, type_: str, text: str, expected: str) -> None:
    query = asked(type_, text)
    assert sorted(found(records, query)) == sorted(expected.split())
    counted = next(iter(records.aggregate(widened(count_stages(query, None)))), {"n": 0})
    assert counted["n"] == len(expected.split())


@pytest.mark.parametrize(("type_", "text", "expected"), CASES, ids=[f"{one[0]}?{one[1]}" for one in CASES])
@pytest.mark.parametrize("extra", ["", "_sort=-_lastUpdated", "reader"])
def test_every_search_uses_an_index(records: Records, type_: str, text: str, expected: str, extra: str) -> None:
    reader = "qn" if extra == "reader" else None
    query = asked(type_, "&".join(filter(None, (text, extra if reader is None else ""))))
    plan = json.dumps(explained(records, stages(query, reader)), default=str)
    assert "IXSCAN" in plan
    assert "COLLSCAN" not in plan


def test_every_kind_and_modifier_is_among_the_searches_tried() -> None:
    settled = {("token", one) for one in ("in", "not-in", "above", "below")} | {("reference", "below")}
    offered = {(kind, one) for kind in KINDS for one in ("", "missing", *KINDS[kind].MODIFIERS)}
    offered |= {("composite", ""), ("special", ""), ("special", "missing")}
    offered -= settled | {("reference", "above")}
    assert offered <= {_tried(type_, text) for type_, text, _ in CASES if text}


def _tried(type_: str, text: str) -> tuple[str, str]:
    name, _, modifier = text.rpartition("&")[2].partition("=")[0].partition(":")
    return parameters(type_)[name].kind, modifier


def test_a_page_behind_the_first_uses_an_index_too(records: Records) -> None:
    for text in ("gender=female", "", "_sort=-_lastUpdated", "family=ng&_sort=birthdate"):
        query = replace(asked("Patient", text), size=1)
        plan = json.dumps(explained(records, stages(second(records, query), None)), default=str)
        assert "COLLSCAN" not in plan, text


def test_page_two_costs_what_page_one_costs(records: Records) -> None:
    for text in ("deceased=false", "", "_sort=-_lastUpdated", "name=n,t&_sort=birthdate"):
        query = replace(asked("Patient", text), size=1)
        plans = [to_plan(explained(records, stages(one, None))) for one in (query, second(records, query))]
        assert plans[1].documents <= plans[0].documents, text
        assert not plans[1].scans


def explained(records: Records, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    command = {"aggregate": records.name, "pipeline": widened(pipeline), "cursor": {}}
    return records.database.command("explain", command, verbosity="executionStats")


def second(records: Records, query: Query) -> Query:
    return replace(query, after=position(records, query, found(records, query)[-1]))


def position(records: Records, query: Query, id_: str) -> tuple[str | float, ...]:
    record = records.find_one({"_id": f"{query.type}/{id_}"})
    assert record is not None
    return cursor.position(query, record["_id"], record["updated"], without_type(record))


ORDERS = {
    "_sort=family": "duc lan hoa-new hoa-old nobody",
    "_sort=-family": "hoa-old hoa-new lan duc nobody",
    "_sort=birthdate": "hoa-new hoa-old lan duc nobody",
    "_sort=-birthdate": "duc lan hoa-old hoa-new nobody",
    "_sort=gender,-_id": "lan hoa-old hoa-new duc nobody",
    "_sort=_lastUpdated": "lan hoa-old hoa-new duc nobody",
    "_sort=-_lastUpdated": "nobody duc hoa-new hoa-old lan",
    "_sort=-_id": "nobody lan hoa-old hoa-new duc",
    "": "duc hoa-new hoa-old lan nobody",
}


@pytest.mark.parametrize("text", ORDERS)
def test_backwards_is_the_same_order_read_from_its_end(records: Records, text: str) -> None:
    query = replace(asked("Patient", text), size=10)
    whole = found(records, query)
    before = replace(query, after=position(records, query, whole[3]), backwards=True)
    assert found(records, before)[::-1] == whole[:3]
    assert found(records, replace(before, size=2))[::-1] == whole[1:3]


@pytest.mark.parametrize(("text", "expected"), ORDERS.items())
@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_follow_one_another_in_order(records: Records, text: str, expected: str, size: int) -> None:
    query = replace(asked("Patient", text), size=size)
    pages: list[str] = []
    while (page := found(records, query)) and len(pages) < 10:
        pages += page
        query = replace(query, after=position(records, query, page[-1]))
    assert " ".join(pages) == expected


def test_pages_of_a_search_by_key_follow_one_another(records: Records) -> None:
    query = replace(asked("Patient", "deceased=false"), size=2)
    first = found(records, query)
    rest = found(records, replace(query, after=position(records, query, first[-1])))
    assert [first, rest] == [["hoa-new", "hoa-old"], ["lan", "nobody"]]


def test_a_reader_sees_what_was_shared(records: Records) -> None:
    assert found(records, asked("Patient", ""), "central") == ["lan"]
    assert found(records, asked("Patient", "gender=female"), "central") == ["lan"]
    assert found(records, asked("Patient", "gender=male"), "central") == []


def test_a_compartment_holds_the_records_of_its_patient(records: Records) -> None:
    query = replace(asked("Observation", ""), criteria=(Compartment(("lan",)),))
    assert found(records, query) == ["hb", "k"]


@pytest.mark.parametrize("text", ["_sort=birthdate", "_sort=-birthdate", "_sort=-_id", ""])
def test_portions_of_a_long_list_make_the_page_that_the_whole_list_makes(
    records: Records, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhir_gateway.store.portions.PORTION", 2)
    for wanted in ("_id=nobody,duc,lan,hoa-new,hoa-old", "gender=http://x|male,http://x|female,urn:x|x&_id:not=duc"):
        query = replace(asked("Patient", "&".join(filter(None, (wanted, text)))), size=3)
        pages = [list(records.aggregate(widened(stages(part, None)))) for part in parted(query)]
        assert len(pages) == (3 if "_id=" in wanted else 2)
        assert [one["id"] for one in merged(query, chain.from_iterable(pages))] == found(records, query)


SHARED = {
    "_sort=combo-value-quantity": "ward hb k pressure blood-type",
    "_sort=-combo-value-quantity": "pressure k hb ward blood-type",
    "_sort=combo-code": "k hb pressure blood-type ward",
    "_sort=-combo-code": "pressure hb k ward blood-type",
}


@pytest.mark.parametrize(("text", "expected"), SHARED.items())
def test_the_order_by_a_parameter_of_several_keys_is_that_of_all_their_values(
    records: Records, text: str, expected: str
) -> None:
    query = replace(asked("Observation", text), size=2)
    pages: list[str] = []
    while (page := found(records, query)) and len(pages) < 10:
        pages += page
        query = replace(query, after=position(records, query, page[-1]))
    assert " ".join(pages) == expected


@pytest.mark.parametrize(
    "text",
    [
        "combo-code=8480-6",
        "combo-code=http://loinc.org|85354-9",
        "combo-value-quantity=ge100",
        "combo-code-value-quantity=8480-6$gt140",
    ],
)
def test_a_parameter_of_several_keys_is_asked_for_key_by_key(records: Records, text: str) -> None:
    parts = parted(asked("Observation", text))
    assert len(parts) == 2
    met = {one["id"] for part in parts for one in records.aggregate(widened(stages(part, None)))}
    assert met == {"pressure"}
    for part in parts:
        assert to_plan(explained(records, stages(part, None))).documents <= 1


def test_records_with_keys_of_their_own_for_a_shared_parameter_are_found_before_they_are_made_anew(
    records: Records,
) -> None:
    """What an earlier release wrote has keys of all three; nobody waits until the upkeep took the third away."""
    codes = ["code:1␟x", "component-code:2␟x", "combo-code:1␟x", "combo-code:2␟x"]
    old = {"_id": "Observation/old", "type": "Observation", "id": "old", "deleted": False, "readers": []}
    records.insert_one(old | {"keys": [typed("Observation", code.replace("␟", UNIT)) for code in codes]})
    try:
        assert found(records, asked("Observation", "combo-code=2")) == ["old"]
    finally:
        records.delete_one({"_id": "Observation/old"})


def test_what_is_no_list_has_one_portion() -> None:
    for text in ("", "name=a,b,c", "gender:not=http://x|a", "_id:not=a", "birthdate=1980"):
        assert parted(asked("Patient", text)) == [asked("Patient", text)]

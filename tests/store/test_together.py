"""Searches asked in company, against the real engine: each finds what it finds alone, by an index."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pymongo.collection import Collection

from fhir_gateway.search.criteria import Compartment, Condition
from fhir_gateway.search.query import Query, parse
from fhir_gateway.security.sight import Outsider, Reader
from fhir_gateway.store.compartment import all_about, windows
from fhir_gateway.store.filter import stages
from fhir_gateway.store.mongo.connection import widened
from fhir_gateway.store.mongo.plan import to_plan
from fhir_gateway.store.port import About
from fhir_gateway.store.together import Entrance, entrance, page, together

Records = Collection[dict[str, Any]]

IDS = "_id=lan,duc,hoa-old,hoa-new,nobody"
ASKED = [
    ("Patient", IDS),
    ("Patient", f"{IDS}&gender=female"),
    ("Patient", f"{IDS}&gender:not=female"),
    ("Patient", f"{IDS}&family=ng"),
    ("Patient", f"{IDS}&name:contains=an"),
    ("Patient", f"{IDS}&birthdate=lt2000"),
    ("Patient", f"{IDS}&birthdate:missing=false"),
    ("Patient", f"{IDS}&_lastUpdated=ge2026-01-03"),
    ("Observation", "subject=Patient/lan"),
    ("Observation", "patient=lan&code=http://loinc.org|718-7"),
    ("Observation", "patient=lan&date=ge2020"),
    ("Observation", "patient=lan&value-quantity=gt1"),
    ("Observation", "patient=lan&code-value-quantity=http://loinc.org|718-7$gt1"),
    ("Observation", "patient=lan,duc&status=final"),
]
ORDERS = ["", "_sort=_id", "_sort=-_id", "_sort=-_lastUpdated"]
PATIENT_ORDERS = ["_sort=family", "_sort=-family", "_sort=birthdate,-_id", "_sort=-birthdate"]
READERS: list[Reader] = [None, "qn", "central", Outsider("central"), Outsider(None, ("lan",))]


def asked(type_: str, text: str) -> Query:
    return parse(type_, parse_qsl(text, strict_parsing=bool(text)))


def in_company(records: Records, query: Query, way: Entrance) -> list[str]:
    """As in one question with others: more is found than this search asks for."""
    values = (
        *way.values,
        *(("Patient/none", "Observation/hb") if way.field == "_id" else ("Patient/x:y", "Patient/gender:male")),
    )
    found = list(records.aggregate(together(way.field, values, 100)))
    return [one["_id"] for one in page(query, way.let_in(_behind(way, found)))]


def _behind(way: Entrance, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that one of the search's own values led to."""
    where = {one["_id"]: [one["_id"]] if way.field == "_id" else one.get(way.field, []) for one in found}
    return [one for one in found if set(where[one["_id"]]) & set(way.values)]


@pytest.mark.parametrize("reader", READERS, ids=repr)
@pytest.mark.parametrize(("type_", "text"), ASKED)
def test_a_search_finds_in_company_what_it_finds_alone(records: Records, type_: str, text: str, reader: Reader) -> None:
    for order in [*ORDERS, *(PATIENT_ORDERS if type_ == "Patient" else ())]:
        for size in (1, 2, 20):
            query = replace(asked(type_, "&".join(filter(None, (text, order)))), size=size)
            way = entrance(query, reader)
            assert way is not None
            alone = [one["_id"] for one in records.aggregate(widened(stages(query, reader)))]
            assert in_company(records, query, way) == alone, (order, size)


def test_the_searches_tried_find_something(records: Records) -> None:
    empty = [text for type_, text in ASKED if not list(records.aggregate(widened(stages(asked(type_, text), None))))]
    assert empty == []


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("_id", ("Patient/lan", "Patient/duc")),
        ("patients", ("lan", "duc")),
        ("keys", ("Observation/subject:lan\x1fPatient", "Observation/subject:duc\x1fPatient")),
    ],
)
def test_a_question_of_several_uses_an_index(records: Records, field: str, values: tuple[str, ...]) -> None:
    command = {"aggregate": records.name, "pipeline": together(field, values, 50), "cursor": {}}
    plan = to_plan(records.database.command("explain", command, verbosity="executionStats"))
    assert plan.indexes
    assert not plan.scans
    assert 0 < plan.documents < records.count_documents({})


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("Patient", "gender=female"),
        ("Patient", "family=ng"),
        ("Patient", "birthdate=1990-01-01"),
        ("Patient", ""),
        ("AuditEvent", "patient=lan"),
        ("Observation", "code=http://loinc.org|718-7"),
        ("DocumentReference", "patient=lan"),
        ("Patient", "organization=Organization/qn"),
        ("Observation", "performer=Practitioner/d"),
    ],
)
def test_what_may_find_many_is_asked_alone(type_: str, text: str) -> None:
    assert entrance(asked(type_, text), None) is None


def test_a_page_behind_a_position_is_asked_alone() -> None:
    assert entrance(replace(asked("Observation", "patient=lan"), after=("Observation/k",)), None) is None


def test_a_compartment_is_entered_by_its_patients(records: Records) -> None:
    query = replace(asked("Observation", ""), criteria=(Compartment(("lan",)),))
    way = entrance(query, "qn")
    assert way is not None
    found = list(records.aggregate(together(way.field, way.values, 100)))
    assert [one["id"] for one in page(query, way.let_in(found))] == ["hb", "k"]


def test_a_key_that_stands_for_two_is_entered_by_both() -> None:
    (condition,) = asked("Observation", "patient=lan,duc").criteria
    assert isinstance(condition, Condition)
    way = entrance(asked("Observation", "patient=lan,duc"), None)
    assert way is not None
    assert len(way.values) == len(condition.choices) == 2


@pytest.mark.parametrize("reader", READERS, ids=repr)
@pytest.mark.parametrize("since", [None, datetime(2026, 1, 21, tzinfo=UTC)])
@pytest.mark.parametrize("after", ["", "Condition/zzz", "Observation/hb", "Zzz/1"])
def test_a_patients_record_is_the_same_by_windows_and_at_once(
    records: Records, reader: Reader, since: datetime | None, after: str
) -> None:
    types = sorted(records.distinct("type"))
    wanted = About("lan", dict.fromkeys(types, reader) | {"Patient": None}, 100, after, since)
    by_windows = [one["_id"] for window in windows(wanted) for one in records.aggregate(window)]
    way = all_about(wanted)
    found = list(records.aggregate(together(way.field, way.values, 1000)))
    assert by_windows == sorted(one["_id"] for one in way.let_in(found))
    if not after and since is None and reader is None:
        assert {"Patient/lan", "Observation/hb", "Observation/k"} <= set(by_windows)


def test_every_window_of_a_patients_record_uses_an_index(records: Records) -> None:
    types = sorted(records.distinct("type"))
    for after in ("", "Observation/hb"):
        for window in windows(About("lan", dict.fromkeys(types, "qn"), 20, after)):
            command = {"aggregate": records.name, "pipeline": window, "cursor": {}}
            plan = to_plan(records.database.command("explain", command, verbosity="executionStats"))
            assert plan.indexes == ("patients",)
            assert not plan.scans

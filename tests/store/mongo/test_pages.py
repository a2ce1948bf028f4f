"""The audit trail in pages: what was found event by event is found in pages too, by an index, in the same order."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest

from fhir_gateway.records.trace import event
from fhir_gateway.search import cursor
from fhir_gateway.search.criteria import Compartment
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import Query, parse
from fhir_gateway.security.audit import Act, Trail
from fhir_gateway.security.caller import Caller
from fhir_gateway.store import pages
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.mongo.documents import event_name, page_documents
from fhir_gateway.store.port import Commit, Event, Stretch, Timeline, Version
from fhir_gateway.store.typed import with_type

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DOCTOR, ADMIN = Caller("dr-lan", "doctor", "qn-general", token="t1"), Caller("admin", "admin", "")


def act(number: int) -> Act:
    """One of sixty, in which every value that can be searched comes up and none in all of them."""
    return Act(
        ("read", "search-type", "update", "everything")[number % 4],
        (DOCTOR, ADMIN, None)[number % 3],
        (200, 404, 503)[number % 5 % 3],
        ("10.0.0.1", "his.example")[number % 2],
        (f"Observation/o{number}/_history/1",) if number % 4 else (),
        (f"Patient/p{number % 7}",) if number % 2 else (),
        "Patient?name=lan" if number % 4 == 1 else "",
        f"request-{number}",
    )


def recorded() -> list[Event]:
    """Sixty events on pages of one, two, three and so on up to ten, a minute between the pages."""
    events: list[Event] = []
    for page in range(1, 11):
        moment = NOON + timedelta(minutes=page)
        names = [f"{page:036d}.{at:02d}" for at in range(page)] if page > 1 else [f"{page:036d}"]
        events += [event(act(len(events) + at), moment, "here", name) for at, name in enumerate(names)]
    return events[:60]


def alone(one: Event, block: int | None = None) -> dict[str, Any]:
    """An event as earlier versions of this house wrote it, with the keys of today."""
    return {
        **with_type("AuditEvent", one.index),
        "_id": event_name(one.id),
        "type": "AuditEvent",
        "id": one.id,
        "version": 1,
        "updated": one.recorded,
        "deleted": False,
        "readers": [],
        "owner": "",
        "body": one.body,
        "block": block,
    }


SEARCHES = [
    "",
    "action=R",
    "action:not=R",
    "action=R,U",
    "address=10.0.0.1",
    "address:contains=example",
    "agent:identifier=dr-lan",
    "agent:identifier=urn:fhir-gateway:client|admin",
    "agent-role=doctor",
    "date=2026-11-23T12:03:00Z",
    "date=ge2026-11-23T12:05:00Z",
    "date=lt2026-11-23T12:05:00Z&action=R",
    "date=2026-11-23",
    "entity=Observation/o6",
    "entity=Patient/p3",
    "entity:identifier=request-11",
    "entity-role=24",
    "entity-role:text=quer",
    "entity-type=2",
    "outcome=4,8",
    "outcome=0&patient=Patient/p1",
    "patient=p1,p3",
    "patient=p5&action=U&outcome=0",
    "subtype=read",
    "type=rest",
    "type:text=restful",
    "site:missing=true",
    "policy=urn:uuid:t1",
    "altid=nothing",
    "_id=000000000000000000000000000000000004.02,000000000000000000000000000000000001",
    "_lastUpdated=gt2026-11-23T12:08:00Z",
    "_lastUpdated=2026-11-23T12:04:00Z&action=R",
    "_sort=date",
    "_sort=-date,action",
    "_sort=-_lastUpdated",
    "action=R&_sort=_lastUpdated",
    "patient=p1,p3&_sort=-_id",
]


def query(text: str, size: int = 100) -> Query:
    return replace(parse("AuditEvent", parse_qsl(text)), size=size)


@pytest.fixture(scope="module")
async def audited(embedded_url: str) -> AsyncIterator[MongoStore]:
    """Sixty events on ten pages."""
    store = await MongoStore.open(embedded_url, f"test-{uuid4().hex}")
    await store.append(recorded())
    yield store
    await store.close()


@pytest.fixture(scope="module")
async def old(embedded_url: str) -> AsyncIterator[MongoStore]:
    """The same events, each alone."""
    store = await MongoStore.open(embedded_url, f"test-{uuid4().hex}")
    await store._database.events.insert_many([alone(one) for one in recorded()])
    yield store
    await store.close()


@pytest.mark.parametrize("text", SEARCHES)
async def test_pages_are_searched_as_if_each_event_lay_alone(audited: MongoStore, old: MongoStore, text: str) -> None:
    wanted = query(text)
    expected = [(version.reference, version.body) for version in await old.find(wanted)]

    assert [(version.reference, version.body) for version in await audited.find(wanted)] == expected
    assert await audited.count(wanted) == len(expected)
    assert sorted(await audited.references(wanted)) == sorted(reference for reference, _ in expected)


@pytest.mark.parametrize("text", SEARCHES)
@pytest.mark.parametrize("backwards", [False, True])
async def test_a_search_of_pages_is_paged_without_gaps(audited: MongoStore, text: str, backwards: bool) -> None:
    everything = [version.reference for version in await audited.find(query(text))]
    seen: list[str] = []
    wanted = replace(query(text, 7), backwards=backwards, after=())
    while part := await audited.find(wanted):
        assert len(part) <= 7
        names = [version.reference for version in part]
        seen = [*names, *seen] if backwards else [*seen, *names]
        last = part[0] if backwards else part[-1]
        fields = index(json.loads(last.body)) if cursor.needs_index(wanted) else {}
        wanted = replace(wanted, after=cursor.position(wanted, last.reference, last.updated, fields))

    assert seen == everything


@pytest.mark.parametrize("text", SEARCHES)
async def test_no_search_of_the_trail_scans_it(audited: MongoStore, text: str) -> None:
    plan = await audited.explain(query(text))

    assert not plan.scans
    assert plan.indexes


async def test_a_page_of_a_search_by_one_key_opens_few_pages(audited: MongoStore) -> None:
    assert (await audited.explain(query("patient=p1", 1))).documents < 10
    stages = pages.unfolding([{"$match": {"type": "AuditEvent", "keys": "a"}}], [{"$limit": 2}])
    assert [next(iter(stage)) for stage in stages] == ["$match", "$limit", "$unwind", "$replaceRoot", "$match"]


async def test_a_patients_compartment_holds_their_events(audited: MongoStore, old: MongoStore) -> None:
    for patients in (("p1",), ("p1", "p3")):
        wanted = Query("AuditEvent", (Compartment(patients),), size=100)
        expected = [version.id for version in await old.find(wanted)]
        assert expected
        assert [version.id for version in await audited.find(wanted)] == expected


async def test_nobody_who_is_confined_sees_an_event(audited: MongoStore) -> None:
    assert await audited.find(query("action=R"), "qn-general") == []
    assert await audited.find(query(""), "qn-general") == []


async def test_an_event_of_a_page_is_read_by_its_id(audited: MongoStore) -> None:
    one = recorded()[30]
    found = await audited.current(event_name(one.id))

    assert found == Version("AuditEvent", one.id, 1, one.recorded, one.body)
    assert await audited.current(event_name(f"{pages.page_of(one.id)}.77")) is None
    names = [event_name(one.id) for one in recorded()]
    assert list(await audited.currents(names)) == names
    assert await audited.version(event_name(one.id), 1) == found


async def test_the_timeline_and_the_walk_meet_every_event_once(audited: MongoStore) -> None:
    names = [event_name(one.id) for one in recorded()]
    told = await audited.changes(Timeline(100, "AuditEvent"))
    walked = [version.reference async for version in audited.walk(Stretch("AuditEvent", NOON + timedelta(hours=1)))]
    behind = Timeline(100, "AuditEvent", after=(told[20].updated, told[20].reference, 1))

    assert [version.reference for version in told] == names[::-1]
    assert walked == names
    assert await audited.changes(behind) == told[21:]
    assert await audited.changes(Timeline(9, "AuditEvent", names[5])) == [await audited.current(names[5])]
    half = Stretch("AuditEvent", NOON + timedelta(hours=1), after=(recorded()[30].recorded, names[30]))
    assert [version.reference async for version in audited.walk(half)] == names[31:]


async def test_requests_at_once_share_a_page(store: MongoStore) -> None:
    trail = Trail(store)

    async def asked(number: int) -> None:
        await trail.enter(lambda name, moment: event(act(number), moment, "here", name), NOON)

    await asyncio.gather(*map(asked, range(130)))
    home = store._database.events
    assert await home.count_documents({"block": pages.PAGED}) <= 4
    assert await store.count(query("")) == 130
    assert len({one.id for one in await store.unsealed(1000)}) == 130


async def test_what_a_commit_does_and_its_event_come_together(store: MongoStore) -> None:
    one = recorded()[0]
    await store.commit(Commit(events=(one,)))
    assert [version.id for version in await store.find(query("_id=" + one.id))] == [one.id]
    assert len(page_documents([one])) == 2


async def test_new_keys_reach_the_events_of_a_page(store: MongoStore) -> None:
    events = recorded()
    await store.append([replace(one, index={"keys": ["old"]}) for one in events])
    assert await store.find(query("action=R")) == []

    assert await store.keep_up("me")
    assert len(await store.find(query("action=R"))) == sum(b'"action":"R"' in one.body for one in events)
    assert len(await store.unsealed(100)) == 55


async def test_a_folder_of_an_earlier_version_goes_on(old: MongoStore) -> None:
    one = event(act(1), NOON, "here", "new")
    await old.append([one])
    assert await old.count(query("")) == 56
    assert [version.id for version in await old.find(query("entity:identifier=request-1"))] == [
        recorded()[1].id,
        "new",
    ]

"""How many commands each kind of page costs the database: a command costs it more than the records of a page."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from fhir_gateway.records.desk import Desk
from fhir_gateway.records.everything import Wish, everything
from fhir_gateway.records.find import search
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import update
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import DEVELOPMENT_CLIENTS, Caller
from fhir_gateway.store.mongo import MongoStore

pytestmark = pytest.mark.anyio

MRN = "urn:mrn"
ABOUT = {"status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}}
READING = ("find", "aggregate", "count", "distinct", "getMore")

COMMANDS = {
    "Patient?identifier=urn:mrn|3": 1,
    "Patient?_id=p3": 1,
    "Patient?family=le&birthdate=1990-01-04": 1,
    "Patient?gender=female": 1,
    "Observation?patient=p3": 1,
    "Observation?patient=p3&code=718-7&date=ge2026-01-01": 1,
    "Observation?patient=p3&code=718-7&_sort=-date": 1,
    "Observation?patient=p3&_summary=count": 1,
    "Observation?patient=p3&_include=Observation:subject": 2,
    "Patient?identifier=urn:mrn|3&_revinclude=Observation:subject": 2,
    "Observation?subject:Patient.identifier=urn:mrn|3": 2,
    "Patient?birthdate=1990-01-04&_has:Observation:patient:code=718-7": 3,
    "Patient?_has:Observation:patient:code=718-7&identifier=urn:mrn|3": 3,
}


class Counted(CommandListener):
    """Counts what is read; the audit trail's own writes are no part of a page."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in READING and event.command.get(event.command_name) == "resources":
            self.names.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Of no interest."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Of no interest."""


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
async def desk(embedded_url: str, counted: Counted) -> AsyncIterator[Desk]:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
        embedded_url, tz_aware=True, w="majority", journal=True, event_listeners=[counted]
    )
    store = MongoStore(client, f"test-{uuid4().hex}")
    await store.prepare()
    try:
        yield Desk(store, Trail(store), lambda: datetime.now(UTC), b"s" * 32, 20, 50, "http://gateway/fhir", "test")
    finally:
        await store.close()


@pytest.fixture
def admin() -> Visit:
    name, role, organization = next(one for one in DEVELOPMENT_CLIENTS if one[0] == "admin")
    return Visit(Caller(name, role, organization), "request-1", "192.0.2.1")


async def filled(desk: Desk, admin: Visit) -> None:
    for n in range(1, 6):
        person = {"identifier": [{"system": MRN, "value": str(n)}], "name": [{"family": "Lê"}], "gender": "female"}
        await put(desk, admin, "Patient", f"p{n}", {**person, "birthDate": f"1990-01-0{n + 1}"})
        for place in range(3):
            fact = {"subject": {"reference": f"Patient/p{n}"}, "effectiveDateTime": "2026-05-01"}
            await put(desk, admin, "Observation", f"o{n}-{place}", {**ABOUT, **fact})


async def put(desk: Desk, admin: Visit, type_: str, identity: str, facts: dict[str, Any]) -> None:
    await update(desk, admin, f"{type_}/{identity}", {"resourceType": type_, "id": identity, **facts})


async def found(desk: Desk, admin: Visit, url: str) -> int:
    type_, _, asked = url.partition("?")
    page = await search(desk, admin, type_, parse_qsl(asked))
    return len(page.matches) or page.total or 0


async def test_each_kind_of_page_costs_the_commands_it_should(desk: Desk, admin: Visit, counted: Counted) -> None:
    await filled(desk, admin)
    cost: dict[str, int] = {}
    for url in COMMANDS:
        counted.names.clear()
        assert await found(desk, admin, url), url
        cost[url] = len(counted.names)
    assert {url: many for url, many in cost.items() if many > COMMANDS[url]} == {}


async def test_all_about_a_patient_costs_three_commands(desk: Desk, admin: Visit, counted: Counted) -> None:
    await put(desk, admin, "Practitioner", "d", {"active": True})
    await filled(desk, admin)
    doctor = {"subject": {"reference": "Patient/p3"}, "performer": [{"reference": "Practitioner/d"}]}
    await put(desk, admin, "Observation", "o3-9", {**ABOUT, **doctor})
    counted.names.clear()
    portion = await everything(desk, admin, "Patient/p3", Wish())
    assert [one.id for one in portion.matches] == ["p3", "o3-0", "o3-1", "o3-2", "o3-9"]
    assert [one.id for one in portion.included] == ["d"]
    assert len(counted.names) <= 3


async def test_a_long_record_is_read_by_windows(desk: Desk, admin: Visit, counted: Counted) -> None:
    await filled(desk, admin)
    for place in range(60):
        await put(desk, admin, "Observation", f"more-{place:02}", {**ABOUT, "subject": {"reference": "Patient/p3"}})
    await everything(replace(desk, page_size=5), admin, "Patient/p3", Wish())
    counted.names.clear()
    portion = await everything(replace(desk, page_size=5), admin, "Patient/p3", Wish())
    assert [one.id for one in portion.matches] == ["p3", "more-00", "more-01", "more-02", "more-03"]
    assert 2 <= len(counted.names) <= 4


async def test_pages_asked_for_at_once_share_their_commands(desk: Desk, admin: Visit, counted: Counted) -> None:
    await filled(desk, admin)
    counted.names.clear()
    urls = [f"Observation?patient=p{n % 5 + 1}&code=718-7&_include=Observation:subject" for n in range(10)]
    assert await asyncio.gather(*(found(desk, admin, url) for url in urls)) == [3] * 10
    assert len(counted.names) <= 6

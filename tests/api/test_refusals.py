"""Requests without a token leave a trace, and a flood of them leaves little more than one."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from fhir_gateway.api.refusals import OTHERS, Refusals
from fhir_gateway.api.services import Services
from fhir_gateway.problem import Unavailable
from fhir_gateway.security.audit import Act

pytestmark = pytest.mark.anyio


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def told(admin: httpx.AsyncClient) -> list[dict[str, Any]]:
    found = await admin.get("/fhir/AuditEvent?outcome=4&_count=1000&_sort=_lastUpdated")
    return [entry["resource"] for entry in found.json().get("entry", ())]


@pytest.fixture
def clock(services: Services) -> Clock:
    services.refusals.clock = clock = Clock()
    return clock


async def test_the_first_refusal_of_an_address_is_an_event(
    client_of: Callable[[str], httpx.AsyncClient], admin: httpx.AsyncClient
) -> None:
    assert (await client_of("").get("/fhir/Patient/p")).status_code == 401
    (event,) = await told(admin)
    requestor = event["agent"][0]
    assert requestor["who"] == {"display": "unauthenticated"}
    assert requestor["network"]["address"] == "127.0.0.1"
    assert event["subtype"][0]["code"] == "read"
    assert event["entity"][0]["what"] == {"reference": "Patient/p"}


async def test_what_follows_within_the_minute_is_one_event_more(
    client_of: Callable[[str], httpx.AsyncClient], admin: httpx.AsyncClient, clock: Clock
) -> None:
    for _ in range(20):
        await client_of("").get("/fhir/Patient/p")
    assert len(await told(admin)) == 1

    clock.now += 61
    await client_of("").get("/fhir/Patient/p")
    assert [event["outcomeDesc"] for event in await told(admin)] == ["HTTP 401", "HTTP 401, 19 times", "HTTP 401"]


async def test_a_token_that_is_refused_counts_too(services: Services, admin: httpx.AsyncClient, clock: Clock) -> None:
    forged = {"authorization": "Bearer nonsense"}
    assert (await admin.get("/fhir/Patient/p", headers=forged)).status_code == 401
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await admin.post("/auth/token", content="grant_type=password", headers=form)).status_code == 400
    await services.refusals.tell(services.desk)
    assert [event["outcomeDesc"] for event in await told(admin)] == ["HTTP 401", "HTTP 401"]


async def test_many_addresses_are_told_together(services: Services, admin: httpx.AsyncClient, clock: Clock) -> None:
    services.refusals.most = 5
    for place in range(15):
        address = f"2001:db8:{place:x}::{place:x}"
        await services.refusals.note(services.desk, Act("read", None, 401, address))
        await services.refusals.note(services.desk, Act("read", None, 401, f"2001:db8:{place:x}::1"))
    await services.refusals.tell(services.desk)
    events = await told(admin)
    assert len(events) == 2 * 5 + 2
    times = {event["agent"][0]["network"]["address"]: event["outcomeDesc"] for event in events}
    assert times[OTHERS] == f"HTTP 401, {2 * 10 - 1} times"


async def test_a_trail_that_takes_nothing_is_told_later(services: Services, clock: Clock) -> None:
    written: list[str] = []

    class Trail:
        works = False

        async def enter(self, make: Any, moment: Any) -> None:
            if not self.works:
                raise Unavailable("no")
            written.append(make("id", moment).body.decode())

    class Desk:
        trail, name, now = Trail(), "test", services.desk.now

    refusals, act = Refusals(clock), Act("read", None, 401, "192.0.2.1")
    await refusals.note(Desk(), act)  # type: ignore[arg-type]
    await refusals.note(Desk(), act)  # type: ignore[arg-type]
    await refusals.tell(Desk())  # type: ignore[arg-type]
    Trail.works = True
    await refusals.tell(Desk())  # type: ignore[arg-type]
    assert len(written) == 1
    assert "HTTP 401, 2 times" in written[0]

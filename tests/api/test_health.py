"""Probes and counters."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import httpx
import pytest
from starlette.applications import Starlette

from fhir_gateway.api.routes import fhir_routes
from fhir_gateway.api.services import Services
from fhir_gateway.problem import Unavailable
from fhir_gateway.search.extract import index
from fhir_gateway.security.audit import Act, event
from fhir_gateway.security.journal import Journal
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Store

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_probes_need_no_token(client_of: Callable[[str], httpx.AsyncClient], path: str) -> None:
    assert (await client_of("").get(path)).status_code == 200


async def test_readiness_tells_what_waits_in_the_audit_journal_and_what_is_damaged_there(
    services: Services, store: MongoStore, tmp_path: Path
) -> None:
    (tmp_path / "old.damaged").touch()
    journal = Journal(tmp_path, store, index, 10**6)
    await journal.adopt()
    app = Starlette(routes=fhir_routes(replace(services, journal=journal)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway") as client:
        for waiting in (0, 1):
            told = (await client.get("/health/ready")).json()["audit_journal"]
            assert told == {"waiting": waiting, "damaged": 1}
            await journal.keep([event(Act("read", None), services.desk.now(), "here", index)])
    await journal.close()


async def test_counters_are_for_auditors_and_administrators(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    await client_of("admin").get("/fhir/Patient/none")

    await client_of("admin").request("NGUYEN", "/fhir/Patient/none")

    shown = await client_of("auditor").get("/metrics")

    assert 'fhir_gateway_requests_total{method="GET",route="/fhir/{type}/{id}",status="404"} 1.0' in shown.text
    assert ('method="OTHER"' in shown.text, "NGUYEN" in shown.text) == (True, False)
    assert (await client_of("bai-chay").get("/metrics")).status_code == 403


class Silent:
    """A store that does not answer."""

    async def ping(self) -> None:
        raise Unavailable("the database does not answer; try again")


@pytest.mark.parametrize(("room", "words"), [(True, "does not answer"), (False, "disk of the data folder is full")])
async def test_readiness_names_a_full_disk_as_the_reason(services: Services, room: bool, words: str) -> None:
    desk = replace(services.desk, store=cast(Store, Silent()))
    app = Starlette(routes=fhir_routes(replace(services, desk=desk, has_room=lambda: room)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway") as client:
        answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert words in answer.text

"""Whatever a client sends, the fault is said to be the client's; whatever fails here is logged without content."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from structlog.testing import capture_logs

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Action, Asked, Door
from fhir_gateway.api.errors import caught
from fhir_gateway.api.services import Services
from fhir_gateway.problem import NotFound, Problem, Unavailable

pytestmark = pytest.mark.anyio
FUZZ = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

NAMES = st.sampled_from(
    ["resourceType", "id", "meta", "name", "entry", "request", "method", "url", "type", "resource", "fullUrl"]
) | st.text(max_size=5)
WORDS = st.sampled_from(
    ["Patient", "Bundle", "transaction", "batch", "GET", "PUT", "DELETE", "Patient/1", "Patient?name=a", "1990-01-01"]
) | st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=15,
)
REQUEST = st.fixed_dictionaries({"method": WORDS, "url": WORDS}, optional={"ifMatch": VALUES, "ifNoneExist": WORDS})
ENTRY = st.fixed_dictionaries({}, optional={"request": REQUEST | VALUES, "resource": VALUES, "fullUrl": VALUES})


@FUZZ
@given(sent=st.dictionaries(NAMES, VALUES, max_size=6), place=st.sampled_from(["/fhir/Patient", "/fhir", "/fhir/Task"]))
async def test_no_json_makes_a_fault(admin: httpx.AsyncClient, sent: dict[str, Any], place: str) -> None:
    answer = await admin.post(place, content=json.dumps({"resourceType": place.rpartition("/")[2], **sent}))

    assert answer.status_code < 500, answer.text


@FUZZ
@given(kind=st.sampled_from(["batch", "transaction"]), entries=st.lists(ENTRY, max_size=4))
async def test_no_bundle_makes_a_fault(admin: httpx.AsyncClient, kind: str, entries: list[Any]) -> None:
    answer = await admin.post("/fhir", content=json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}))

    assert answer.status_code < 500, answer.text
    if answer.status_code == 200:
        statuses = [entry["response"]["status"] for entry in answer.json().get("entry", ())]
        assert [status for status in statuses if status.startswith("5")] == []


@FUZZ
@given(body=st.binary(max_size=200))
async def test_no_bytes_make_a_fault(admin: httpx.AsyncClient, body: bytes) -> None:
    assert (await admin.post("/fhir/Patient", content=body)).status_code < 500


PARAMETERS = st.sampled_from(
    [
        "_id",
        "_count",
        "_sort",
        "_include",
        "_revinclude",
        "_total",
        "_cursor",
        "_summary",
        "_lastUpdated",
        "identifier",
        "name",
        "birthdate",
        "gender",
        "general-practitioner",
        "birthdate:missing",
        "name:exact",
        "identifier:of-type",
        "_has:Observation:subject:code",
        "x",
    ]
)
ARGUMENTS = st.sampled_from(
    ["ge2020", "a|b", "|", "Patient/1", "true", "Observation:subject", "-1", "9" * 30]
) | st.text(max_size=20)


@FUZZ
@given(pairs=st.lists(st.tuples(PARAMETERS | st.text(max_size=6), ARGUMENTS), max_size=4))
async def test_no_search_makes_a_fault(admin: httpx.AsyncClient, pairs: list[tuple[str, str]]) -> None:
    harmless = [(name, value.encode("utf-8", "replace").decode()) for name, value in pairs]
    harmless = [(name.encode("utf-8", "replace").decode(), value) for name, value in harmless]

    answer = await admin.get("/fhir/Patient", params=httpx.QueryParams(harmless))

    assert answer.status_code < 500, answer.text


@FUZZ
@given(query=st.binary(max_size=40), path=st.text(max_size=20))
async def test_no_address_makes_a_fault(admin: httpx.AsyncClient, query: bytes, path: str) -> None:
    scope = {"type": "http", "method": "GET", "path": f"/fhir/{path}", "raw_path": b"", "query_string": query}
    app = admin._transport.app  # type: ignore[attr-defined]
    headers = [(b"authorization", admin.headers["authorization"].encode())]
    statuses = []

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status"))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await app({**scope, "headers": headers, "root_path": "", "client": None}, receive, send)

    assert statuses[0] is not None
    assert statuses[0] < 500


async def test_a_problem_passes_as_it_is() -> None:
    async def fail() -> Answer:
        raise NotFound("there is none")

    assert isinstance(await caught(fail(), "n"), NotFound)


async def test_a_fault_is_logged_by_type_and_place_alone() -> None:
    async def stumble() -> Answer:
        raise ValueError("Nguyễn Văn An")

    with capture_logs() as logs:
        problem = await caught(stumble(), "n-1")

    assert isinstance(problem, Problem)
    assert (problem.status, "n-1" in problem.text) == (500, True)
    (line,) = logs
    assert (line["type"], line["request"]) == ("ValueError", "n-1")
    assert line["place"].endswith(f":{stumble.__code__.co_firstlineno + 1}")
    assert "Nguyễn" not in str(logs) + problem.text


@pytest.fixture
async def closed(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway whose one page finds the database gone."""

    async def gone(services: Services, asked: Asked) -> Answer:
        raise Unavailable("the database does not answer")

    door = Door(services, "/gone", {"GET": Action("read", gone)}, anonymous=True)
    app = Starlette()
    app.router.add_route("/gone", door)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def test_a_lost_database_is_503_with_the_time_to_come_back(closed: httpx.AsyncClient) -> None:
    answer = await closed.get("/gone")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["issue"][0]["code"] == "transient"


async def test_a_request_that_a_stopping_server_gives_up_is_to_be_sent_again() -> None:
    async def endless() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(caught(endless(), "r1"))
    await asyncio.sleep(0)
    task.cancel()

    problem = await task
    assert isinstance(problem, Unavailable)
    assert problem.status == 503

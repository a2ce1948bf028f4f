"""Subscriptions through the whole gateway: over HTTP and over a websocket, from a message to the one who is told."""

import asyncio
import json
from collections.abc import Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from fhir_gateway.api.subscriptions import SOCKET
from fhir_gateway.fhir.validation import validate
from fhir_gateway.subscriptions.terms import BACKPORT

pytestmark = pytest.mark.anyio
XML = "application/xml"
MOVES = "urn:fhir-gateway:topic:task-moves"


class Listener(httpx.AsyncBaseTransport):
    """The subscriber's server."""

    def __init__(self) -> None:
        self.bundles: list[dict] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.bundles.append(json.loads(await request.aread()))
        return httpx.Response(200)


class Socket:
    """A websocket client that speaks ASGI with the gateway."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[dict] = asyncio.Queue()
        self.outbox: asyncio.Queue[dict] = asyncio.Queue()

    async def say(self, text: str) -> None:
        await self.inbox.put({"type": "websocket.receive", "text": text})

    async def hear(self, seconds: float = 10.0) -> dict:
        message = await asyncio.wait_for(self.outbox.get(), seconds)
        return json.loads(message["text"]) if message["type"] == "websocket.send" else message


@asynccontextmanager
async def connected(gateway):
    socket = Socket()
    scope = {"type": "websocket", "path": SOCKET, "headers": [], "query_string": b"", "subprotocols": []}
    await socket.inbox.put({"type": "websocket.connect"})
    running = asyncio.create_task(gateway.app()(scope, socket.inbox.get, socket.outbox.put))
    try:
        assert (await socket.outbox.get())["type"] == "websocket.accept"
        yield socket
    finally:
        await socket.inbox.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(running, 5)


def subscription(criteria: str, kind: str, content: str = "id-only") -> dict:
    channel = {"type": kind, "payload": "application/fhir+json"}
    channel |= {"endpoint": "http://localhost:1/hook"} if kind == "rest-hook" else {}
    extension = {"url": f"{BACKPORT}/backport-payload-content", "valueCode": content}
    channel["_payload"] = {"extension": [extension]}
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "a test",
        "criteria": criteria,
        "channel": channel,
    }


def rows(bundle: dict, name: str) -> list[dict]:
    return [row for row in bundle["entry"][0]["resource"]["parameter"] if row["name"] == name]


def kind(bundle: dict) -> str:
    return rows(bundle, "type")[0]["valueCode"]


def numbers(bundle: dict) -> list[int]:
    return [int(row["part"][0]["valueString"]) for row in rows(bundle, "notification-event")]


async def until(question: Callable, seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await question():
                return
            await asyncio.sleep(0.05)


async def subscribed(place, client: str, wanted: dict) -> str:
    place.gateway.store.settle_seconds = 0.0
    made = await place.post(client, "/fhir/Subscription", wanted)
    assert made.status_code == 201, made.text
    identity = made.json()["id"]

    async def active():
        return (await place.get(client, f"/fhir/Subscription/{identity}")).json()["status"] == "active"

    await until(active)
    return identity


async def bound(place, socket: Socket, client: str, identity: str) -> dict:
    answer = await place.get(client, f"/fhir/Subscription/{identity}/$get-ws-binding-token")
    assert answer.status_code == 200, answer.text
    told = {row["name"]: next(v for k, v in row.items() if k != "name") for row in answer.json()["parameter"]}
    assert told["websocket-url"] == f"ws://quang-ninh{SOCKET}"
    await socket.say(f"bind-with-token {told['token']}")
    return await socket.hear()


async def test_a_central_hospital_hears_of_each_move_of_its_cases_over_a_websocket(pair, message):
    province, _ = pair
    identity = await subscribed(province, "bach-mai", subscription(MOVES, "websocket"))
    async with connected(province.gateway) as socket:
        assert kind(await bound(province, socket, "bach-mai", identity)) == "handshake"
        receipt = await province.ingest("bai-chay", XML, message("vn_xml/episode-3176"))
        assert receipt.json()["state"] == "stored"
        notice = await socket.hear()
        assert kind(notice) == "event-notification"
        (event,) = rows(notice, "notification-event")
        (task,) = await province.search("bach-mai", "Task")
        assert event["part"][2]["valueReference"]["reference"] == f"http://quang-ninh/fhir/Task/{task['id']}"


async def test_events_from_before_a_connection_are_told_when_it_binds(pair):
    province, _ = pair
    identity = await subscribed(province, "san-nhi", subscription("Patient", "websocket", "full-resource"))
    for _ in range(2):
        await province.post("san-nhi", "/fhir/Patient", {"resourceType": "Patient", "gender": "female", "active": True})
    async with connected(province.gateway) as socket:
        assert kind(await bound(province, socket, "san-nhi", identity)) == "handshake"
        heard: list[int] = []
        while len(heard) < 2:
            heard += numbers(await socket.hear())
        assert heard == [1, 2]
        await province.post("san-nhi", "/fhir/Patient", {"resourceType": "Patient"})
        assert numbers(await socket.hear()) == [3]
        # What was told is noted after it was told; who leaves between the two is told again.
        with pytest.raises(TimeoutError):
            await socket.hear(0.5)
    async with connected(province.gateway) as again:
        assert kind(await bound(province, again, "san-nhi", identity)) == "handshake"
        with pytest.raises(TimeoutError):
            await again.hear(1.0)


async def test_a_socket_without_a_good_token_is_closed(pair):
    async with connected(pair[0].gateway) as socket:
        await socket.say("bind-with-token guessed")
        assert (await socket.hear())["code"] == 1008
    async with connected(pair[0].gateway) as socket:
        await socket.say("{not json")
        assert (await socket.hear())["code"] == 1008


async def test_a_socket_is_closed_when_its_subscription_is_deleted(pair):
    province, _ = pair
    identity = await subscribed(province, "san-nhi", subscription("Patient", "websocket"))
    async with connected(province.gateway) as socket:
        await bound(province, socket, "san-nhi", identity)
        gone = await province.http.delete(f"/fhir/Subscription/{identity}", headers=province.bearer("san-nhi"))
        assert gone.status_code == 204
        assert (await socket.hear())["type"] == "websocket.close"


async def test_another_hospital_gets_no_token_and_sees_no_subscription(pair):
    province, _ = pair
    identity = await subscribed(province, "san-nhi", subscription("Patient", "websocket"))
    for path in ("", "/$get-ws-binding-token", "/$status", "/$events"):
        answer = await province.get("bai-chay", f"/fhir/Subscription/{identity}{path}")
        assert answer.status_code == 404, path
    assert (await province.get("doctor", f"/fhir/Subscription/{identity}")).status_code == 404
    assert (await province.get("population", "/fhir/Subscription/$status")).status_code == 403
    listed = (await province.get("bai-chay", "/fhir/Subscription/$status")).json()
    assert listed.get("entry", []) == []


async def test_status_and_events_tell_a_subscriber_what_it_missed(pair):
    province, _ = pair
    listener = Listener()
    province.gateway.hook.__init__(listener)
    identity = await subscribed(province, "san-nhi", subscription("Patient", "rest-hook"))
    for _ in range(5):
        await province.post("san-nhi", "/fhir/Patient", {"resourceType": "Patient"})

    async def told():
        return sum(len(numbers(bundle)) for bundle in listener.bundles) == 5

    await until(told)
    status = (await province.get("san-nhi", f"/fhir/Subscription/{identity}/$status")).json()
    assert status["type"] == "searchset"
    assert kind(status) == "query-status"
    assert rows(status, "events-since-subscription-start")[0]["valueString"] == "5"
    address = f"/fhir/Subscription/{identity}/$events"
    some = (
        await province.get("san-nhi", f"{address}?eventsSinceNumber=2&eventsUntilNumber=4&content=full-resource")
    ).json()
    assert kind(some) == "query-event"
    assert numbers(some) == [2, 3, 4]
    assert [entry["resource"]["resourceType"] for entry in some["entry"]] == [
        "Parameters",
        "Patient",
        "Patient",
        "Patient",
    ]
    assert numbers((await province.get("san-nhi", address)).json()) == [1, 2, 3, 4, 5]
    assert numbers((await province.get("san-nhi", f"{address}?eventsSinceNumber=6")).json()) == []
    assert (await province.get("san-nhi", f"{address}?eventsSinceNumber=-1")).status_code == 400
    assert (await province.get("san-nhi", f"{address}?since=1")).status_code == 400
    both = (await province.get("san-nhi", f"/fhir/Subscription/$status?status=active&id={identity}")).json()
    assert len(both["entry"]) == 1
    none = (await province.get("san-nhi", "/fhir/Subscription/$status?status=off")).json()
    assert none.get("entry", []) == []


async def test_the_capability_statement_names_topics_operations_and_the_socket(pair):
    province, _ = pair
    (rest,) = (await province.http.get("/fhir/metadata")).json()["rest"]
    (own,) = [resource for resource in rest["resource"] if resource["type"] == "Subscription"]
    topics = [one["valueCanonical"] for one in own["extension"]]
    assert MOVES in topics
    assert {"status", "events", "get-ws-binding-token", "topic-list"} <= {one["name"] for one in own["operation"]}
    assert rest["extension"][0]["valueUri"] == f"ws://quang-ninh{SOCKET}"
    listed = (await province.get("bach-mai", "/fhir/Subscription/$topic-list")).json()["parameter"]
    assert [row["valueCanonical"] for row in listed if "valueCanonical" in row] == topics


async def test_notifications_topics_and_statuses_are_valid_r4(pair):
    province, _ = pair
    province.gateway.hook.__init__(listener := Listener())
    await subscribed(province, "san-nhi", subscription("Patient", "rest-hook", "full-resource"))
    await province.post("san-nhi", "/fhir/Patient", {"resourceType": "Patient", "active": True})

    async def told():
        return len(listener.bundles) == 2

    await until(told)
    listed = (await province.get("bach-mai", "/fhir/Subscription/$topic-list")).json()
    status = (await province.get("san-nhi", "/fhir/Subscription/$status")).json()
    for resource in (*listener.bundles, listed, status, (await province.http.get("/fhir/metadata")).json()):
        assert validate(resource) == ()

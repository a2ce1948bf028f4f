"""Subscriptions by HTTP: their operations, and the websocket.

https://hl7.org/fhir/uv/subscriptions-backport/artifacts.html#behavior-operation-definitions
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.asked import answered, asked_with
from fhir_gateway.api.door import Asked
from fhir_gateway.api.services import Services
from fhir_gateway.problem import BadRequest, Problem
from fhir_gateway.records.journal import record
from fhir_gateway.security.access import may
from fhir_gateway.subscriptions import answers
from fhir_gateway.subscriptions.office import Office
from fhir_gateway.subscriptions.stream import Stream
from fhir_gateway.subscriptions.terms import CONTENTS

SOCKET = "/subscriptions/websocket"
POLICY = 1008
UNBOUND_SECONDS = 30.0


async def status(services: Services, asked: Asked) -> Answer:
    """``$status`` of one subscription; its arguments are ignored, as the guide says."""
    return Answer(200, await answers.status_of_one(services.desk, asked.visit, asked.path("id")))


async def statuses(services: Services, asked: Asked) -> Answer:
    """``$status`` of all that the caller may see."""
    given = await asked_with(services, asked)
    given.only({"id", "status"})
    found = await answers.status_of_all(services.desk, asked.visit, given.texts("id"), given.texts("status"))
    return Answer(200, found)


async def events(services: Services, asked: Asked) -> Answer:
    """``$events``: what happened, by number."""
    given = await asked_with(services, asked)
    given.only({"eventsSinceNumber", "eventsUntilNumber", "content"})
    numbers = [answers.event_number(given.text(name), name) for name in ("eventsSinceNumber", "eventsUntilNumber")]
    content = given.text("content") or ""
    if content and content not in CONTENTS:
        raise BadRequest(f"'content' is one of {', '.join(CONTENTS)}", "content")
    found = await answers.missed_events(services.desk, asked.visit, asked.path("id"), (numbers[0], numbers[1]), content)
    return Answer(200, found)


async def topic_list(services: Services, asked: Asked) -> Answer:
    """``$topic-list``: what may be subscribed to."""
    may(asked.visit.caller, "read", "Subscription")
    await record(services.desk, asked.visit, "$topic-list")
    return answered(answers.topic_list())


async def socket_token(services: Services, asked: Asked) -> Answer:
    """``$get-ws-binding-token``: a key for the websocket; the audit names who got it."""
    given = await asked_with(services, asked)
    ids = [asked.path("id")] if "id" in asked.params else given.texts("id")
    token = await answers.socket_token(services.desk, asked.visit, ids, socket_url(services.desk.base_url))
    await record(services.desk, asked.visit, "$get-ws-binding-token")
    return answered(token)


def socket_url(base_url: str) -> str:
    """Where the websocket is, seen from outside."""
    parts = urlsplit(base_url)
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}{parts.path.removesuffix('/fhir')}{SOCKET}"


def socket_route(office: Callable[[], Office]) -> WebSocketRoute:
    """The websocket; whoever connects has no rights until a token binds it."""

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        stream = Stream(office(), socket.send_text)
        tasks = [asyncio.create_task(_listen(socket, stream)), asyncio.create_task(stream.follow())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await _end(socket, next(iter(done)).exception())

    return WebSocketRoute(SOCKET, talk)


async def _listen(socket: WebSocket, stream: Stream) -> None:
    while True:
        wait = None if stream.bound else UNBOUND_SECONDS
        await stream.hear(await asyncio.wait_for(socket.receive_text(), wait))


async def _end(socket: WebSocket, fault: BaseException | None) -> None:
    """Say why; whoever hung up is not told."""
    if isinstance(fault, WebSocketDisconnect):
        return
    reason = fault.text[:100] if isinstance(fault, Problem) else "no subscription is bound to this connection"
    with suppress(RuntimeError):
        await socket.close(POLICY, reason)

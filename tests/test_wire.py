"""What a stranger can make the server hold: heads without end, connections that say nothing, bodies that drip."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from fhir_gateway import wire
from fhir_gateway.api import negotiation
from fhir_gateway.api.answer import Answer, of_problem
from fhir_gateway.problem import Problem

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nhost: x\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"


async def _repeat(talk: WebSocket) -> None:
    await talk.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await talk.send_text(await talk.receive_text())


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await _repeat(WebSocket(scope, receive, send))
        return
    try:
        answer = Answer(200, await negotiation.body(Request(scope, receive), 10**6))
    except Problem as problem:
        answer = of_problem(problem)
    await answer.send(send, (), False)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(_echo, log_config=None, lifespan="off", **wire.SPOKEN))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = server.force_exit = True
    await serving


async def _answers(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Everything the server says until it ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def _outcome(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["issue"][0]["code"])


async def test_an_ordinary_request_is_answered_and_the_connection_stays(port: int) -> None:
    answer = await _answers(port, POST % 2 + b"{}", GET + b"connection: close\r\n\r\n", pause=0.05)

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"\r\n\r\n{}" in answer


async def test_headers_beyond_the_limit_are_refused_in_the_words_of_fhir(port: int) -> None:
    answer = await _answers(port, GET + b"x-a: " + b"a" * (wire.HEAD_BYTES + 1) + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert _outcome(answer) == "too-long"


async def test_many_small_headers_count_as_one_large_one(port: int) -> None:
    lines = b"".join(b"x-%d: %s\r\n" % (number, b"b" * 50) for number in range(2000))

    assert (await _answers(port, GET + lines + b"\r\n")).startswith(b"HTTP/1.1 431 ")


async def test_a_header_without_an_end_is_cut_off_soon(port: int) -> None:
    answer = await _answers(port, GET + b"x-a: ", *[b"a" * 16384] * 8, pause=0.01)

    assert answer.startswith(b"HTTP/1.1 431 ") or not answer


async def test_an_address_without_an_end_is_cut_off_soon(port: int) -> None:
    answer = await _answers(port, b"GET /", *[b"a" * 16384] * 8, pause=0.01)

    assert b" 431 " in answer or b" 400 " in answer or not answer


async def test_a_head_that_drips_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.2)

    answer = await _answers(port, *[bytes([byte]) for byte in GET], pause=0.03)

    assert answer.startswith(b"HTTP/1.1 408 ") or not answer


async def test_who_says_nothing_is_left_without_a_word(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.1)

    assert await _answers(port) == b""


async def test_the_second_request_of_a_connection_has_to_come_in_time_too(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.2)

    answer = await _answers(port, GET + b"\r\n", b"\r\n", b"GET / HT", pause=0.05)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answer


async def test_a_body_may_take_longer_than_a_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.1)

    answer = await _answers(port, POST % 2, b"{", b"}", GET + b"connection: close\r\n\r\n", pause=0.15)

    assert answer.count(b"HTTP/1.1 200 OK") == 2


async def test_a_body_that_drips_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negotiation, "BODY_SECONDS", 0.1)

    answer = await _answers(port, POST % 100, b"a", b"a", pause=0.01)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"timeout"' in answer


async def test_a_websocket_hears_short_messages_only(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}") as talk:
        await talk.send("bind-with-token x")
        assert await talk.recv() == "bind-with-token x"
        await talk.send("a" * 100_000)
        with pytest.raises(ConnectionClosedError, match="1009"):
            await talk.recv()


async def test_what_is_no_http_is_told_so_by_an_outcome(port: int) -> None:
    answer = await _answers(port, b"\x16\x03\x01 hello\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert _outcome(answer) == "invalid"

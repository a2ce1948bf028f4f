"""The client of the measurements against a server that says what it got."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import repeat

import pytest

from bench.load import FAILURE_LIMIT, Ask, ask, load

pytestmark = pytest.mark.anyio

GET = Ask("GET", "/fhir/Patient/1", "token")
POST = Ask("POST", "/fhir", "token", b'{"a": 1}', "application/fhir+json")


@asynccontextmanager
async def server(status: str, heard: list[bytes]) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            heard.append(head + (await reader.readexactly(8) if b"Content-Length: 8" in head else b""))
            writer.write(f'HTTP/1.1 {status}\r\nContent-Length: 7\r\n\r\n{{"b":2}}'.encode())
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def test_a_load_ends_at_its_number() -> None:
    heard: list[bytes] = []
    async with server("200 OK", heard) as port:
        done = await load(port, repeat(GET), clients=3, seconds=30, most=20)

    assert done.done == len(heard) == 20
    assert done.failures == ()


async def test_a_load_ends_at_its_time() -> None:
    async with server("200 OK", []) as port:
        done = await load(port, repeat(GET), clients=2, seconds=0.2)

    assert done.done > 0
    assert 0.2 <= done.seconds < 5


async def test_a_load_gives_up_when_everything_fails() -> None:
    heard: list[bytes] = []
    async with server("503 Busy", heard) as port:
        done = await load(port, repeat(GET), clients=2, seconds=30)

    assert done.done == 0
    assert FAILURE_LIMIT <= len(done.failures) <= FAILURE_LIMIT + 2
    assert done.failures[0].startswith("503 GET /fhir/Patient/1")


async def test_a_message_that_was_only_received_is_not_done() -> None:
    async with server("202 Accepted", []) as port:
        done = await load(port, repeat(GET), clients=1, seconds=30, most=3)

    assert (done.done, len(done.failures)) == (0, 3)


async def test_a_request_carries_its_token_and_body() -> None:
    heard: list[bytes] = []
    async with server("200 OK", heard) as port:
        assert await ask(port, POST) == {"b": 2}

    assert b"\r\nAuthorization: Bearer token\r\n" in heard[0]
    assert heard[0].endswith(b'\r\n\r\n{"a": 1}')


async def test_a_single_request_that_is_refused_says_so() -> None:
    async with server("403 Forbidden", []) as port:
        with pytest.raises(RuntimeError, match="403"):
            await ask(port, GET)


async def test_an_answer_in_chunks_is_read_to_its_end() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"b\r\n4;x=y\r\n":2}\r\n0\r\n\r\n')
        writer.close()

    heard: list[bytes] = []
    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        asks = repeat(Ask("GET", "/", "", heard=lambda _, body: heard.append(body)))
        done = await load(port, asks, clients=1, seconds=30, most=2)

    assert (done.done, heard) == (2, [b'{"b":2}', b'{"b":2}'])

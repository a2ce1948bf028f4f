"""The client that makes the load: requests over kept connections, as plain as HTTP/1.1 allows, so that it is not
what is measured.

https://www.rfc-editor.org/rfc/rfc9112
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import orjson

from bench.figures import Load

FAILURE_LIMIT = 20
ANSWER_SECONDS = 60
# 202 is none: a message that was only received has not gone the whole way; who hears the answer may tell.
DONE, RECEIVED = (200, 201), 202

Heard = Callable[[float, bytes], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; ``token`` proves the caller, where one is asked for.

    ``heard`` is told of a good answer: after how many milliseconds it came and what it says.
    """

    method: str
    path: str
    token: str
    body: bytes = b""
    media_type: str = ""
    heard: Heard | None = None

    def raw(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if self.body:
            lines += [f"Content-Type: {self.media_type}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(slots=True)
class Run:
    """A load under way: what all its clients share."""

    asks: Iterator[Ask]
    end: float
    left: int
    milliseconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def next(self) -> Ask | None:
        """The next request; None when time, number or patience is used up."""
        if self.left <= 0 or perf_counter() >= self.end or len(self.failures) >= FAILURE_LIMIT:
            return None
        self.left -= 1
        return next(self.asks, None)


async def load(port: int, asks: Iterator[Ask], clients: int, seconds: float, most: int = 10**9) -> Load:
    """So many clients ask one after another until the time, the number ``most`` or the asks are used up."""
    started = perf_counter()
    run = Run(asks, started + seconds, most)
    await asyncio.gather(*(_client(port, run) for _ in range(clients)))
    return Load(tuple(run.milliseconds), perf_counter() - started, tuple(run.failures))


async def _client(port: int, run: Run) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (ask := run.next()) is not None:
            raw = ask.raw()
            started = perf_counter()
            writer.write(raw)
            status, body = await asyncio.wait_for(_answer(reader), ANSWER_SECONDS)
            taken = (perf_counter() - started) * 1000
            if status in DONE or (status == RECEIVED and ask.heard):
                run.milliseconds.append(taken)
                if ask.heard:
                    ask.heard(taken, body)
            else:
                run.failures.append(f"{status} {ask.method} {ask.path.partition('?')[0]}: {body[:300].decode()}")
    finally:
        writer.close()


async def ask(port: int, request: Ask, seconds: float = ANSWER_SECONDS) -> Any:
    """One request and its JSON answer. Raises RuntimeError when it is refused, TimeoutError when it takes longer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request.raw())
        status, body = await asyncio.wait_for(_answer(reader), seconds)
    finally:
        writer.close()
    if status >= 300:
        raise RuntimeError(f"{request.method} {request.path}: {status} {body[:500].decode()}")
    return orjson.loads(body) if body else None


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    place = head.lower().find(b"\r\ncontent-length:")
    if place < 0 and b"\r\ntransfer-encoding: chunked" in head.lower():
        return int(head[9:12]), b"".join([chunk async for chunk in _chunks(reader)])
    length = int(head[place + 17 : head.index(b"\r\n", place + 2)]) if place >= 0 else 0
    return int(head[9:12]), await reader.readexactly(length) if length else b""


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """What a server sends before it knows how long it is; the gateway never does, others do."""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        yield (await reader.readexactly(size + 2))[:size]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers

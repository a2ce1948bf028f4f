"""The first thing a stranger meets: a request's head is short and comes soon, else the connection ends.

https://www.rfc-editor.org/rfc/rfc9112#section-3

Before the head is complete nobody is known and no door is asked, and uvicorn itself sets no limit: one header that
never ended took 200 MB, and a connection that says nothing stayed open for ever.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.outcome import outcome
from fhir_gateway.problem import BadRequest, HeadTooLarge, Problem, TooSlow

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20.0


class Bounded(HttpToolsProtocol):
    """uvicorn's own way of speaking HTTP, within ``HEAD_BYTES`` and ``HEAD_SECONDS`` for a head."""

    _size = 0
    _in_head = True
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_patience()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._patience is None and (self.cycle is None or self.cycle.response_complete):
            # Neither a request in the making nor one at work: what comes has to become a head.
            self._expect_head()
        super().data_received(data)
        if self._in_head:
            self._take(len(data))

    def on_message_begin(self) -> None:
        self._expect_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._take(0, len(self.url))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._forget_patience()
        if self.transport.is_closing():
            return
        if sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            self._refuse(HeadTooLarge(f"the headers of a request may have {HEAD_BYTES} bytes", "headers"))
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.transport.is_closing():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, in the words of FHIR."""
        text = "this is no HTTP request; letters beyond ASCII are percent-encoded in an address"
        self._refuse(BadRequest(text, "headers"))

    def _expect_head(self) -> None:
        self._forget_patience()
        self._in_head, self._size = True, 0
        self._patience = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _forget_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _take(self, more: int, url: int = 0) -> None:
        self._size += more
        if max(self._size, url) > HEAD_BYTES:
            self._refuse(HeadTooLarge(f"the head of a request may have {HEAD_BYTES} bytes", "headers"))

    def _give_up(self) -> None:
        """Who has said nothing is not told anything."""
        if self._size:
            self._refuse(TooSlow(f"the head of a request has to come within {HEAD_SECONDS:g} seconds", "headers"))
        elif not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        if self.transport.is_closing():
            return
        body = encode(outcome(problem))
        head = [
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
            "content-type: application/fhir+json",
            f"content-length: {len(body)}",
            "connection: close",
        ]
        self.transport.write("\r\n".join([*head, "", ""]).encode("ascii") + body)
        self.transport.close()


SPOKEN: dict[str, Any] = {"http": Bounded, "timeout_keep_alive": 75, "ws_max_size": 64 * 1024}
"""For ``uvicorn.Config``. Clients keep a connection for 5 to 60 seconds; where both sides end it, a request is lost.

What a websocket hears are tokens.
"""

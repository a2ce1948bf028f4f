"""The MLLP listener: HL7 v2 over TCP, each message acknowledged once it is durable.

http://www.hl7.org/implement/standards/product_brief.cfm?product_id=55 (Transport Specification: MLLP, Release 2)

A listener belongs to one hospital, as an interface port in a hospital network does; TLS adds the certificate.
``acknowledgement`` under [quirks] of the hospital's file says how it is answered: ``original`` waits for the outcome
(AA, or AE with the place), ``enhanced`` gives the commit acknowledgement (CA) at once and no other, ``as-asked``
follows MSH-15 and MSH-16 of each message: the application acknowledgement then comes later on the same connection.
"""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from ssl import SSLContext

import structlog

from fhir_gateway.api.acknowledgement import (
    ACKNOWLEDGEMENTS,
    Header,
    Verdict,
    Wanted,
    acknowledgement,
    applied,
    committed,
    header_of,
    is_due,
    refused,
    wanted,
)
from fhir_gateway.api.certificates import Spoken, reason_of
from fhir_gateway.exchange.inbox import Receipt
from fhir_gateway.exchange.reception import Handed, Reception
from fhir_gateway.problem import Problem, TooLarge
from fhir_gateway.security.caller import Caller

log = structlog.get_logger()
START, END = b"\x0b", b"\x1c\r"
MEDIA_TYPE = "application/hl7-v2"
FRAMING_BYTES = 16
HANDSHAKE_SECONDS = 15.0
KEPT_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 5}
# A sender that never waits for its application acknowledgements is not read further than this.
MOST_UNANSWERED = 500


@dataclass(slots=True)
class Line:
    """One connection: where it comes from, and the application acknowledgements that are still to be sent on it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    owed: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def address(self) -> str:
        return str((self.writer.get_extra_info("peername") or ("",))[0])

    async def say(self, content: bytes) -> None:
        self.writer.write(START + content + END)
        await self.writer.drain()

    async def close(self) -> None:
        for task in self.owed:
            task.cancel()
        self.writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await self.writer.wait_closed()


class Listener:
    """One MLLP port of one hospital; ``spoken`` says which certificates speak for it."""

    def __init__(
        self, reception: Reception, caller: Caller, hospital: str, wait_seconds: float, spoken: Spoken | None = None
    ) -> None:
        self._reception = reception
        self._caller = caller
        self._hospital = hospital
        self._wait = wait_seconds
        self._spoken = spoken
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None

    async def start(self, host: str, port: int, tls: SSLContext | None) -> int:
        """Listen; returns the port, which the system chose where 0 was asked."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host.strip("[]"), port), family=family, backlog=128)
        self._socket.setblocking(False)
        self._begin(self._accept(self._socket, tls))
        return int(self._socket.getsockname()[1])

    async def stop(self) -> None:
        """Close the port; a message being answered is answered by its sender's next try."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket, tls: SSLContext | None) -> None:
        """Not by asyncio's own server: it keeps to itself why a handshake failed."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as fault:
                log.warning("mllp cannot accept", hospital=self._hospital, reason=fault.strerror)
                await asyncio.sleep(1)
                continue
            kept_alive(connection)
            self._begin(self._connected(connection, tls))

    async def _connected(self, connection: socket.socket, tls: SSLContext | None) -> None:
        line = await self._line(connection, tls)
        if line is None:
            return
        try:
            await self._converse(line)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            await line.close()

    async def _line(self, connection: socket.socket, tls: SSLContext | None) -> Line | None:
        """The conversation's two ends, once the other side has shown who it is; None where it has not."""
        loop, peer = asyncio.get_running_loop(), _peer(connection)
        reader = asyncio.StreamReader(limit=self._reception.inbox.limit + FRAMING_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        seconds = HANDSHAKE_SECONDS if tls else None
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=tls, ssl_handshake_timeout=seconds
            )
        except (ssl.SSLError, OSError) as fault:
            self._turned_away(peer, reason_of(fault))
            return None
        line = Line(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
        stranger = self._spoken.objection(transport) if tls and self._spoken else ""
        if stranger:
            await line.close()
            self._turned_away(peer, stranger)
            return None
        return line

    def _turned_away(self, peer: str, reason: str) -> None:
        log.warning("mllp connection refused", hospital=self._hospital, address=peer, reason=reason)

    async def _converse(self, line: Line) -> None:
        while True:
            # Back-pressure: what is not read waits at the sender. A database that is away is told with the message.
            with suppress(Problem):
                await self._reception.room(self._hospital)
            while len(line.owed) >= MOST_UNANSWERED:
                await asyncio.wait(line.owed, return_when=asyncio.FIRST_COMPLETED)
            try:
                frame = await line.reader.readuntil(END)
            except asyncio.LimitOverrunError:
                limit = TooLarge(f"the message is longer than {self._reception.inbox.limit} bytes", "MSH")
                await line.say(acknowledgement(header_of(b""), refused(limit, enhanced=False), self._now()))
                return
            await self._take(line, _between(frame))

    async def _take(self, line: Line, body: bytes) -> None:
        header = header_of(body)
        hospital = self._reception.house.directory.hospital(self._hospital)
        asked = wanted(hospital.quirks.get("acknowledgement", ""), header)
        if asked.enhanced and header.kind in ACKNOWLEDGEMENTS:
            # Two sides that acknowledge acknowledgements never stop.
            log.info("acknowledgement received", hospital=self._hospital)
            return
        handed = Handed(self._hospital, MEDIA_TYPE, body, header.field(10), line.address)
        try:
            seconds = 0.0 if asked.enhanced else self._wait
            receipt, _ = await self._reception.accept_patiently(self._caller, handed, seconds)
        except Problem as problem:
            log.warning("message not taken", hospital=self._hospital, status=problem.status)
            await self._not_taken(line, (header, asked), problem)
            return
        if asked.enhanced:
            await self._tell(line, (header, asked), committed(receipt))
            self._owe(line, (header, asked), receipt)
        else:
            await self._tell(line, (header, asked), applied(receipt))

    async def _tell(self, line: Line, to: tuple[Header, Wanted], verdict: Verdict) -> bool:
        """Send an acknowledgement if it is due; whether it was."""
        header, asked = to
        condition = asked.accept if verdict.code.startswith("C") else asked.application
        due = is_due(condition, verdict)
        if due:
            await line.say(acknowledgement(header, verdict, self._now(), asked.enhanced))
        return due

    async def _not_taken(self, line: Line, to: tuple[Header, Wanted], problem: Problem) -> None:
        """Where no commit acknowledgement is wanted, the application's may still say it."""
        if not await self._tell(line, to, refused(problem, to[1].enhanced)):
            await self._tell(line, to, refused(problem, enhanced=False))

    def _owe(self, line: Line, to: tuple[Header, Wanted], receipt: Receipt) -> None:
        """The application acknowledgement follows on the same connection, when the outcome is known."""
        if to[1].application != "NE":
            task = asyncio.create_task(self._follow(line, to, receipt))
            line.owed.add(task)
            task.add_done_callback(line.owed.discard)

    async def _follow(self, line: Line, to: tuple[Header, Wanted], receipt: Receipt) -> None:
        with suppress(Problem, OSError):
            await self._tell(line, to, applied(await self._reception.outcome(receipt)))

    def _now(self) -> datetime:
        return self._reception.house.clock()


def kept_alive(connection: socket.socket) -> None:
    """A sender that went without a word, as by a power cut, is noticed after some minutes and not kept for ever."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEPT_ALIVE.items():
        # Not every system has all of them.
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _peer(connection: socket.socket) -> str:
    with suppress(OSError):
        return str(connection.getpeername()[0])
    return ""


def _between(frame: bytes) -> bytes:
    """The message of a frame: what stands before the start block is noise on the line."""
    noise, start, body = frame[: -len(END)].rpartition(START)
    return body if start else noise.lstrip(b"\r\n")

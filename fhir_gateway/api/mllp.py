"""The MLLP listener: HL7 v2 over TCP, each message answered by an ACK once it is durable.

http://www.hl7.org/implement/standards/product_brief.cfm?product_id=55 (Transport Specification: MLLP, Release 2)

A listener belongs to one hospital, as an interface port in a hospital network does; TLS adds the certificate.
The answer waits for the outcome: AA, or AE with the place. A hospital whose file says ``acknowledgement = "enhanced"``
under [quirks] gets the commit acknowledgement (CA) at once instead: senders fill MSH-15 without meaning it.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from ssl import SSLContext

import structlog

from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.exchange.reception import Handed, Reception
from fhir_gateway.problem import Problem
from fhir_gateway.security.caller import Caller

log = structlog.get_logger()
START, END = b"\x0b", b"\x1c\r"
MEDIA_TYPE = "application/hl7-v2"
FRAMING_BYTES = 16
PLACE = re.compile(r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<occurrence>\d+)\])?(?:-(?P<field>\d+))?")


@dataclass(frozen=True, slots=True)
class Header:
    """What an acknowledgement needs of a message's MSH; empty strings where the message has none."""

    separator: str
    encoding: str
    fields: tuple[str, ...]

    def field(self, position: int) -> str:
        """MSH-``position`` (MSH-1 is the separator itself)."""
        return self.fields[position - 1] if len(self.fields) >= position else ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The code of an acknowledgement, its text, and for an error the places."""

    code: str
    text: str
    faults: tuple[Mapping[str, str], ...] = ()


class Listener:
    """One MLLP port of one hospital."""

    def __init__(self, reception: Reception, caller: Caller, hospital: str, wait_seconds: float) -> None:
        self._reception = reception
        self._caller = caller
        self._hospital = hospital
        self._wait = wait_seconds
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, tls: SSLContext | None) -> int:
        """Listen; returns the port, which the system chose where 0 was asked."""
        limit = self._reception.inbox.limit + FRAMING_BYTES
        self._server = await asyncio.start_server(self._connected, host, port, limit=limit, ssl=tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port; a message being answered is answered by its sender's next try."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str((writer.get_extra_info("peername") or ("",))[0])
        while True:
            try:
                frame = await reader.readuntil(END)
            except asyncio.LimitOverrunError:
                text = f"the message is longer than {self._reception.inbox.limit} bytes"
                refusal = Verdict("AR", text, ({"where": "MSH", "text": text},))
                writer.write(START + acknowledgement(header_of(b""), refusal, self._now()) + END)
                await writer.drain()
                return
            body = _between(frame)
            writer.write(START + await self._answer(body, address) + END)
            await writer.drain()

    async def _answer(self, body: bytes, address: str) -> bytes:
        header = header_of(body)
        hospital = self._reception.house.directory.hospital(self._hospital)
        enhanced = hospital.quirks.get("acknowledgement") == "enhanced"
        handed = Handed(self._hospital, MEDIA_TYPE, body, header.field(10), address)
        try:
            receipt, _ = await self._reception.accept(self._caller, handed, 0.0 if enhanced else self._wait)
            verdict = Verdict("CA", f"receipt {receipt.receipt}") if enhanced else _verdict(receipt)
        except Problem as problem:
            code = "AE" if problem.status >= 500 else "AR"
            faults = tuple({"where": i.where or "MSH", "text": i.text} for i in problem.issues)
            verdict = Verdict(code.replace("A", "C", 1) if enhanced else code, problem.text, faults)
            log.warning("message not taken", hospital=self._hospital, status=problem.status)
        return acknowledgement(header, verdict, self._now())

    def _now(self) -> datetime:
        return self._reception.house.clock()


def _between(frame: bytes) -> bytes:
    """The message of a frame: what stands before the start block is noise on the line."""
    noise, start, body = frame[: -len(END)].rpartition(START)
    return body if start else noise.lstrip(b"\r\n")


def _verdict(receipt: Receipt) -> Verdict:
    if receipt.state is State.QUARANTINED:
        first = receipt.problems[0]
        return Verdict("AE", f"{first['where']}: {first['text']} (receipt {receipt.receipt})", receipt.problems)
    return Verdict("AA", f"receipt {receipt.receipt} {receipt.state}")


def header_of(body: bytes) -> Header:
    """The MSH fields of a message, tolerant of anything: an acknowledgement must always be possible."""
    first = re.split(rb"[\r\n]", body.lstrip(), maxsplit=1)[0].decode("utf-8", "replace")
    if not first.startswith("MSH") or len(first) < 8:
        return Header("|", "^~\\&", ())
    separator = first[3]
    return Header(separator, first[4:].split(separator, 1)[0], (separator, *first[4:].split(separator)))


def acknowledgement(header: Header, verdict: Verdict, now: datetime) -> bytes:
    """MSH, MSA and an ERR for each fault, in the sender's own separators, UTF-8."""
    s, component = header.separator, header.encoding[:1] or "^"
    trigger = [*header.field(9).split(component), ""][1]
    kind = component.join(part for part in ("ACK", trigger, "ACK" if trigger else "") if part)
    msh = ["MSH", header.encoding, header.field(5), header.field(6), header.field(3), header.field(4)]
    msh += [now.strftime("%Y%m%d%H%M%S+0000"), "", kind, f"ACK{now.strftime('%Y%m%d%H%M%S%f')}"]
    msh += [header.field(11) or "P", header.field(12) or "2.5", "", "", "", "", "", "UNICODE UTF-8"]
    msa = ["MSA", verdict.code, header.field(10), _plain(verdict.text, header)]
    errors = [_error(header, fault) for fault in verdict.faults]
    return ("\r".join([s.join(msh), s.join(msa), *errors]) + "\r").encode()


def _error(header: Header, fault: Mapping[str, str]) -> str:
    """ERR: location in ERR-2, code of table 0357 in ERR-3, severity, words for people in ERR-8."""
    component = header.encoding[:1] or "^"
    place = PLACE.match(fault["where"])
    location = (place["segment"], place["occurrence"] or "1", place["field"] or "") if place else (fault["where"][:20],)
    code = ("102", "Data type error") if place and place["field"] else ("100", "Segment sequence error")
    row = ["ERR", "", component.join(location).rstrip(component), component.join((*code, "HL70357")), "E", "", "", ""]
    return header.separator.join([*row, _plain(f"{fault['where']}: {fault['text']}", header)])


def _plain(text: str, header: Header) -> str:
    """Words without the message's own separators or line ends."""
    return "".join(" " if c in (header.separator, *header.encoding, "\r", "\n") else c for c in text)

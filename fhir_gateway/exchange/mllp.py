"""Handing one HL7 v2 message to a hospital's system over MLLP, with TLS where the address says so.

http://www.hl7.org/implement/standards/product_brief.cfm?product_id=55 (Transport Specification: MLLP, Release 2)
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from fhir_gateway.exchange.delivery import TIMEOUT_SECONDS, Answer, Undelivered

START, END = b"\x0b", b"\x1c\r"
ANSWER_LIMIT = 1_000_000
DEFAULT_PORT = 2575
TAKEN = frozenset({"AA", "CA"})
REFUSED = frozenset({"AR", "CR"})


async def hand_over(outbound: Mapping[str, str], body: bytes, control: str) -> Answer:
    """Send and wait for the acknowledgement of that number. Raises Undelivered when it must be tried again."""
    address = urlsplit(outbound["v2"])
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            frame = await _exchanged(address.hostname or "", address.port or DEFAULT_PORT, _tls(outbound), body)
    except TimeoutError as fault:
        raise Undelivered("the hospital's system does not answer in time", "outbound.v2") from fault
    except (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as fault:
        raise Undelivered(f"the hospital's system does not answer: {type(fault).__name__}", "outbound.v2") from fault
    return verdict(frame, control)


async def _exchanged(host: str, port: int, tls: ssl.SSLContext | None, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=ANSWER_LIMIT)
    try:
        writer.write(START + body + END)
        await writer.drain()
        return await reader.readuntil(END)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _tls(outbound: Mapping[str, str]) -> ssl.SSLContext | None:
    """The hospital's authority and our own certificate, where ``[outbound]`` names their files."""
    if not outbound["v2"].startswith("mllps://"):
        return None
    context = ssl.create_default_context(cafile=outbound.get("ca"))
    if "certificate" in outbound:
        context.load_cert_chain(outbound["certificate"])
    return context


def verdict(frame: bytes, control: str) -> Answer:
    """What the acknowledgement says. An error (AE, CE) is worth another try, a rejection (AR, CR) is final."""
    text = frame.rpartition(START)[2].removesuffix(END).decode("utf-8", "replace")
    lines = [line for line in text.replace("\n", "\r").split("\r") if line]
    separator = lines[0][3:4] if lines and lines[0].startswith("MSH") else "|"
    row = next((line.split(separator or "|") for line in lines if line.startswith("MSA")), [])
    code, number = [*row, "", "", ""][1:3]
    if not code or number != control:
        raise Undelivered("the acknowledgement is not of the message sent", "MSA-2")
    if code in TAKEN:
        return Answer(True)
    # The system's own words may name the patient: only the code is kept.
    if code in REFUSED:
        return Answer(False, f"the hospital's system rejects the message ({code})")
    raise Undelivered(f"the hospital's system reports an error ({code[:2]})", "MSA-1")

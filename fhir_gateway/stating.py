"""What the command line states: completeness of a day, and whether the audit chain is whole.

Straight from the store, beside a gateway that may be running on it.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fhir_gateway import app as root
from fhir_gateway.exchange.completeness import asked_day, signed, statement, verified
from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.problem import BadRequest, Malformed
from fhir_gateway.security.chain import verify as verify_chain
from fhir_gateway.settings import Settings


def show(settings: Settings, hospital: str, date: str, as_json: bool, out: Console) -> bool:
    """Print the statement; whether nothing of the day is in quarantine or missing."""
    told = asyncio.run(_made(settings, hospital, date))
    if as_json:
        sys.stdout.write(encode(told).decode() + "\n")
    else:
        _print(told, out)
    return not told["states"]["quarantined"] and not any(stream["missing"] for stream in told["sequences"])


async def _made(settings: Settings, hospital: str, date: str) -> dict[str, Any]:
    directory = root.directory(settings)
    if not hospital:
        raise BadRequest(f"whose day? One of {', '.join(sorted(directory.hospitals))}", "HOSPITAL")
    known = directory.hospital(hospital)
    async with root.shared_store(settings) as store:
        base_url = settings.base_url or f"http://{settings.host}:{settings.port}"
        house = root.Gateway(settings, base_url, store, directory, root.key_ring(settings)).house
        return signed(house, await statement(house, known, asked_day(known, date, house.clock())))


def verify(settings: Settings, file: Path, out: Console) -> None:
    """Say who signed a statement. Raises Unprocessable when it was altered."""
    told = decode(file.read_bytes())
    if not isinstance(told, dict):
        raise Malformed("a statement is a JSON object", file.name)
    found = verified(told, [root.key_ring(settings).authority], root.now())
    whose = f"{told.get('hospital')}, {told.get('date')}"
    out.print(escape(f"{whose}: signed by {found.name} at {found.signed.isoformat()}; unaltered"), highlight=False)


def _print(told: dict[str, Any], out: Console) -> None:
    out.print(f"{told['title']}, {told['date']}", highlight=False)
    table = Table("messages", "number")
    for name in ("received", "duplicates", "corrections", "pieces"):
        table.add_row(name, str(told[name]))
    for state, number in told["states"].items():
        table.add_row(f"in state {state}" if state == "received" else state, str(number))
    out.print(table)
    for row in told["quarantined"]:
        out.print(f"quarantined: {row['messages']} × {escape(row['reason'])}", highlight=False)
    for stream in told["sequences"]:
        gaps = ", ".join(f"{start}-{end}" for start, end in stream["gaps"]) or "none"
        numbers = f"{stream['first']} to {stream['last']}, missing: {gaps}"
        out.print(f"{escape(stream['stream'])}: {numbers}", highlight=False)
    out.print(f"last seen {told['last_seen'] or 'never in two weeks'}", highlight=False)


async def chain(settings: Settings, head: str | None) -> dict[str, Any]:
    """The audit chain walked from its beginning; with ``head`` it must still contain that block."""
    async with root.shared_store(settings) as store:
        found = await verify_chain(store, [root.key_ring(settings).authority], head=head)
    faults = [{"block": f.block, "text": f.text, "event": f.event} for f in found.faults]
    return {
        "whole": found.whole,
        "blocks": found.blocks,
        "events": found.events,
        "pending": found.pending,
        "head": found.head,
        "faults": faults,
    }

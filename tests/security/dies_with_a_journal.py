"""A process that keeps the events named on its command line in a journal, each in a write of its own, and is killed.

Run as ``dies_with_a_journal.py FOLDER REQUEST...``.
"""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from fhir_gateway.search.extract import index
from fhir_gateway.security.audit import Act, Draft, Event, event
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.journal import Journal


class Nowhere:
    """A store that is never reached."""

    async def deliver(self, events: list[Event]) -> None:
        raise AssertionError


def draft(request: str) -> Draft:
    act = Act("read", Caller("doctor", "doctor", ""), entities=("Patient/1",), request=request)
    return lambda name, moment: event(act, moment, "here", index, name), datetime.now(UTC)


async def main() -> None:
    journal = Journal(Path(sys.argv[1]), Nowhere(), index, 10**9)
    await journal.adopt()
    for request in sys.argv[2:]:
        await journal.keep([draft(request)])
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main())

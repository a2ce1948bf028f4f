"""A process that is killed at each moment in which it brings pages of the audit journal in.

Run as ``die_delivering.py URL DATABASE``; prints how many moments there were. Each is a fork that SIGKILLs itself.
"""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime

from die_at import Death
from pymongo import monitoring

from fhir_gateway.security.audit import Act, Event, event
from fhir_gateway.store.mongo import MongoStore

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def pages(moment: int) -> list[Event]:
    """Three pages of two events each."""
    names = [f"page-{moment}-{page}.{number:02d}" for page in range(3) for number in range(2)]
    return [event(Act("read", None), NOON, "here", lambda _: {"keys": ["k"], "patients": []}, name) for name in names]


async def deliver(url: str, database: str, death: Death, moment: int) -> None:
    store = await MongoStore.open(url, database)
    death.at, death.armed = moment, True
    await store.deliver(pages(moment))
    await store.close()


def survives(url: str, database: str, death: Death, moment: int) -> bool:
    child = os.fork()
    if child == 0:
        asyncio.run(deliver(url, database, death, moment))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    assert status == 0, f"the process of moment {moment} ended with {status}"
    return True


def main() -> None:
    url, database = sys.argv[1:]
    death = Death()
    monitoring.register(death)
    moment = 1
    while not survives(url, database, death, moment):
        moment += 1
    print(moment)


if __name__ == "__main__":
    main()

"""A process that is killed at each moment in which it brings pages of the audit journal in.

Run as ``die_delivering.py URL DATABASE``; prints how many moments there were.
"""

import sys
from datetime import UTC, datetime

from mortal import Death, moments

from fhir_gateway.security.audit import Act, Event, event
from fhir_gateway.store.mongo import MongoStore

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def pages(moment: int) -> list[Event]:
    """Three pages of two events each."""
    names = [f"page-{moment}-{page}.{number:02d}" for page in range(3) for number in range(2)]
    return [event(Act("read", None), NOON, "here", lambda _: {"keys": ["k"], "patients": []}, name) for name in names]


def main() -> None:
    url, database = sys.argv[1:]

    async def deliver(death: Death, moment: int) -> None:
        store = await MongoStore.open(url, database)
        death.armed = True
        await store.deliver(pages(moment))
        await store.close()

    print(moments(deliver))


if __name__ == "__main__":
    main()

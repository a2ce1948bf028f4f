"""Eight clients that commit for ever, two records and a claim each time; prints what was acknowledged.

Run as ``die_in_group.py URL DATABASE`` and kill it.
"""

import asyncio
import itertools
import sys
from datetime import UTC, datetime

from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Change, Claim, Commit, Version

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def change(id_: str) -> Change:
    return Change(Version("Patient", id_, 1, NOON, b"{}"), 0, {"keys": [id_], "patients": [id_]})


async def client(store: MongoStore, number: int) -> None:
    for turn in itertools.count():
        name = f"{number}-{turn}"
        changes = (change(f"a-{name}"), change(f"b-{name}"))
        await store.commit(Commit(changes, (Claim(f"mrn|{name}", f"Patient/a-{name}"),)))
        print(name, flush=True)


async def main() -> None:
    store = await MongoStore.open(sys.argv[1], sys.argv[2])
    await asyncio.gather(*(client(store, number) for number in range(8)))


if __name__ == "__main__":
    asyncio.run(main())

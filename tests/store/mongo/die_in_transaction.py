"""A process that is killed between a write of a transaction and its commit.

Run as ``die_in_transaction.py URL DATABASE FOLDER``.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.mongo.transact import Work, transact


async def main(url: str, database: str, folder: str) -> None:
    store = await MongoStore.open(url, database)
    await store.note_sessions(Path(folder))
    client = store._client

    async def write(session) -> None:
        await client[database].notes.update_one({"_id": "held"}, {"$inc": {"n": 1}}, upsert=True, session=session)
        os.kill(os.getpid(), signal.SIGKILL)

    async def landed(_: bool) -> bool:
        return False

    await transact(client, Work(write, landed))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

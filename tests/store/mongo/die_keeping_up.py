"""An upgrade that is killed at each moment and goes on in the next life.

Run as ``die_keeping_up.py URL DATABASE FOLDER``; prints how many moments there were in the longest life.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mortal import Death, moments

from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.mongo.connection import build, indexes


async def _old(store: MongoStore) -> None:
    """The records as an earlier version left them."""
    home = store._database.resources
    await home.update_many({}, {"$set": {"keys": ["gender:male"]}})
    if "keys" in await home.index_information():
        await home.drop_index("keys")
    await home.create_index([("type", 1), ("keys", 1), ("_id", 1)], name="keys")
    await store._database.leases.delete_many({})


def main() -> None:
    url, database, folder = sys.argv[1:]

    async def upgrade(death: Death, moment: int) -> None:
        store = await MongoStore.open(url, database)
        await store.note_sessions(Path(folder))

        async def apart(name: str, wanted: Mapping[str, Sequence[str]]) -> None:
            for home, names in wanted.items():
                models = indexes(home)
                await build(store._database[home], {one: models[one] for one in names})

        store.apart = apart
        if moment % 2:
            # Every second life goes on where the one before was killed.
            await _old(store)
        death.armed = True
        # The lease of the dead: in earnest it ends after a minute.
        assert await store.keep_up("one")
        death.armed = False
        assert (await store.upkeep()).current
        await store.close()

    print(moments(upgrade))


if __name__ == "__main__":
    main()

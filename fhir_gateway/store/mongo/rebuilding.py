"""Building indexes on a database that nobody else is connected to.

https://www.mongodb.com/docs/manual/reference/command/createIndexes/

The embedded engine in Python writes an index entry by entry, and says that it is there before it is whole; one that was
killed meanwhile leaves an index that misses records. So an index that is asked for here is always built from nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from fhir_gateway.store.mongo.connection import indexes, meaning

_NOTHING = {"_id": "nothing"}


def rebuild(url: str, database: str, wanted: Mapping[str, Sequence[str]]) -> None:
    """Build these indexes anew, named by collection, and return when they are on the disk. Raises a problem."""
    client: MongoClient[dict[str, Any]] = MongoClient(url, socketTimeoutMS=0, journal=True)
    try:
        for home, names in wanted.items():
            for name in names:
                _anew(client[database][home], name)
        client.admin.command("fsync")
    except PyMongoError as error:
        # From None: what the driver says quotes the record, and no log may.
        raise meaning(error) from None
    finally:
        client.close()


def _anew(collection: Collection[dict[str, Any]], name: str) -> None:
    model = indexes(collection.name).get(name)
    if model is None:
        return
    if name not in collection.index_information():
        # What a killed command has left of one goes only with an index of that name: so there is one for a moment.
        collection.create_index(list(model.document["key"].items()), name=name, partialFilterExpression=_NOTHING)
    collection.drop_index(name)
    collection.create_indexes([model])

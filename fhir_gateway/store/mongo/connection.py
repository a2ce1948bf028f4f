"""The way to the database: how it is opened, what its collections are found by, and what its errors mean.

https://www.mongodb.com/docs/manual/reference/read-concern-majority/
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from bson.errors import InvalidDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ASCENDING, IndexModel
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from fhir_gateway.problem import BadRequest, Problem, TooLarge, Unavailable
from fhir_gateway.search.extract import INDEXES

Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]

COLLECTIONS = ("resources", "versions", "claims", "notes", "jobs", "leases", "events", "blocks")
SEARCHED = ("resources", "events")
ARRAYS = ("keys", "patients", "readers", "found")
WRITE_CONFLICT, NO_TRANSACTION, DUPLICATE, NO_INDEX = 112, 251, 11000, 27
TOO_LARGE = {10334, 17280}
# Internal error, as the embedded engine says of a full disk, and MongoDB's own word for that.
FAILING = {1, 14031}
PORTION = 50

# Milliseconds; the address may say otherwise.
WAITS: dict[str, Any] = {"serverSelectionTimeoutMS": 5_000, "connectTimeoutMS": 5_000, "socketTimeoutMS": 30_000}

OWN_INDEXES: dict[str, tuple[IndexModel, ...]] = {
    "resources": (IndexModel([("updated", ASCENDING), ("_id", ASCENDING)], name="written"),),
    "versions": (
        IndexModel([("of", ASCENDING), ("version", ASCENDING)], name="of"),
        IndexModel([("updated", ASCENDING), ("of", ASCENDING), ("version", ASCENDING)], name="written"),
        IndexModel([("type", ASCENDING), ("updated", ASCENDING), ("of", ASCENDING)], name="updated"),
    ),
    "notes": (IndexModel([("found", ASCENDING), ("_id", ASCENDING)], name="found"),),
    "jobs": (
        IndexModel([("held", ASCENDING)], name="held", sparse=True),
        IndexModel([("queue", ASCENDING), ("ready", ASCENDING), ("order", ASCENDING)], name="ready"),
        IndexModel([("queue", ASCENDING), ("order", ASCENDING)], name="order"),
    ),
    "events": (IndexModel([("block", ASCENDING), ("updated", ASCENDING)], name="block"),),
    "blocks": (IndexModel([("pages", ASCENDING)], name="pages"),),
}


def connect(url: str, **waits: int) -> AsyncIOMotorClient[Document]:
    """A client whose acknowledged writes are on the journals of a majority; bound to the running event loop."""
    try:
        return AsyncIOMotorClient(
            url,
            tz_aware=True,
            w="majority",
            journal=True,
            readConcernLevel="majority",
            **{name: value for name, value in WAITS.items() if name.lower() not in url.lower()} | waits,
        )
    except (ConfigurationError, ValueError) as error:
        raise BadRequest("the address of the database cannot be read", "FHIR_GATEWAY_MONGO_URL") from error


async def prepare(database: AsyncIOMotorDatabase[Document]) -> set[str]:
    """Create what is missing, and tell which collections were: a transaction may not create one on every server."""
    there = set(await database.list_collection_names())
    for name in COLLECTIONS:
        if name not in there:
            await _create(database, name)
        models = await lacking(database[name])
        # A start does not wait for a collection that holds something: that is left to the ``upkeep``.
        if models and not await database[name].estimated_document_count():
            await build(database[name], models)
            if name in SEARCHED and name not in there:
                await _prime(database[name])
    return {*COLLECTIONS} - there


async def lacking(collection: Collection) -> dict[str, IndexModel]:
    """The indexes that the collection ought to have and has not, or has over other fields, by name."""
    wanted = indexes(collection.name)
    there = await collection.index_information() if wanted else {}
    return {
        name: model
        for name, model in wanted.items()
        if name not in there or _over(there[name]) != _over(model.document)
    }


async def build(collection: Collection, wanted: Mapping[str, IndexModel]) -> None:
    """Build these indexes, each in the place of one of its name that an earlier version built over other fields.

    Two processes may do so at once: an index that is right is never dropped, and to create what is there does nothing.
    """
    there = await collection.index_information()
    for name, model in wanted.items():
        if name in there and _over(there[name]) != _over(model.document):
            await _drop(collection, name)
    await collection.create_indexes(list(wanted.values()))


async def _drop(collection: Collection, name: str) -> None:
    try:
        await collection.drop_index(name)
    except OperationFailure as error:
        # Another gateway process was first.
        if error.code != NO_INDEX:
            raise


def _over(index: Mapping[str, Any]) -> list[str]:
    return list(dict(index["key"]))


async def bounds_elements(database: AsyncIOMotorDatabase[Document]) -> bool:
    """Whether the server reads an interval of an array's values by index: all do but the embedded engine in Python."""
    told = await database.command("buildInfo")
    return "secantusVersion" not in told or "storageEngines" in told


def widened(pipeline: list[Document]) -> list[Document]:
    """The same for the embedded engine in Python, which finds by the bare interval what one element has to lie in."""
    match pipeline[0]:
        case {"$match": {"keys": {"$elemMatch": bounds}}}:
            return [{"$match": {"keys": bounds}}, *pipeline]
    return pipeline


async def _prime(collection: Collection) -> None:
    """Put arrays in and out once: the first one changes the index itself, and there transactions collide."""
    first = ObjectId()
    await collection.insert_one({"_id": first, "block": 0} | {field: ["", " "] for field in ARRAYS})
    await collection.delete_one({"_id": first})


async def _create(database: AsyncIOMotorDatabase[Document], name: str) -> None:
    try:
        await database.create_collection(name)
    except PyMongoError as error:
        # Another gateway process was first: that is what we wanted.
        if getattr(error, "code", None) != 48 and "already exists" not in str(error):
            raise


def indexes(name: str) -> dict[str, IndexModel]:
    """Those that the collection of this name ought to have, by name."""
    return {str(model.document["name"]): model for model in (*OWN_INDEXES.get(name, ()), *_searched(name))}


def _searched(name: str) -> list[IndexModel]:
    if name not in SEARCHED:
        return []
    # Pages of the trail are found by their keys and times alone (``store.pages``).
    wanted = [index for index in INDEXES if name != "events" or index.fields[0] in ("keys", "type")]
    return [IndexModel([(key, ASCENDING) for key in index.fields], name=index.name) for index in wanted]


def narrowing(*matches: Document) -> list[Document]:
    """Stages that narrow down: the embedded engine uses an index for the first, and only if it answers all of it."""
    return [{"$match": match} for match in matches if match]


def portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Names to ask for at once: the embedded engine takes 0.2 ms a document for 50 of them, 3 ms for 2,000."""
    return (names[start : start + PORTION] for start in range(0, len(names), PORTION))


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Turns what the driver raises into the problem that callers know."""
    try:
        yield
    except (PyMongoError, InvalidDocument) as error:
        # From None: what the driver says quotes the record, and no log may.
        raise meaning(error) from None


def meaning(error: Exception) -> Problem:
    if isinstance(error, DocumentTooLarge) or TOO_LARGE & _codes(error):
        return TooLarge("more than the 16 MB that the database keeps in one document")
    if lost(error) or raced(error) or FAILING & _codes(error) or isinstance(error, (ExecutionTimeout, WTimeoutError)):
        return Unavailable("the database does not answer; try again")
    return Problem(f"the database refused a request: {type(error).__name__}, code {getattr(error, 'code', None)}")


def lost(error: Exception) -> bool:
    """Whether it is unknown if the database did what it was asked."""
    unknown = isinstance(error, PyMongoError) and error.has_error_label("UnknownTransactionCommitResult")
    # No such transaction: the engine forgot it when it was restarted, perhaps after it was committed.
    return unknown or isinstance(error, (ConnectionFailure, WTimeoutError)) or NO_TRANSACTION in _codes(error)


def raced(error: Exception) -> bool:
    """Whether another writer was in the way and the same transaction, run again, may succeed."""
    if isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError"):
        return True
    return WRITE_CONFLICT in _codes(error)


def duplicate(error: Exception) -> bool:
    return DUPLICATE in _codes(error)


def _codes(error: Exception) -> set[int | None]:
    if isinstance(error, BulkWriteError):
        return {fault.get("code") for fault in error.details.get("writeErrors", ())}
    return {error.code} if isinstance(error, OperationFailure) else set()


def now() -> datetime:
    return milliseconds(datetime.now(UTC))


def milliseconds(moment: datetime) -> datetime:
    """The moment as the database keeps it; so that what was written equals what is read."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

"""How much of a commit goes to the database at once: it serves nobody else while it works on a statement.

https://www.mongodb.com/docs/manual/reference/command/insert/

What a document costs the embedded engine is mostly its keys (12 µs each in Rust, 25 in Python), and as much as ten of
them for the rest; what a statement costs the driver is half a millisecond, whatever is in it.
Statements are sent from the thread that a commit is written in (``transact.directly``).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from fhir_gateway.store.mongo.connection import Document, duplicate
from fhir_gateway.store.mongo.transact import DirectCollection, DirectSession

Measure = Callable[[], int]

WIDE, NARROW = 1_200, 500
"""Of a statement, in keys: of the engine in Rust 15 ms where nobody waits, and 6 ms beside small commits."""
REST = 10
_KEYS = ("keys", "patients", "readers", "found")


def wide() -> int:
    """For who shares the database with nobody that matters."""
    return WIDE


def cost(document: Document) -> int:
    total = REST
    for name in _KEYS:
        if name in document:
            total += len(document[name])
    return total


def statements(documents: Iterable[Document], most: Measure) -> Iterator[list[Document]]:
    """The documents in order, as many at once as ``most`` allows at that moment; each has at least one."""
    part: list[Document] = []
    total = 0
    for document in documents:
        price = cost(document)
        if part and total + price > most():
            yield part
            part, total = [], 0
        part.append(document)
        total += price
    if part:
        yield part


def insert(
    collection: DirectCollection,
    documents: Iterable[Document],
    session: DirectSession,
    taken: Exception,
    most: Measure = wide,
) -> None:
    """Insert all; raises ``taken`` when one of them is there already."""
    try:
        for part in statements(documents, most):
            if len(part) == 1:
                collection.insert_one(part[0], session=session)
            else:
                collection.insert_many(part, ordered=True, session=session)
    except (DuplicateKeyError, BulkWriteError) as error:
        if duplicate(error):
            raise taken from None
        raise


def replace(
    collection: DirectCollection,
    replacements: Sequence[tuple[Document, Document]],
    session: DirectSession,
    most: Measure = wide,
) -> int:
    """How many of the pairs found what their first half describes and put their second there."""
    found = 0
    wanted = {id(document): description for description, document in replacements}
    for part in statements((document for _, document in replacements), most):
        changes = [ReplaceOne(wanted[id(document)], document) for document in part]
        found += collection.bulk_write(changes, ordered=True, session=session).matched_count
    return found

"""How much of a commit goes to the database at once: it serves nobody else while it works on a statement.

https://www.mongodb.com/docs/manual/reference/command/insert/

What a document costs the embedded engine is mostly its keys: 25 µs each, and as much as ten of them for the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from fhir_gateway.store.mongo.connection import Collection, Document, duplicate
from fhir_gateway.store.mongo.transact import Session

Measure = Callable[[], int]

WIDE, NARROW = 600, 200
"""Of a statement, in keys: 15 ms where nobody waits, and 5 ms beside small commits."""
REST = 10
_KEYS = ("keys", "patients", "readers", "found")


def wide() -> int:
    """For who shares the database with nobody that matters."""
    return WIDE


def cost(document: Document) -> int:
    return REST + sum(len(document.get(name, ())) for name in _KEYS)


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


async def insert(
    collection: Collection, documents: Iterable[Document], session: Session, taken: Exception, most: Measure = wide
) -> None:
    """Insert all; raises ``taken`` when one of them is there already."""
    try:
        for part in statements(documents, most):
            if len(part) == 1:
                await collection.insert_one(part[0], session=session)
            else:
                await collection.insert_many(part, ordered=True, session=session)
    except (DuplicateKeyError, BulkWriteError) as error:
        if duplicate(error):
            raise taken from None
        raise


async def replace(
    collection: Collection, replacements: Sequence[tuple[Document, Document]], session: Session, most: Measure = wide
) -> int:
    """How many of the pairs found what their first half describes and put their second there."""
    found = 0
    wanted = {id(document): description for description, document in replacements}
    for part in statements((document for _, document in replacements), most):
        changes = [ReplaceOne(wanted[id(document)], document) for document in part]
        found += (await collection.bulk_write(changes, ordered=True, session=session)).matched_count
    return found

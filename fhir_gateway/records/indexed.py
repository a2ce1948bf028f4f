"""Whether all records have the keys that this process looks for: before, words are looked for in the records.

https://hl7.org/fhir/R4/search.html#content
"""

from weakref import WeakKeyDictionary

from fhir_gateway.search.vocabulary import mark
from fhir_gateway.store.port import Store

_whole: WeakKeyDictionary[Store, str] = WeakKeyDictionary()


async def has_words(store: Store) -> bool:
    """Whether the words that were declared are keys of every record; once they are, they stay so."""
    if _whole.get(store) != mark():
        told = await store.upkeep()
        if told.missing or not told.current:
            return False
        _whole[store] = mark()
    return True

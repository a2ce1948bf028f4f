"""Words in a record's narrative, or anywhere in its text, as a reader would look for them.

https://hl7.org/fhir/R4/search.html#content
"""

import html
import re
from collections.abc import Iterator
from typing import Any

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.search.folding import fold
from fhir_gateway.search.pending import Words

OF_THE_SERVER = frozenset({"versionId", "lastUpdated"})

_TAG = re.compile(r"<[^>]*>")
_WORD = re.compile(r"\w+")


def says(record: Resource, words: Words) -> bool:
    """Whether all words of one of the phrases begin a word of the record; case and marks do not count."""
    texts = _texts(record) if words.everywhere else narrative(record)
    there = sorted({word for text in texts for word in parts(text)})
    joined = "\n" + "\n".join(there)
    return any(all(f"\n{word}" in joined for word in parts(phrase)) for phrase in words.phrases)


def parts(text: str) -> list[str]:
    """The words of a text, without case and marks."""
    return _WORD.findall(fold(text))


def narrative(record: Resource) -> Iterator[str]:
    """Its own narrative, and of a document that of its sections: they are what a reader of it reads."""
    waiting = [record]
    while waiting:
        one = waiting.pop()
        if div := one.get("text", {}).get("div"):
            # A tag parts words: a cell of a table ends where the next begins.
            yield html.unescape(_TAG.sub(" ", div))
        waiting += reversed(one.get("section", ())) if record["resourceType"] == "Composition" else ()


def _texts(record: Resource) -> Iterator[str]:
    # The server says when it was stored and as which version: a search for 12 would find what came in that minute.
    own = {name: value for name, value in record.get("meta", {}).items() if name not in OF_THE_SERVER}
    waiting: list[Any] = [{**record, "meta": own}]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [html.unescape(_TAG.sub(" ", v)) if k == "div" else v for k, v in item.items()]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str):
            yield item

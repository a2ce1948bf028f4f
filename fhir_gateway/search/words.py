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

_TAG = re.compile(r"<[^>]*>")
_WORD = re.compile(r"\w+")


def says(record: Resource, words: Words) -> bool:
    """Whether all words of one of the phrases begin a word of the record; case and marks do not count."""
    texts = _texts(record) if words.everywhere else _narrative(record)
    there = sorted({word for text in texts for word in _WORD.findall(fold(text))})
    joined = "\n" + "\n".join(there)
    return any(all(f"\n{word}" in joined for word in _WORD.findall(phrase)) for phrase in words.phrases)


def _narrative(record: Resource) -> Iterator[str]:
    div = record.get("text", {}).get("div", "")
    # A tag parts words: a cell of a table ends where the next begins.
    yield html.unescape(_TAG.sub(" ", div))


def _texts(node: Any) -> Iterator[str]:
    waiting = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [html.unescape(_TAG.sub(" ", v)) if k == "div" else v for k, v in item.items()]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str):
            yield item

"""Vietnamese text as people type it when they search: no case, no marks, one place for the tone.

https://hl7.org/fhir/R4/search.html#string

Finds candidates, never proves identity: ``Hoà``, ``Hòa`` and ``HOA`` fold to the same text.
"""

import unicodedata
from functools import lru_cache

_OWN_LETTERS = str.maketrans({"đ": "d", "ð": "d", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "ı": "i"})


def _without_marks(text: str) -> str:
    # Old and new spelling put the tone on different vowels (hoà, hòa): without the marks the difference is gone.
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


@lru_cache(maxsize=16_384)
def fold(text: str) -> str:
    """The search form: casefolded, without marks, ``đ`` as ``d``, single spaces. ``fold(fold(x)) == fold(x)``."""
    if text.isascii():
        return " ".join(text.casefold().split())
    plain = _without_marks(unicodedata.normalize("NFKC", text).casefold()).casefold().translate(_OWN_LETTERS)
    return " ".join(_without_marks(plain).split())

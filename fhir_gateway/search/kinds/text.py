"""String search: begins with, contains, exactly; Vietnamese without marks, case or tone placement.

https://hl7.org/fhir/R4/search.html#string

Keys are ``parameter:folded␟original␟element``: one key answers the folded prefix, ``:exact`` and, for a name or an
address, the search of one element (``family``).
"""

import re
from hashlib import blake2b
from typing import Any

from fhir_gateway.search.criteria import END, UNIT, Choice, prefixed, whole
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain
from fhir_gateway.search.folding import fold
from fhir_gateway.search.registry import Parameter

MODIFIERS = frozenset({"exact", "contains"})
COMPARED = frozenset({"eq", "gt", "ge", "lt", "le", "ew"})
"""No modifiers of R4: ``_filter`` asks them of whole texts, without marks and case."""

FOLDED_LIMIT = 500
"""Characters of a text that are searched; what is longer is found by its beginning and exactly."""

_ORIGINAL_LIMIT = 200

_COMPARED_LIMIT = 50
"""Characters that decide which of two texts comes first."""

_PARTS = ("text", "family", "given", "prefix", "suffix", "line", "city", "district", "state", "postalCode", "country")


def index(key: str, value: Any, entries: Entries) -> None:
    """A string, or each element of a name or an address."""
    if type(value) is str:
        _add(key, value, "", entries)
    elif type(value) is dict:
        for part in _PARTS:
            if part in value:
                _index_part(key, part, value[part], entries)


def _index_part(key: str, part: str, value: Any, entries: Entries) -> None:
    for text in value if type(value) is list else (value,):
        if text is not None:
            _add(key, text, part, entries)


def _add(key: str, text: str, part: str, entries: Entries) -> None:
    entries.add(key, fold(text)[:FOLDED_LIMIT], f"{_original(text)}{UNIT}{part}")


def _original(text: str) -> str:
    if len(text) <= _ORIGINAL_LIMIT:
        return text
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def parse(parameter: Parameter, text: str, modifier: str) -> Choice:
    """Begins with, without modifier."""
    wanted = plain(text)
    if modifier == "exact":
        return _exactly(parameter, wanted)
    key, part = re.escape(parameter.key), re.escape(parameter.part) if parameter.part else f"[^{UNIT}]*"
    folded = fold(wanted)[:FOLDED_LIMIT]
    if modifier == "ew":
        inside = f"[^{UNIT}]*{re.escape(folded)}"
        return Choice(*whole(parameter.key), pattern=f"^{key}:{inside}{UNIT}[^{UNIT}]*{UNIT}{part}$")
    if modifier == "contains":
        inside = f"[^{UNIT}]*{re.escape(folded)}[^{UNIT}]*"
        return Choice(*whole(parameter.key), pattern=f"^{key}:{inside}{UNIT}[^{UNIT}]*{UNIT}{part}$")
    if modifier in COMPARED:
        pattern = f"^{key}:{_ordered(folded, modifier)}{UNIT}[^{UNIT}]*{UNIT}{part}$" if parameter.part else None
        return Choice(*_range(parameter.key, folded, modifier), pattern=pattern)
    return Choice(*prefixed(parameter.key, folded), ending=parameter.part and f"{UNIT}{parameter.part}")


def _range(key: str, folded: str, operator: str) -> tuple[str, str]:
    """The keys of the texts below, at or above one, by their characters' code points."""
    first, last = whole(key)
    here = f"{key}:{folded}{UNIT}"
    start = {"gt": here + END, "ge": here, "eq": here}.get(operator, first)
    return start, {"lt": here, "le": here + END, "eq": here + END}.get(operator, last)


def _ordered(folded: str, operator: str) -> str:
    """A pattern of the texts below, at or above one: alike up to a character, which is lower or higher."""
    steps = [(re.escape(folded[:at]), re.escape(folded[at])) for at in range(min(len(folded), _COMPARED_LIMIT))]
    ways = [re.escape(folded)] if operator in ("eq", "ge", "le") else []
    if operator in ("gt", "ge"):
        ways += [f"{alike}[^\x01-{char}][^{UNIT}]*" for alike, char in steps] + [f"{re.escape(folded)}[^{UNIT}]+"]
    if operator in ("lt", "le"):
        ways += [f"{alike}(?:[^{char}-{END}{UNIT}][^{UNIT}]*)?" for alike, char in steps]
    return f"(?:{'|'.join(ways)})"


def _exactly(parameter: Parameter, wanted: str) -> Choice:
    start = f"{fold(wanted)[:FOLDED_LIMIT]}{UNIT}{_original(wanted)}{UNIT}"
    if parameter.part:
        return Choice(f"{parameter.key}:{start}{parameter.part}")
    return Choice(*prefixed(parameter.key, start))


def rank(parameter: Parameter, modifier: str) -> int:
    return 8 if modifier in ("contains", "ew") else 3

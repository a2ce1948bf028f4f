"""Token search: codes, identifiers, contact numbers, true and false.

https://hl7.org/fhir/R4/search.html#token

Keys are ``parameter:value␟system``, value first, so that one key answers ``value`` (an interval) and ``system|value``.
A primitive has the system ``=``: its real one is implied by the element and may be named in a search.
"""

import re
from typing import Any

from fhir_gateway.search.criteria import UNIT, Choice, prefixed, whole
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain, split
from fhir_gateway.search.registry import Parameter

IMPLIED = "="

MODIFIERS = frozenset({"not"})

_FEW_VALUES = frozenset(
    ("active", "category", "class", "deceased", "gender", "intent", "language", "priority", "status", "use")
)


def index(key: str, value: Any, entries: Entries) -> None:
    """Any shape that a token parameter may point at: what it looks like says what it is."""
    if type(value) is not dict:
        text = "true" if value is True else "false" if value is False else str(value)
        entries.add(key, text, IMPLIED)
    elif "coding" in value:
        for coding in value["coding"]:
            _coded(key, coding, entries)
    else:
        _coded(key, value, entries)


def _coded(key: str, value: dict[str, Any], entries: Entries) -> None:
    text = value.get("code", value.get("value"))
    if isinstance(text, str):
        entries.add(key, text, value.get("system", ""))


def parse(parameter: Parameter, text: str, modifier: str) -> Choice:
    """``value``, ``system|value``, ``|value`` or ``system|``; ``:not`` is the caller's to turn round."""
    parts = [plain(part) for part in split(text, "|")]
    if len(parts) > 1 and not parts[1]:
        return _of_system(parameter.key, parts[0])
    if len(parts) > 1:
        return _with_system(parameter.key, parts[0], parts[1])
    if parameter.part:
        return Choice(f"{parameter.key}:{parts[0]}{UNIT}{parameter.part}")
    return Choice(*prefixed(parameter.key, parts[0] + UNIT))


def _with_system(key: str, system: str, value: str) -> Choice:
    exact = f"{key}:{value}{UNIT}{system}"
    if system and not system.startswith(("http://hl7.org/fhir/", "urn:ietf:bcp:")):
        return Choice(exact)
    return Choice(exact, also=f"{key}:{value}{UNIT}{IMPLIED}")


def _of_system(key: str, system: str) -> Choice:
    pattern = f"^{re.escape(key)}:[^{UNIT}]*{UNIT}{re.escape(system)}$"
    return Choice(*whole(key), pattern=pattern)


def rank(parameter: Parameter, modifier: str) -> int:
    return 1 if "identifier" in parameter.code else 7 if parameter.code in _FEW_VALUES else 4

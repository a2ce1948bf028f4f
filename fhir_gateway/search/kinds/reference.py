"""Reference search: by ``Type/id``, by id alone, by address, by the identifier inside the reference.

https://hl7.org/fhir/R4/search.html#reference

Keys are ``parameter:id␟Type`` for records of this server, ``parameter:address␟`` for others and for canonicals,
``parameter~:value␟system`` for a logical reference. A version in a reference does not narrow the search.
"""

import re
from dataclasses import replace
from typing import Any

from fhir_gateway.search.criteria import UNIT, Choice, prefixed
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain
from fhir_gateway.search.kinds import token
from fhir_gateway.search.registry import Parameter

MODIFIERS = frozenset({"identifier", "above", "below"})

_LOCAL = re.compile(r"^([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/.*)?$")
_ID = re.compile(r"^[A-Za-z0-9\-.]{1,64}$")


def index(key: str, value: Any, entries: Entries) -> None:
    """A Reference, a canonical or uri, or a resource itself (the first entry of a document)."""
    if type(value) is str:
        _index_address(key, value, entries)
    elif "resourceType" in value:
        entries.add(key, value.get("id", ""), value["resourceType"])
    else:
        if text := value.get("reference"):
            _index_address(key, text, entries)
        if identifier := value.get("identifier"):
            token.index(f"{key}~", identifier, entries)


def _index_address(key: str, text: str, entries: Entries) -> None:
    if match := _LOCAL.match(text):
        entries.add(key, match[2], match[1])
    elif not text.startswith("#"):
        address, _, version = text.partition("|")
        entries.add(key, address, version)


def parse(parameter: Parameter, text: str, modifier: str) -> Choice:
    """``modifier`` is empty, ``identifier`` or a resource type."""
    if modifier == "identifier":
        return token.parse(replace(parameter, key=f"{parameter.key}~", part=""), text, "")
    wanted = plain(text)
    if match := _LOCAL.match(wanted):
        return Choice(f"{parameter.key}:{match[2]}{UNIT}{match[1]}")
    type_ = modifier or parameter.part or (parameter.targets[0] if len(parameter.targets) == 1 else "")
    if _ID.match(wanted) and type_:
        return Choice(f"{parameter.key}:{wanted}{UNIT}{type_}")
    address, bar, version = wanted.partition("|")
    if bar:
        return Choice(f"{parameter.key}:{address}{UNIT}{version}")
    return Choice(*prefixed(parameter.key, address + UNIT))


def rank(parameter: Parameter, modifier: str) -> int:
    return 1 if modifier == "identifier" else 2

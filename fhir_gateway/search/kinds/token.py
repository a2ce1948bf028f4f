"""Token search: codes, identifiers, contact numbers, true and false.

https://hl7.org/fhir/R4/search.html#token

Keys are ``parameter:value␟system``, value first, so that one key answers ``value`` (an interval) and ``system|value``.
A primitive has the system ``=``: its real one is implied by the element and may be named in a search.
"""

import re
from typing import Any

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.criteria import UNIT, Choice, Together, prefixed, whole
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain, split
from fhir_gateway.search.folding import fold
from fhir_gateway.search.registry import Parameter

IMPLIED = "="

MODIFIERS = frozenset({"not", "text", "of-type", "in", "not-in", "above", "below"})

_TEXT_LIMIT = 200

_FEW_VALUES = frozenset(
    ("active", "category", "class", "deceased", "gender", "intent", "language", "priority", "status", "use")
)


def index(key: str, value: Any, entries: Entries) -> None:
    """Any shape that a token parameter may point at: what it looks like says what it is."""
    if type(value) is not dict:
        text = "true" if value is True else "false" if value is False else str(value)
        entries.add(key, text, IMPLIED)
    elif "coding" in value or "text" in value:
        for coding in value.get("coding", ()):
            _coded(key, coding, entries)
        _said(key, value.get("text"), entries)
    else:
        _coded(key, value, entries)
        _typed(key, value, entries)


def _coded(key: str, value: dict[str, Any], entries: Entries) -> None:
    text = value.get("code", value.get("value"))
    if isinstance(text, str):
        entries.add(key, text, value.get("system", ""))
    _said(key, value.get("display"), entries)


def _said(key: str, text: Any, entries: Entries) -> None:
    """The words beside a code, for ``:text``."""
    if isinstance(text, str) and key:
        entries.add(f"{key}~", fold(text)[:_TEXT_LIMIT])


def _typed(key: str, value: dict[str, Any], entries: Entries) -> None:
    """An identifier and its kind, for ``:of-type``."""
    kind = value.get("type")
    if isinstance(kind, dict) and "value" in value:
        _said(key, kind.get("text"), entries)
        number, types = Entries(), Entries()
        number.add("", str(value["value"]))
        for coding in kind.get("coding", ()):
            _coded("", coding, types)
        entries.together(f"{key}~", (number, types))


def parse(parameter: Parameter, text: str, modifier: str) -> Choice:
    """``value``, ``system|value``, ``|value`` or ``system|``; ``:not`` is the caller's to turn round.

    With ``text`` the words beside the code begin so.
    """
    if modifier == "text":
        return Choice(*prefixed(f"{parameter.key}~", fold(plain(text))[:_TEXT_LIMIT]))
    parts = [plain(part) for part in split(text, "|")]
    if len(parts) > 2:
        raise BadRequest(rf"'{parameter.code}' needs system|code; a | inside of either is written \|")
    if len(parts) > 1 and not parts[1]:
        return _of_system(parameter.key, parts[0])
    if len(parts) > 1:
        return _with_system(parameter.key, parts[0], parts[1])
    if parameter.part:
        return Choice(f"{parameter.key}:{parts[0]}{UNIT}{parameter.part}")
    return Choice(*prefixed(parameter.key, parts[0] + UNIT))


def of_type(parameter: Parameter, text: str) -> Together:
    """``system|code|value``: an identifier of this type with this value."""
    parts = [plain(part) for part in split(text, "|")]
    if len(parts) != 3 or not all(parts):
        raise BadRequest(f"'{parameter.code}:of-type' needs system|code|value")
    system, code, value = parts
    return Together(f"{parameter.key}~", (Choice(f":{value}{UNIT}"), Choice(f":{code}{UNIT}{system}")))


def coded(key: str, system: str, code: str) -> Choice:
    """The choice of one code of one system, as an expanded value set names it."""
    return _with_system(key, system, code)


def _with_system(key: str, system: str, value: str) -> Choice:
    exact = f"{key}:{value}{UNIT}{system}"
    if system and not system.startswith(("http://hl7.org/fhir/", "urn:ietf:bcp:")):
        return Choice(exact)
    return Choice(exact, also=f"{key}:{value}{UNIT}{IMPLIED}")


def _of_system(key: str, system: str) -> Choice:
    pattern = f"^{re.escape(key)}:[^{UNIT}]*{UNIT}{re.escape(system)}$"
    return Choice(*whole(key), pattern=pattern)


def rank(parameter: Parameter, modifier: str) -> int:
    if modifier == "text":
        return 5
    return 1 if "identifier" in parameter.code else 7 if parameter.code in _FEW_VALUES else 4

"""URI search: the whole address, literally.

https://hl7.org/fhir/R4/search.html#uri
"""

from typing import Any

from fhir_gateway.search.criteria import UNIT, Choice
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain
from fhir_gateway.search.registry import Parameter

MODIFIERS: frozenset[str] = frozenset()


def index(key: str, value: Any, entries: Entries) -> None:
    entries.add(key, str(value))


def parse(parameter: Parameter, text: str, modifier: str) -> Choice:
    return Choice(f"{parameter.key}:{plain(text)}{UNIT}")


def rank(parameter: Parameter, modifier: str) -> int:
    return 3

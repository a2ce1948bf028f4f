"""URI search: the whole address, literally; or what lies above or below it in its path.

https://hl7.org/fhir/R4/search.html#uri
"""

import re
from typing import Any

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.criteria import END, UNIT, Choice
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain
from fhir_gateway.search.registry import Parameter

MODIFIERS = frozenset({"above", "below"})


def index(key: str, value: Any, entries: Entries) -> None:
    entries.add(key, str(value))


def parse(parameter: Parameter, text: str, modifier: str) -> Choice:
    """``below``: the address or one that begins with it and a slash. For ``above`` see ``parents``."""
    address = plain(text)
    if modifier == "below":
        if address.startswith("urn:"):
            raise BadRequest(f"'{parameter.code}:below' needs an address with a path; a urn has none")
        start = f"{parameter.key}:{address.rstrip('/')}"
        return Choice(f"{start}{UNIT}", f"{start}/{END}", pattern=f"^{re.escape(start)}(/|{UNIT})")
    return Choice(f"{parameter.key}:{address}{UNIT}")


def parents(text: str) -> list[str]:
    """The address itself and all that its path lies below."""
    scheme, colon, rest = text.partition("://")
    steps = rest.rstrip("/").split("/")
    return [scheme + colon + "/".join(steps[:count]) for count in range(len(steps), 0, -1)] if colon else [text]


def rank(parameter: Parameter, modifier: str) -> int:
    return 3

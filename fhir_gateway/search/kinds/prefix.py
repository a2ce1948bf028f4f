"""The comparison in front of a number, date or quantity.

https://hl7.org/fhir/R4/search.html#prefix
"""

import re

from fhir_gateway.search.criteria import Limit, Span

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")

_PREFIX = re.compile(rf"^({'|'.join(PREFIXES)})(?=[-+.\d])")


def split_prefix(text: str) -> tuple[str, str]:
    """The prefix (``eq`` where there is none) and what follows it."""
    match = _PREFIX.match(text)
    return (match[1], text[2:]) if match else ("eq", text)


class Comparison:
    """What a prefix means: each test is the record's edge, an operator, the request's edge."""

    def __init__(self, *tests: str, either: bool = False) -> None:
        self._tests = tuple(tuple(test.split()) for test in tests)
        self._either = either

    def span(self, key: str, lo: float, hi: float) -> Span:
        limits = tuple(Limit(edge, operator, lo if of == "lo" else hi) for edge, operator, of in self._tests)
        return Span(key, limits, self._either)

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
    """What a prefix means: one of ``ways``, each of tests joined by commas.

    A test is the record's edge, an operator, the request's edge.
    """

    def __init__(self, *ways: str) -> None:
        self._ways = tuple(tuple(tuple(test.split()) for test in way.split(", ")) for way in ways)

    def span(self, key: str, lo: float, hi: float, end: float = 0) -> Span:
        """``end`` is a third edge of the request, where it has one."""
        edges = {"lo": lo, "hi": hi, "end": end}
        ways = (tuple(Limit(edge, operator, edges[of]) for edge, operator, of in way) for way in self._ways)
        return Span(key, tuple(ways))

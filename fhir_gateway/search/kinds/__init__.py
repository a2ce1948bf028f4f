"""One module for each kind of search parameter: the keys its values leave, the choice a request asks for."""

from typing import Protocol

from fhir_gateway.search.criteria import Choice
from fhir_gateway.search.kinds import date, number, quantity, reference, text, token, uri
from fhir_gateway.search.registry import Parameter


class Kind(Protocol):
    """What a module under ``kinds/`` offers to a request."""

    MODIFIERS: frozenset[str]

    def parse(self, parameter: Parameter, text: str, modifier: str) -> Choice: ...

    def rank(self, parameter: Parameter, modifier: str) -> int: ...


KINDS: dict[str, Kind] = {
    "token": token,
    "string": text,
    "reference": reference,
    "uri": uri,
    "date": date,
    "number": number,
    "quantity": quantity,
}

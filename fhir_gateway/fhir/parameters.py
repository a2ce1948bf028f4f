"""What an operation is asked and what it answers: arguments from a URL or a Parameters resource.

https://hl7.org/fhir/R4/operations.html#request
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, NotSupported

Element = dict[str, Any]

_NUMBER = re.compile(r"\d{1,9}")


@dataclass(frozen=True, slots=True)
class Arguments:
    """Names and JSON values in the order given; text where they come from a URL."""

    entries: tuple[tuple[str, Any], ...] = ()

    def only(self, known: Iterable[str], later: Iterable[str] = ()) -> None:
        """Raises BadRequest for a name that is neither; NotSupported for one of ``later``, which FHIR has."""
        names = frozenset(known)
        for name, _ in self.entries:
            if name in later:
                raise NotSupported(f"the parameter '{name}' is not offered", name)
            if name not in names:
                listed = ", ".join(sorted(names)) or "none"
                raise BadRequest(f"there is no parameter '{name[:60]}' here; there are: {listed}", name[:60])

    def all(self, name: str) -> list[Any]:
        return [value for given, value in self.entries if given == name]

    def _one(self, name: str) -> Any:
        found = self.all(name)
        if len(found) > 1:
            raise BadRequest(f"'{name}' is given more than once", name)
        return found[0] if found else None

    def text(self, name: str) -> str | None:
        """None when it is not there; BadRequest when it is empty or no text."""
        value = self._one(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise BadRequest(f"'{name}' needs a text", name)
        return value

    def texts(self, name: str) -> list[str]:
        """Repeated and comma-separated values, one by one."""
        found = self.all(name)
        if not all(isinstance(value, str) for value in found):
            raise BadRequest(f"'{name}' needs texts", name)
        return [part for value in found for part in value.split(",") if part]

    def needed(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise BadRequest(f"'{name}' is required", name)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._one(name)
        if value is None:
            return default
        if value not in (True, False, "true", "false"):
            raise BadRequest(f"'{name}' is true or false", name)
        return value in (True, "true")

    def number(self, name: str) -> int | None:
        """A whole number from 0."""
        value = self._one(name)
        if value is None:
            return None
        if isinstance(value, bool) or not _NUMBER.fullmatch(str(value)):
            raise BadRequest(f"'{name}' needs a whole number from 0", name)
        return int(value)

    def instant(self, name: str) -> datetime | None:
        """A moment with its zone; a day alone begins in UTC."""
        text = self.text(name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00+00:00")
        except ValueError:
            moment = datetime.min
        if moment.tzinfo is None:
            raise BadRequest(f"'{name}' needs a date, or a time with its zone", name)
        return moment

    def element(self, name: str) -> Element | None:
        """A Coding, a CodeableConcept, a Meta or a resource."""
        value = self._one(name)
        if value is not None and not isinstance(value, dict):
            raise BadRequest(f"'{name}' needs an element, so send it in Parameters", name)
        return value


def arguments(pairs: Sequence[tuple[str, str]], sent: Resource | None = None) -> Arguments:
    """The arguments of the URL and those of the Parameters that were sent, if any."""
    found: list[tuple[str, Any]] = list(pairs)
    if sent is not None:
        if sent.get("resourceType") != "Parameters":
            raise BadRequest("the operation takes Parameters", "resourceType")
        listed = sent.get("parameter", [])
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise BadRequest("parameter must be a list of objects", "Parameters.parameter")
        found += [_entry(item, place) for place, item in enumerate(listed)]
    return Arguments(tuple(found))


def _entry(item: Element, place: int) -> tuple[str, Any]:
    where = f"Parameters.parameter[{place}]"
    name = item.get("name")
    values = [value for member, value in item.items() if member.startswith("value") or member in ("resource", "part")]
    if not isinstance(name, str) or len(values) != 1:
        raise BadRequest("a parameter has a name, and either a value, a resource or parts", where)
    return name, values[0]


def parameter(name: str, kind: str, value: Any) -> Element:
    """One parameter to answer with: ``parameter("result", "Boolean", True)``; kind ``part`` holds others."""
    return {"name": name, kind if kind in ("part", "resource") else f"value{kind}": value}


def answer(*parameters: Element) -> Resource:
    """The Parameters an operation answers with."""
    return {"resourceType": "Parameters", "parameter": list(parameters)}

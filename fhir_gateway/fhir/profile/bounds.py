"""How small, large, short and long the value of an element may be.

https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.minValue_x_
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from fhir_gateway.fhir.codec import plain
from fhir_gateway.fhir.expression import moments
from fhir_gateway.fhir.expression.items import Item, made
from fhir_gateway.fhir.expression.operators import order
from fhir_gateway.fhir.expression.syntax import NotFhirPath
from fhir_gateway.fhir.profile.tree import CORE, Node
from fhir_gateway.fhir.profile.values import Value
from fhir_gateway.problem import Issue

_CALENDAR = {"a": "year", "mo": "month", "wk": "week", "d": "day", "h": "hour", "min": "minute", "s": "second"}
_DATES = ("date", "dateTime", "instant")


def faults(value: Value, node: Node) -> Iterator[Issue]:
    yield from _length(value, node)
    for prefix, sign, word in (("minValue", -1, "less"), ("maxValue", 1, "more")):
        bound = node.chosen(prefix)
        limit = _limit(value, bound, sign) if bound and value.item is not None else None
        try:
            found = order(Item(value.item, value.kind), limit) if limit else None
        except NotFhirPath:
            continue
        if found == sign:
            yield Issue(f"is {word} than the profile allows", value.path, "value")


def _length(value: Value, node: Node) -> Iterator[Issue]:
    longest, shortest = node.facts.get("maxLength"), _shortest(node)
    if isinstance(value.item, str) and isinstance(longest, int) and len(value.item) > longest:
        yield Issue(f"is longer than {longest} characters", value.path, "too-long")
    if isinstance(value.item, str) and len(value.item) < shortest:
        yield Issue(f"is shorter than {shortest} characters", value.path, "value")


def _shortest(node: Node) -> int:
    """https://hl7.org/fhir/R4/extension-minlength.html"""
    listed = node.facts.get("extension")
    found = (one for one in listed or () if isinstance(one, dict) and one.get("url") == f"{CORE}minLength")
    return next((one["valueInteger"] for one in found if isinstance(one.get("valueInteger"), int)), 0)


def _limit(value: Value, bound: tuple[str, Any], sign: int) -> Item | None:
    """What a value is compared with; of a date a duration counts from now, back to the least and on to the most."""
    kind, limit = bound
    if kind not in ("Quantity", "Duration") or value.kind not in _DATES:
        return Item(plain(limit), kind if kind == "Quantity" else f"{kind[0].lower()}{kind[1:]}")
    amount = limit if isinstance(limit, dict) else {}
    word = _CALENDAR.get(str(amount.get("code") or amount.get("unit")))
    now = moments.moment(datetime.now(UTC).isoformat(timespec="seconds"), "DateTime")
    if word is None or now is None or "value" not in amount:
        return None
    there = moments.added(now, Decimal(amount["value"]) * sign, word)
    return made(there) if there else None

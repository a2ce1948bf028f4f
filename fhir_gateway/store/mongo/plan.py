"""How the database ran a search, as it tells itself: the index, and how much was looked at.

https://www.mongodb.com/docs/manual/reference/explain-results/
"""

from collections.abc import Iterator
from typing import Any

from fhir_gateway.store.port import Plan


def to_plan(told: Any) -> Plan:
    """From the answer of ``explain``, whose shape differs from version to version; the words in it do not."""
    found = list(_walk(told))
    stages = {value for name, value in found if name == "stage"}
    indexes = dict.fromkeys(str(value) for name, value in found if name == "indexName")
    if "IDHACK" in stages or "CLUSTERED_IXSCAN" in stages:
        indexes["_id_"] = None
    keys, documents = (_most(found, f"total{what}Examined") for what in ("Keys", "Docs"))
    return Plan(tuple(indexes), "COLLSCAN" in stages, keys, documents)


def _walk(node: Any) -> Iterator[tuple[str, Any]]:
    """Every member below, without the plans that were not taken."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name not in ("rejectedPlans", "command"):
                yield name, value
                yield from _walk(value)
    elif isinstance(node, list):
        for item in node:
            yield from _walk(item)


def _most(found: list[tuple[str, Any]], wanted: str) -> int:
    return max((int(value) for name, value in found if name == wanted), default=0)

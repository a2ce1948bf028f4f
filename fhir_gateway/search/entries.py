"""What a record is found by, while it is being gathered from the resource."""

from dataclasses import dataclass, field

from fhir_gateway.search.criteria import UNIT


@dataclass(frozen=True, slots=True)
class Entries:
    """``keys`` in the order found, each once; ``spans`` per parameter key."""

    keys: dict[str, None] = field(default_factory=dict)
    spans: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def add(self, key: str, value: str, rest: str = "") -> None:
        self.keys[f"{key}:{value}{UNIT}{rest}"] = None

    def span(self, key: str, edges: dict[str, object]) -> None:
        spans = self.spans.setdefault(key, [])
        if edges not in spans:
            spans.append(edges)

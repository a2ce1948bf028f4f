"""What a record is found by, while it is being gathered from the resource."""

from dataclasses import dataclass, field

from fhir_gateway.search.criteria import UNIT


@dataclass(frozen=True, slots=True)
class Entries:
    """``keys`` in the order found, each once; ``spans``, ``tuples`` and ``places`` per parameter key."""

    keys: dict[str, None] = field(default_factory=dict)
    spans: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    tuples: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    places: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, key: str, value: str, rest: str = "") -> None:
        self.keys[f"{key}:{value}{UNIT}{rest}"] = None

    def span(self, key: str, edges: dict[str, object]) -> None:
        spans = self.spans.setdefault(key, [])
        if edges not in spans:
            spans.append(edges)

    def together(self, key: str, parts: "tuple[Entries, ...]") -> None:
        """What one element holds: the keys and spans of each part under ``k0``, ``s0``, ``k1`` and so on."""
        one: dict[str, object] = {}
        for at, part in enumerate(parts):
            one |= {f"k{at}": [*part.keys]} | {f"s{at}{scale}": spans for scale, spans in part.spans.items()}
        self.tuples.setdefault(key, []).append(one)

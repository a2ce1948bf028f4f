"""How many requests came, how they ended and how long they took, for Prometheus.

https://prometheus.io/docs/practices/instrumentation/
"""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _requests(registry: CollectorRegistry) -> Counter:
    return Counter("fhir_gateway_requests", "Requests answered", ("route", "method", "status"), registry=registry)


def _seconds(registry: CollectorRegistry) -> Histogram:
    name, text = "fhir_gateway_request_seconds", "Time until the answer was sent"
    return Histogram(name, text, ("route",), buckets=BUCKETS, registry=registry)


@dataclass(slots=True)
class Traffic:
    """The counters of one gateway process."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    _known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.requests = _requests(self.registry)
        self.seconds = _seconds(self.registry)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        known = self._known.get((route, method, status))
        if known is None:
            known = self.requests.labels(route, method, str(status)), self.seconds.labels(route)
            self._known[route, method, status] = known
        known[0].inc()
        known[1].observe(seconds)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)

"""What a measurement comes to: how many a second, how long the middle one and the slowest hundredth took."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Load:
    """A finished load. ``milliseconds`` holds one latency for each good answer; ``seconds`` is the whole of it."""

    milliseconds: tuple[float, ...]
    seconds: float
    failures: tuple[str, ...] = ()

    @property
    def done(self) -> int:
        return len(self.milliseconds)

    def plain(self) -> dict[str, Any]:
        """The figures as JSON values."""
        figures = {
            "per_second": per_second(self.done, self.seconds),
            "p50_ms": round(percentile(self.milliseconds, 50), 2),
            "p99_ms": round(percentile(self.milliseconds, 99), 2),
            "requests": self.done,
        }
        return figures | ({"failures": len(self.failures), "failed_with": self.failures[0]} if self.failures else {})


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent of all are not above; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, int(len(ordered) * percent / 100 + 0.999999) - 1))]


def per_second(count: float, seconds: float) -> float:
    """Three digits are more than such a measurement can tell."""
    rate = count / seconds if seconds > 0 else 0.0
    return round(rate) if rate >= 100 else round(rate, 1)

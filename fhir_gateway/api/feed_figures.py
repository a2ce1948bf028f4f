"""The feeds for Prometheus: what came today, when the last message came, who is silent beyond habit.

https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fhir_gateway.exchange.feeds import Feed, Feeds

_HOSPITAL = ("hospital",)


@dataclass(frozen=True, slots=True, eq=False)
class FeedFigures(Collector):
    """The figures of the last look at the feeds."""

    feeds: Feeds

    def collect(self) -> Iterator[Metric]:
        feeds = list(self.feeds.current.values())
        yield _by_state(feeds)
        yield _figure("duplicates", "Messages of today that came again", feeds, [feed.duplicates for feed in feeds])
        missing = [feed.missing for feed in feeds]
        yield _figure("missing", "Numbers missing in the sender's own count of today", feeds, missing)
        seen = [feed.last.timestamp() if feed.last else 0.0 for feed in feeds]
        yield _figure("last_seen_timestamp_seconds", "When the last message came; 0 without any", feeds, seen)
        silent = [1.0 if feed.silence else 0.0 for feed in feeds]
        yield _figure("silent", "1 while the feed is silent beyond its habit", feeds, silent)
        missed = [feed.silence.missed if feed.silence else 0.0 for feed in feeds]
        yield _figure("missed", "Messages that would have come by habit since it fell silent", feeds, missed)


def _by_state(feeds: list[Feed]) -> GaugeMetricFamily:
    text = "Messages of today by what became of them"
    family = GaugeMetricFamily("fhir_gateway_feed_messages", text, labels=("hospital", "state"))
    for feed in feeds:
        for state, number in feed.states.items():
            family.add_metric((feed.hospital.name, state), number)
    return family


def _figure(name: str, text: str, feeds: list[Feed], values: Sequence[float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"fhir_gateway_feed_{name}", text, labels=_HOSPITAL)
    for feed, value in zip(feeds, values, strict=True):
        family.add_metric((feed.hospital.name,), value)
    return family

"""What one Subscription asks: which changes, narrowed how, told where, with how much content.

https://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition-backport-subscription.html
https://hl7.org/fhir/R4/subscription.html
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, Invalid
from fhir_gateway.search.query import Query, parse
from fhir_gateway.subscriptions.endpoints import header
from fhir_gateway.subscriptions.matching import watchable
from fhir_gateway.subscriptions.topics import CREATE, UPDATE, Topic, Trigger, topics

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
REST_HOOK, WEBSOCKET = "rest-hook", "websocket"
EMPTY, ID_ONLY, FULL = "empty", "id-only", "full-resource"
CONTENTS = (EMPTY, ID_ONLY, FULL)
MIME = frozenset({"application/fhir+json", "application/json"})
XML_MIME = frozenset({"application/fhir+xml", "application/xml"})
# AuditEvents would tell of their own sending, Subscriptions of their own errors: either would never end.
UNWATCHED = frozenset({"AuditEvent", "Subscription"})
CRITERIA = "Subscription.criteria"
MAX_COUNT, TIMEOUT_SECONDS, LONGEST_TIMEOUT_SECONDS = 100, 30, 300
SHORTEST_HEARTBEAT_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Watched:
    """One trigger made ready: the searches the old and the new version must meet."""

    trigger: Trigger
    current: tuple[Query, ...]
    previous: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """``classic`` is R4's own form: no handshake, no Bundle around what is sent; ``content`` is then empty or full."""

    topic: str
    watched: tuple[Watched, ...]
    channel: str
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    content: str
    classic: bool
    mime: str = "application/fhir+json"
    heartbeat_seconds: int = 0
    timeout_seconds: int = TIMEOUT_SECONDS
    max_count: int = MAX_COUNT
    end: datetime | None = None

    @property
    def in_xml(self) -> bool:
        return _media_type(self.mime) in XML_MIME

    @property
    def types(self) -> frozenset[str]:
        return frozenset(one.trigger.resource for one in self.watched)

    def beats(self, spoken: datetime, now: datetime) -> bool:
        """Whether a heartbeat is due after what was last ``spoken``; also where the clock was set back behind it."""
        pause = timedelta(seconds=self.heartbeat_seconds)
        return bool(pause) and not spoken <= now < spoken + pause


def terms(subscription: Resource) -> Terms:
    """The terms of a Subscription that is valid R4. Raises Invalid naming the place that cannot be kept."""
    channel = subscription["channel"]
    kind = channel.get("type")
    if kind not in (REST_HOOK, WEBSOCKET):
        raise Invalid(f"the channels offered are {REST_HOOK} and {WEBSOCKET}", "Subscription.channel.type")
    if kind == REST_HOOK and not channel.get("endpoint"):
        raise Invalid("a rest-hook needs an endpoint", "Subscription.channel.endpoint")
    topic, watched = _watched(subscription)
    content = _content(channel)
    classic = not topic and content is None and kind == REST_HOOK
    return Terms(
        topic,
        watched,
        kind,
        channel.get("endpoint", ""),
        tuple(header(line) for line in channel.get("header", ())),
        content or (FULL if classic and channel.get("payload") else EMPTY),
        classic,
        channel.get("payload") or "application/fhir+json",
        _number(channel, "heartbeat-period", 0, (SHORTEST_HEARTBEAT_SECONDS, 10**6)),
        _number(channel, "timeout", TIMEOUT_SECONDS, (1, LONGEST_TIMEOUT_SECONDS)),
        1 if classic else _number(channel, "max-count", MAX_COUNT, (1, MAX_COUNT)),
        _end(subscription),
    )


@lru_cache(maxsize=2048)
def terms_of(body: bytes) -> Terms:
    """The terms of a Subscription as stored; read once for each version."""
    return terms(decode_resource(body))


def _watched(subscription: Resource) -> tuple[str, tuple[Watched, ...]]:
    criteria = subscription["criteria"].strip()
    filters = _filters(subscription)
    type_, _, search = criteria.partition("?")
    if type_ in resource_types():
        if filters:
            raise Invalid("filters narrow a topic; narrow a search in the search itself", CRITERIA)
        trigger = Trigger(_watchable_type(type_), (CREATE, UPDATE))
        return "", (Watched(trigger, _queries(type_, search), ()),)
    topic = topics().get(criteria)
    if topic is None:
        raise Invalid(f"criteria is a search of one type, or one of the topics {', '.join(topics())}", CRITERIA)
    return topic.url, tuple(_of_topic(topic, trigger, filters) for trigger in topic.triggers)


def _watchable_type(type_: str) -> str:
    if type_ in UNWATCHED:
        raise Invalid(f"{type_} cannot be subscribed to", CRITERIA)
    return type_


def _of_topic(topic: Topic, trigger: Trigger, filters: list[tuple[str, str]]) -> Watched:
    for type_, _ in filters:
        if type_ and type_ not in topic.types:
            raise Invalid(f"the topic is about {', '.join(topic.types)}", f"{CRITERIA}.extension")
    wanted = [search for type_, search in filters if type_ in ("", trigger.resource)]
    for search in wanted:
        for name, _ in parse_qsl(search, keep_blank_values=True):
            if name.partition(":")[0].partition(".")[0] not in topic.filters:
                raise Invalid(f"this topic is filtered by {', '.join(topic.filters)}", f"{CRITERIA}.extension")
    current = tuple(query for search in (trigger.current, *wanted) for query in _queries(trigger.resource, search))
    return Watched(trigger, current, _queries(trigger.resource, trigger.previous))


def _queries(type_: str, search: str) -> tuple[Query, ...]:
    if not search:
        return ()
    try:
        return (watchable(parse(type_, parse_qsl(search, keep_blank_values=True))),)
    except BadRequest as fault:
        raise Invalid(fault.text, CRITERIA) from None


def _filters(subscription: Resource) -> list[tuple[str, str]]:
    """Each filter as type (empty: all of the topic's) and search."""
    found = []
    for text in _extensions(subscription.get("_criteria"), "filter-criteria"):
        head, mark, rest = str(text).partition("?")
        found.append((head, rest) if mark else ("", head))
    return found


def _content(channel: dict[str, Any]) -> str | None:
    """How much is sent; None where the Subscription is silent."""
    offered = MIME | (XML_MIME if channel["type"] == REST_HOOK else frozenset())
    if _media_type(channel.get("payload", "application/fhir+json")) not in offered:
        raise Invalid(
            "notifications are application/fhir+json, on a rest-hook also application/fhir+xml",
            "Subscription.channel.payload",
        )
    content = next(iter(_extensions(channel.get("_payload"), "payload-content")), None)
    if content is not None and content not in CONTENTS:
        raise Invalid(f"the content is {', '.join(CONTENTS)}", "Subscription.channel.payload.extension")
    return content


def _media_type(payload: str) -> str:
    return payload.partition(";")[0].strip().lower()


def _number(channel: dict[str, Any], name: str, default: int, bounds: tuple[int, int]) -> int:
    value = next(iter(_extensions(channel, name)), None)
    if value is None:
        return default
    if not isinstance(value, int) or value < bounds[0]:
        raise Invalid(f"{name} is a whole number from {bounds[0]}", "Subscription.channel.extension")
    return min(value, bounds[1])


def _extensions(element: dict[str, Any] | None, name: str) -> list[Any]:
    url = f"{BACKPORT}/backport-{name}"
    found = [one for one in (element or {}).get("extension", ()) if one.get("url") == url]
    return [value for one in found for member, value in one.items() if member.startswith("value")]


def _end(subscription: Resource) -> datetime | None:
    return datetime.fromisoformat(subscription["end"]) if "end" in subscription else None

"""What a subscriber may ask: how a subscription stands, which events it missed, what topics there are.

https://hl7.org/fhir/uv/subscriptions-backport/artifacts.html#behavior-operation-definitions
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from fhir_gateway.fhir.bundle import Entry, searchset
from fhir_gateway.fhir.codec import decode_resource, encode
from fhir_gateway.fhir.parameters import answer, parameter
from fhir_gateway.fhir.resource import Resource, instant
from fhir_gateway.problem import BadRequest, NotFound
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import search
from fhir_gateway.records.journal import Touched, Visit, record
from fhir_gateway.records.read import read
from fhir_gateway.store.port import Commit, Note, Version
from fhir_gateway.subscriptions.enrolling import NOBODY
from fhir_gateway.subscriptions.notice import QUERY_EVENT, QUERY_STATUS, REQUESTED, Notice, notification, status, told
from fhir_gateway.subscriptions.register import OFF, Progress, Register, asker_content, events, progress, registered
from fhir_gateway.subscriptions.terms import WEBSOCKET
from fhir_gateway.subscriptions.topics import basic, topics
from fhir_gateway.subscriptions.watch import SUBSCRIPTION

TOKENS = "subscription-tokens"
TOKEN_SECONDS = 300
EVENTS_AT_ONCE = 1000
MANY = "1000"


async def status_of_one(desk: Desk, visit: Visit, identity: str) -> bytes:
    """A searchset with the status of one subscription."""
    return await _statuses(desk, [await read(desk, visit, SUBSCRIPTION, identity)])


async def status_of_all(desk: Desk, visit: Visit, ids: Sequence[str], states: Sequence[str]) -> bytes:
    """A searchset with the status of those the caller may see, narrowed by id and by status."""
    return await _statuses(desk, await _visible(desk, visit, ids, states))


async def _visible(desk: Desk, visit: Visit, ids: Sequence[str], states: Sequence[str]) -> Sequence[Version]:
    pairs = [("_count", MANY)]
    pairs += [(name, ",".join(values)) for name, values in (("_id", ids), ("status", states)) if values]
    return (await search(desk, visit, SUBSCRIPTION, pairs)).matches


async def _statuses(desk: Desk, versions: Sequence[Version]) -> bytes:
    found = []
    for version in versions:
        register, known = await _standing(desk, version)
        resource = status(desk.base_url, Notice(register, known, QUERY_STATUS, desk.now()))
        found.append(Entry(encode(resource), f"urn:uuid:{resource['id']}", "match"))
    return searchset(found)


async def _standing(desk: Desk, version: Version) -> tuple[Register, Progress]:
    """As registered; a version that is not enrolled yet is requested, or off when its client says so."""
    resource = decode_resource(version.body)
    known = await registered(desk.store, version.id)
    if known is None or known.version != version.number:
        state = OFF if resource["status"] == OFF else REQUESTED
        known = Register(version.id, state, version.number, version.body, known.asker if known else NOBODY)
    counters = await progress(desk.store, version.id)
    return known, replace(counters, trouble=counters.trouble or resource.get("error", ""))


async def missed_events(
    desk: Desk, visit: Visit, identity: str, numbers: tuple[int | None, int | None], content: str
) -> bytes:
    """The events numbered from and until (both included) again, as far as the caller may see them."""
    register, known = await _standing(desk, await read(desk, visit, SUBSCRIPTION, identity))
    first = max(1, numbers[0] if numbers[0] is not None else 1)
    last = min(known.count, numbers[1] if numbers[1] is not None else known.count, first + EVENTS_AT_ONCE - 1)
    kept = await events(desk.store, identity, first, last)
    removed = range(first, kept[0].number if kept else max(first, last + 1))
    found = await told(desk.store, kept, visit.caller)
    shown = tuple(one.event.reference for one in found if one.version is not None)
    await record(desk, visit, "$events", Touched((f"{SUBSCRIPTION}/{identity}", *dict.fromkeys(shown))))
    notice = Notice(register, known, QUERY_EVENT, desk.now(), tuple(found), content, removed)
    return notification(desk.base_url, notice)


def topic_list() -> Resource:
    """The topics this gateway offers: canonical URLs, and each as the Basic that defines it."""
    rows = []
    for topic in topics().values():
        rows.append(parameter("subscription-topic-canonical", "Canonical", topic.url))
        rows.append(parameter("subscription-topic", "resource", basic(topic)))
    return answer(*rows)


async def socket_token(desk: Desk, visit: Visit, ids: Sequence[str], url: str) -> Resource:
    """A key that binds a websocket to those subscriptions, with the rights of whoever asked for it."""
    found = [one for one in await _visible(desk, visit, ids, ()) if _is_socket(one)]
    if len(found) < len(set(ids)) or not found:
        raise NotFound("there is no such subscription with a websocket channel", "id")
    token, until = secrets.token_urlsafe(32), desk.now() + timedelta(seconds=TOKEN_SECONDS)
    content = {"subscriptions": [one.id for one in found], "until": until, "asker": asker_content(visit.caller)}
    await desk.store.commit(Commit(notes=(Note(TOKENS, token_key(token), content),)))
    return answer(
        parameter("token", "String", token),
        parameter("expiration", "DateTime", instant(until)),
        *(parameter("subscription", "String", one.id) for one in found),
        parameter("websocket-url", "Url", url),
    )


def token_key(token: str) -> str:
    """What is stored of a token: who reads the database cannot use it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _is_socket(version: Version) -> bool:
    return bool(decode_resource(version.body)["channel"]["type"] == WEBSOCKET)


def event_number(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise BadRequest(f"'{name}' is the number of an event", name)
    return int(text)

"""One websocket: bound by tokens to subscriptions, told of their events in order from where the last one stopped.

https://hl7.org/fhir/uv/subscriptions-backport/channels.html#websockets

The protocol knows no receipt: what was handed to the connection counts as told. Who lost a connection asks ``$events``
for the numbers after the last one seen.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeGuard

from fhir_gateway.problem import Conflict, Unauthenticated
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit
from fhir_gateway.subscriptions.answers import TOKENS, token_key
from fhir_gateway.subscriptions.notice import EVENT, HANDSHAKE, HEARTBEAT, Notice, Told, notification, told
from fhir_gateway.subscriptions.office import Office
from fhir_gateway.subscriptions.register import (
    Progress,
    Register,
    asker,
    events,
    next_kept,
    progress,
    progress_note,
    registered,
)
from fhir_gateway.subscriptions.terms import WEBSOCKET

BIND = "bind-with-token"
LOOK_SECONDS = 0.5
GATHER_SECONDS = 0.02


@dataclass(slots=True)
class Bound:
    """One subscription on this connection: whose rights hold, the last event told, when something was last said."""

    caller: Caller
    told: int
    spoken: datetime


@dataclass(slots=True)
class Stream:
    """``say`` hands a text to the connection."""

    office: Office
    say: Callable[[str], Awaitable[None]]
    bound: dict[str, Bound] = field(default_factory=dict)

    async def hear(self, text: str) -> None:
        """``bind-with-token TOKEN``, or the same as JSON. Raises Unauthenticated for anything else."""
        content = await self.office.store.note(TOKENS, token_key(_token(text)))
        if content is None or content["until"] <= self.office.clock():
            raise Unauthenticated(f"send '{BIND}' and a token that is still good", "token")
        for identity in content["subscriptions"]:
            register = await registered(self.office.store, identity)
            if not _is_open(register):
                raise Unauthenticated("the subscription is not active", "token")
            known = await progress(self.office.store, identity)
            await self._say(Notice(register, known, HANDSHAKE, self.office.clock()))
            self.bound[identity] = Bound(asker(content["asker"]), known.told, self.office.clock())
        self.office.pulse.beat()

    async def follow(self) -> None:
        """Tell of what happens, until cancelled or until no subscription is left."""
        began = False
        while self.bound or not began:
            began = began or bool(self.bound)
            seen = self.office.pulse.beats
            for identity, bound in list(self.bound.items()):
                await self._tell(identity, bound)
            await self.office.pulse.wait(seen, LOOK_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)

    async def _tell(self, identity: str, bound: Bound) -> None:
        register = await registered(self.office.store, identity)
        if not _is_open(register):
            del self.bound[identity]
            return
        known = await progress(self.office.store, identity)
        while bound.told < known.count:
            known = await self._next(register, known, bound)
        if register.terms.beats(bound.spoken, self.office.clock()):
            await self._say(Notice(register, known, HEARTBEAT, self.office.clock()))
            bound.spoken = self.office.clock()

    async def _next(self, register: Register, known: Progress, bound: Bound) -> Progress:
        last = min(known.count, bound.told + register.terms.max_count)
        found = await events(self.office.store, register.id, bound.told + 1, last)
        if not found:
            # They waited longer than events are kept.
            following = await next_kept(self.office.store, register.id, bound.told)
            bound.told = known.count if following is None else following - 1
            return known
        batch = tuple(await told(self.office.store, found, self.office.today(bound.caller)))
        await self._say(Notice(register, known, EVENT, self.office.clock(), batch))
        bound.told, bound.spoken = last, self.office.clock()
        await self._note(register, known, bound, batch)
        return await progress(self.office.store, register.id)

    async def _note(self, register: Register, known: Progress, bound: Bound, batch: tuple[Told, ...]) -> None:
        """On record, and the mark moved; another connection may have moved it already."""
        shown = tuple(one.event.reference for one in batch if one.version is not None)
        event = self.office.event(bound.caller, (f"Subscription/{register.id}", *shown))
        if bound.told > known.told:
            mark = progress_note(known, told=bound.told, spoken=bound.spoken)
            with suppress(Conflict):
                await self.office.store.commit(Commit(notes=(mark,), events=(event,)))
                return
        await self.office.store.append([event])

    async def _say(self, notice: Notice) -> None:
        await self.say(notification(self.office.base_url, notice).decode())


def _is_open(register: Register | None) -> TypeGuard[Register]:
    if register is None or not register.in_force or register.trouble:
        return False
    return register.terms.channel == WEBSOCKET


def _token(text: str) -> str:
    if text.startswith("{"):
        with suppress(ValueError, KeyError, TypeError):
            message = json.loads(text)
            return str(message["payload"]["token"]) if message["type"] == BIND else ""
        return ""
    word, _, token = text.strip().partition(" ")
    return token.strip().removeprefix(":").strip() if word.rstrip(":") == BIND else ""

"""The audit chain: durable events are put in order and sealed, so that none can be changed, taken out or slipped in.

https://www.rfc-editor.org/rfc/rfc6962#section-2.1

A block names its predecessor's hash and the Merkle root of its events, and the gateway signs both. What the chain
cannot show is a tail cut off together with its blocks: keep ``Verification.head`` somewhere else to see that.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fhir_gateway.fhir.resource import instant
from fhir_gateway.problem import Conflict, Unprocessable
from fhir_gateway.security import seal
from fhir_gateway.security.audit import Block, Event
from fhir_gateway.security.keys import GATEWAY
from fhir_gateway.security.seal import Signer

BLOCK_EVENTS = 1000
BLOCKS_AT_ONCE = 50
LEAF, NODE = b"\x00", b"\x01"
BEGINNING = "0" * 64


class Ledger(Protocol):
    """What sealing and verification need of the store."""

    async def unsealed(self, limit: int) -> list[Event]: ...

    async def seal(self, block: Block) -> None: ...

    async def last_block(self) -> Block | None: ...

    async def blocks(self, start: int, limit: int) -> list[Block]: ...

    async def events(self, ids: Sequence[str]) -> dict[str, Event]: ...

    async def stray_events(self, limit: int) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it was sealed."""

    block: int
    text: str
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the chain found. ``pending`` events are durable and wait for the sealer: no fault."""

    blocks: int
    events: int
    pending: int
    head: str
    faults: tuple[Fault, ...]

    @property
    def whole(self) -> bool:
        return not self.faults


async def seal_once(ledger: Ledger, signer: Signer, now: datetime, limit: int = BLOCK_EVENTS) -> Block | None:
    """Seal what is waiting into the next block; None when nothing waits or another sealer was first."""
    # The head first: a rival that seals between the two questions then holds our number, and no event is sealed twice.
    last = await ledger.last_block()
    events = sorted(await ledger.unsealed(limit), key=lambda event: (event.recorded, event.id))
    if not events:
        return None
    block = next_block(last, events, signer, now)
    try:
        await ledger.seal(block)
    except Conflict:
        return None
    return block


def next_block(last: Block | None, events: Sequence[Event], signer: Signer, now: datetime) -> Block:
    """The block that follows ``last`` and holds these events in this order."""
    number = last.number + 1 if last else 1
    previous = fingerprint(last) if last else BEGINNING
    root = merkle_root([event.body for event in events])
    moment = seal.possible(signer, now)
    sealed = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    signature = seal.sign(_statement(number, previous, root, sealed), signer, sealed)
    return Block(number, previous, root, tuple(event.id for event in events), sealed, signature)


def merkle_root(bodies: Iterable[bytes]) -> str:
    """The root over bodies in order; leaves and nodes are hashed apart, so that a node cannot pass for a body."""
    level = [hashlib.sha256(LEAF + body).digest() for body in bodies]
    while len(level) > 1:
        pairs = [hashlib.sha256(NODE + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0].hex() if level else hashlib.sha256(b"").hexdigest()


def fingerprint(block: Block) -> str:
    """The hash by which the next block names this one."""
    statement = _statement(block.number, block.previous, block.root, block.sealed)
    return hashlib.sha256(statement + b"|" + block.signature.encode()).hexdigest()


async def verify(
    ledger: Ledger, roots: Iterable[bytes], limit: int = BLOCK_EVENTS, head: str | None = None
) -> Verification:
    """Walk the whole chain from its beginning; ``roots`` (PEM) are the authorities the gateway's key may come from.

    ``head`` is one that an earlier walk ended at: the chain must still pass through it.
    """
    trusted = tuple(roots)
    faults: list[Fault] = []
    last: Block | None = None
    blocks = events = 0
    missing = head
    async for block in _blocks(ledger):
        stored = await ledger.events(block.events)
        faults += [*_link_faults(last, block), *_seal_faults(block, trusted), *_event_faults(block, stored)]
        last, blocks, events = block, blocks + 1, events + len(block.events)
        missing = None if missing == _head(block) else missing
    strays = await ledger.stray_events(limit)
    faults += [Fault(0, "an event is neither listed in its block nor waiting for one", stray) for stray in strays]
    faults += [Fault(0, "the chain does not contain the head that was kept")] if missing else []
    pending = len(await ledger.unsealed(limit))
    return Verification(blocks, events, pending, _head(last) if last else "", tuple(faults))


def _head(block: Block) -> str:
    return f"{block.number}:{fingerprint(block)}"


async def _blocks(ledger: Ledger) -> AsyncIterator[Block]:
    start = 0
    while page := await ledger.blocks(start, BLOCKS_AT_ONCE):
        for block in page:
            yield block
        start = page[-1].number + 1


def _statement(number: int, previous: str, root: str, sealed: datetime) -> bytes:
    return f"{number}|{previous}|{root}|{instant(sealed)}".encode()


def _link_faults(last: Block | None, block: Block) -> list[Fault]:
    expected = last.number + 1 if last else 1
    if block.number != expected:
        return [Fault(block.number, f"block {expected} is missing before this one")]
    if block.previous != (fingerprint(last) if last else BEGINNING):
        return [Fault(block.number, "does not follow the block before it")]
    return []


def _seal_faults(block: Block, roots: Iterable[bytes]) -> list[Fault]:
    statement = _statement(block.number, block.previous, block.root, block.sealed)
    try:
        signature = seal.verify(statement, block.signature, roots, block.sealed)
    except Unprocessable as problem:
        return [Fault(block.number, problem.text)]
    if signature.unit != GATEWAY:
        return [Fault(block.number, "is not signed by a gateway")]
    return []


def _event_faults(block: Block, stored: Mapping[str, Event]) -> list[Fault]:
    faults = [Fault(block.number, "an event is missing", e) for e in block.events if e not in stored]
    if faults:
        return faults
    events = [stored[event] for event in block.events]
    faults = [
        Fault(block.number, "an event is not marked as sealed here", e.id) for e in events if e.block != block.number
    ]
    faults += [Fault(block.number, "an event stands under another id", e.id) for e in events if not _is_own(e)]
    if merkle_root([event.body for event in events]) != block.root:
        faults.append(Fault(block.number, "an event was changed: the events do not give the sealed Merkle root"))
    return faults


def _is_own(event: Event) -> bool:
    return f'"id":"{event.id}"'.encode() in event.body

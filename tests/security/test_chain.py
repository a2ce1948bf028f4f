import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import Conflict
from fhir_gateway.security.audit import Block, Event
from fhir_gateway.security.chain import Verification, fingerprint, merkle_root, next_block, seal_once, verify
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.security.seal import Signer

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)

# The eight inputs and roots that Certificate Transparency's own tests use for RFC 6962.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@dataclass
class Memory:
    """A trail in memory, with the promises of the store."""

    stored: dict[str, Event] = field(default_factory=dict)
    chain: dict[int, Block] = field(default_factory=dict)

    def add(self, *names: str) -> None:
        for name in names:
            recorded = NOW + timedelta(milliseconds=len(self.stored))
            self.stored[name] = Event(name, recorded, f'{{"id":"{name}","action":"R"}}'.encode())

    async def unsealed(self, limit: int) -> list[Event]:
        return [event for event in self.stored.values() if event.block is None][:limit]

    async def seal(self, block: Block) -> None:
        if block.number in self.chain:
            raise Conflict("the number is taken")
        self.chain[block.number] = block
        for name in block.events:
            self.stored[name] = replace(self.stored[name], block=block.number)

    async def last_block(self) -> Block | None:
        return self.chain[max(self.chain)] if self.chain else None

    async def blocks(self, start: int, limit: int) -> list[Block]:
        return [self.chain[number] for number in sorted(self.chain) if number >= start][:limit]

    async def events(self, ids: Sequence[str]) -> dict[str, Event]:
        return {name: self.stored[name] for name in ids if name in self.stored}

    async def stray_events(self, limit: int) -> list[str]:
        listed = {(name, block.number) for block in self.chain.values() for name in block.events}
        claimed = {(e.id, e.block) for e in self.stored.values() if e.block is not None}
        return sorted(name for name, _ in claimed - listed)[:limit]


async def _three_blocks(signer: Signer) -> Memory:
    memory = Memory()
    for number in range(3):
        memory.add(*(f"event-{number}-{place}" for place in range(4)))
        await seal_once(memory, signer, NOW + timedelta(seconds=number))
    return memory


async def _verified(memory: Memory, ring: KeyRing) -> Verification:
    return await verify(memory, [ring.authority])


def _texts(verification: Verification) -> list[tuple[int, str]]:
    return [(fault.block, fault.text) for fault in verification.faults]


async def test_an_untouched_chain_is_whole(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    memory.add("waiting")
    found = await _verified(memory, ring)
    assert found.whole
    assert (found.blocks, found.events, found.pending) == (3, 12, 1)
    assert found.head == f"3:{fingerprint(memory.chain[3])}"


async def test_an_empty_trail_is_whole(ring: KeyRing) -> None:
    assert await _verified(Memory(), ring) == Verification(0, 0, 0, "", ())


async def test_a_chain_longer_than_a_page_is_walked_to_its_end(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_gateway.security.chain.BLOCKS_AT_ONCE", 2)
    found = await _verified(await _three_blocks(ring.gateway), ring)
    assert (found.whole, found.blocks) == (True, 3)


async def test_nothing_waiting_makes_no_block(ring: KeyRing) -> None:
    memory = Memory()
    assert await seal_once(memory, ring.gateway, NOW) is None
    assert memory.chain == {}


async def test_events_are_sealed_in_the_order_they_were_recorded(ring: KeyRing) -> None:
    memory = Memory()
    memory.add("b", "a")
    memory.stored = dict(reversed(memory.stored.items()))
    block = await seal_once(memory, ring.gateway, NOW)
    assert block is not None
    assert block.events == ("b", "a")


async def test_more_events_than_a_block_holds_wait_for_the_next(ring: KeyRing) -> None:
    memory = Memory()
    memory.add("a", "b", "c")
    assert [len(b.events) for _ in range(2) if (b := await seal_once(memory, ring.gateway, NOW, 2))] == [2, 1]
    assert (await _verified(memory, ring)).whole


async def test_the_slower_of_two_sealers_gives_way(ring: KeyRing) -> None:
    class Late(Memory):
        async def last_block(self) -> Block | None:
            return None

    memory = Late(chain=(await _three_blocks(ring.gateway)).chain)
    memory.add("new")
    assert await seal_once(memory, ring.gateway, NOW) is None
    assert memory.stored["new"].block is None


async def test_a_rival_that_seals_between_two_questions_seals_no_event_twice(ring: KeyRing) -> None:
    class Contested(Memory):
        asked = 0

        async def let_the_rival_in(self) -> None:
            self.asked += 1
            if self.asked == 2:
                await seal_once(self, ring.gateway, NOW)

        async def last_block(self) -> Block | None:
            await self.let_the_rival_in()
            return await super().last_block()

        async def unsealed(self, limit: int) -> list[Event]:
            found = await super().unsealed(limit)
            await self.let_the_rival_in()
            return found

    memory = Contested()
    memory.add("a", "b")
    await seal_once(memory, ring.gateway, NOW)
    assert [block.events for block in memory.chain.values()] == [("a", "b")]
    assert (await _verified(memory, ring)).whole


@pytest.mark.parametrize("name", ["event-0-0", "event-1-3", "event-2-1"])
@pytest.mark.parametrize("place", [0, 10, -1])
async def test_one_changed_byte_of_an_event_is_found(ring: KeyRing, name: str, place: int) -> None:
    memory = await _three_blocks(ring.gateway)
    body = bytearray(memory.stored[name].body)
    body[place] ^= 1
    memory.stored[name] = replace(memory.stored[name], body=bytes(body))
    found = await _verified(memory, ring)
    assert {fault.block for fault in found.faults} == {memory.stored[name].block}
    assert any("an event was changed" in fault.text for fault in found.faults)


async def test_a_deleted_event_is_named(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    del memory.stored["event-1-2"]
    found = await _verified(memory, ring)
    assert [(f.block, f.text, f.event) for f in found.faults] == [(2, "an event is missing", "event-1-2")]


async def test_an_event_taken_out_of_its_block_too_is_found(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    del memory.stored["event-1-2"]
    block = memory.chain[2]
    memory.chain[2] = replace(block, events=tuple(e for e in block.events if e != "event-1-2"))
    assert "an event was changed" in str(_texts(await _verified(memory, ring)))


async def test_an_event_slipped_into_a_block_is_found(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    memory.add("extra")
    memory.stored["extra"] = replace(memory.stored["extra"], block=2)
    found = await _verified(memory, ring)
    assert [fault.event for fault in found.faults] == ["extra"]
    memory.chain[2] = replace(memory.chain[2], events=(*memory.chain[2].events, "extra"))
    assert _texts(await _verified(memory, ring)) == [
        (2, "an event was changed: the events do not give the sealed Merkle root")
    ]


async def test_two_events_in_another_order_are_found(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    a, b, *rest = memory.chain[1].events
    memory.chain[1] = replace(memory.chain[1], events=(b, a, *rest))
    assert [fault.block for fault in (await _verified(memory, ring)).faults] == [1]


async def test_events_under_exchanged_ids_are_found(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    a, b, *rest = memory.chain[1].events
    memory.stored[a], memory.stored[b] = (
        replace(memory.stored[b], id=a),
        replace(memory.stored[a], id=b),
    )
    memory.chain[1] = replace(memory.chain[1], events=(b, a, *rest))
    assert {fault.event for fault in (await _verified(memory, ring)).faults} == {a, b}


async def test_an_event_freed_from_its_block_is_found(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    memory.stored["event-0-1"] = replace(memory.stored["event-0-1"], block=None)
    found = await _verified(memory, ring)
    assert [(f.event, f.text) for f in found.faults] == [("event-0-1", "an event is not marked as sealed here")]


async def test_a_missing_block_is_found(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    del memory.chain[2]
    texts = _texts(await _verified(memory, ring))
    assert (3, "block 2 is missing before this one") in texts


async def test_a_missing_beginning_is_found(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    del memory.chain[1]
    assert (2, "block 1 is missing before this one") in _texts(await _verified(memory, ring))


async def test_swapped_blocks_are_found(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    first, second = memory.chain[1], memory.chain[2]
    memory.chain[1], memory.chain[2] = replace(second, number=1), replace(first, number=2)
    assert {1, 2} <= {fault.block for fault in (await _verified(memory, ring)).faults}


async def test_a_changed_hash_in_a_block_is_found(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    block = memory.chain[2]
    for changed in (replace(block, previous="0" * 64), replace(block, root="0" * 64)):
        memory.chain[2] = changed
        assert (2, "the signature does not belong to these bytes") in _texts(await _verified(memory, ring))


async def test_a_changed_time_of_a_block_is_found(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    memory.chain[2] = replace(memory.chain[2], sealed=memory.chain[2].sealed - timedelta(milliseconds=1))
    assert (2, "the signature does not belong to these bytes") in _texts(await _verified(memory, ring))


async def test_a_chain_written_anew_with_another_key_is_found(ring: KeyRing, stranger: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    await _forge_second_block(memory, stranger.gateway)
    found = await _verified(memory, ring)
    assert {fault.block for fault in found.faults} == {2, 3}
    assert all("not trusted" in fault.text for fault in found.faults)


async def test_a_doctors_key_seals_no_block(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    await _forge_second_block(memory, ring.practitioner("0001234/BYT-CCHN"))
    assert _texts(await _verified(memory, ring)) == [(number, "is not signed by a gateway") for number in (2, 3)]


async def test_one_block_sealed_anew_by_the_gateway_itself_breaks_the_chain(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    third = memory.chain[3]
    await _forge_second_block(memory, ring.gateway)
    memory.chain[3] = third
    assert _texts(await _verified(memory, ring)) == [(3, "does not follow the block before it")]


async def test_the_same_block_signed_a_second_time_is_another_block(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    old = memory.chain[2]
    memory.chain[2] = next_block(memory.chain[1], [memory.stored[e] for e in old.events], ring.gateway, old.sealed)
    assert _texts(await _verified(memory, ring)) == [(3, "does not follow the block before it")]


async def _forge_second_block(memory: Memory, signer: Signer) -> None:
    """Change an event, then seal blocks 2 and 3 anew, as somebody with the database and a key would."""
    changed = memory.stored["event-1-0"]
    memory.stored["event-1-0"] = replace(changed, body=changed.body.replace(b'"R"', b'"D"'))
    for number in (2, 3):
        old = memory.chain[number]
        events = [memory.stored[name] for name in old.events]
        memory.chain[number] = next_block(memory.chain[number - 1], events, signer, old.sealed)


async def test_a_block_survives_a_database_that_keeps_milliseconds(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    for number, block in memory.chain.items():
        kept = block.sealed.replace(microsecond=block.sealed.microsecond // 1000 * 1000)
        memory.chain[number] = replace(block, sealed=kept.astimezone(UTC))
    assert (await _verified(memory, ring)).whole


@pytest.mark.parametrize("count", range(1, 9))
def test_the_merkle_root_is_that_of_rfc_6962(count: int) -> None:
    assert merkle_root(bytes.fromhex(text) for text in INPUTS[:count]) == ROOTS[count - 1]


def _by_the_book(bodies: list[bytes]) -> bytes:
    """RFC 6962 §2.1 word for word: split at the largest power of two below the count."""
    if len(bodies) == 1:
        return hashlib.sha256(b"\x00" + bodies[0]).digest()
    split = 1 << (len(bodies) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + _by_the_book(bodies[:split]) + _by_the_book(bodies[split:])).digest()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40))
def test_the_merkle_root_is_the_recursive_one(bodies: list[bytes]) -> None:
    assert merkle_root(bodies) == _by_the_book(bodies).hex()


def test_a_tree_without_leaves_has_the_empty_hash() -> None:
    assert merkle_root([]) == hashlib.sha256(b"").hexdigest()


async def test_a_chain_cut_off_at_its_end_is_found_out_by_a_head_kept_elsewhere(ring: KeyRing) -> None:
    memory = await _three_blocks(ring.gateway)
    kept = (await _verified(memory, ring)).head
    assert (await verify(memory, [ring.authority], head=kept)).whole
    cut = memory.chain.pop(3)
    for name in cut.events:
        del memory.stored[name]
    assert (await _verified(memory, ring)).whole
    assert not (await verify(memory, [ring.authority], head=kept)).whole


@pytest.mark.parametrize("away", [timedelta(days=-400), timedelta(days=400)], ids=["back", "forward"])
async def test_a_block_sealed_while_the_clock_was_wrong_verifies(ring: KeyRing, away: timedelta) -> None:
    memory = Memory()
    for name, now in (("a", NOW), ("b", NOW + away), ("c", NOW)):
        memory.add(name)
        assert await seal_once(memory, ring.gateway, now) is not None
    found = await verify(memory, [ring.authority])
    assert (found.blocks, found.faults) == (3, ())

"""The chain over pages in a real database: whatever is done to one behind the gateway's back is found."""

from datetime import UTC, datetime, timedelta

import pytest

from fhir_gateway.problem import Conflict
from fhir_gateway.security.audit import Event
from fhir_gateway.security.chain import Verification, seal_once, verify
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.store import pages
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.mongo.documents import block_document, event_name
from fhir_gateway.store.mongo.trail import LOST_AFTER
from fhir_gateway.store.port import Block

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing(tmp_path_factory.mktemp("province") / "keys", "quang-ninh")


def page(number: int, many: int = 4) -> list[Event]:
    names = [f"page{number}.{at:02d}" for at in range(many)]
    moment = NOW + timedelta(seconds=number)
    return [Event(name, moment, f'{{"id":"{name}","n":{number}}}'.encode(), {"keys": ["a"]}) for name in names]


@pytest.fixture
async def sealed(store: MongoStore, ring: KeyRing) -> MongoStore:
    """Two blocks of two pages each, and a fifth page that waits."""
    for first in (1, 3):
        for number in (first, first + 1):
            await store.append(page(number))
        assert await seal_once(store, ring.gateway, NOW + timedelta(minutes=first))
    await store.append(page(5))
    return store


async def found(store: MongoStore, ring: KeyRing) -> Verification:
    return await verify(store, [ring.authority])


async def faults(store: MongoStore, ring: KeyRing) -> list[tuple[int, str, str | None]]:
    return [(fault.block, fault.text, fault.event) for fault in (await found(store, ring)).faults]


NAME = event_name("page2")
STRAY = "an event is neither listed in its block nor waiting for one"


async def test_what_nobody_touched_is_whole(sealed: MongoStore, ring: KeyRing) -> None:
    told = await found(sealed, ring)
    assert (told.whole, told.blocks, told.events, told.pending) == (True, 2, 16, 4)
    assert {one.block for one in (await sealed.events(["page2.00", "page4.03"])).values()} == {1, 2}
    assert (await sealed.events(["page5.00"]))["page5.00"].block is None


async def test_a_changed_event_of_a_page_is_found(sealed: MongoStore, ring: KeyRing) -> None:
    await sealed._database.events.update_one({"_id": NAME}, {"$set": {"events.1.body": b'{"id":"page2.01","n":9}'}})
    assert [number for number, _, _ in await faults(sealed, ring)] == [1]


async def test_an_event_taken_out_of_a_page_is_named(sealed: MongoStore, ring: KeyRing) -> None:
    await sealed._database.events.update_one({"_id": NAME}, {"$pull": {"events": {"id": "page2.01"}}})
    assert await faults(sealed, ring) == [(1, "an event is missing", "page2.01")]


async def test_a_page_taken_out_is_found(sealed: MongoStore, ring: KeyRing) -> None:
    await sealed._database.events.delete_one({"_id": NAME})
    assert {event for _, _, event in await faults(sealed, ring)} == {one.id for one in page(2)}


async def test_an_event_slipped_into_a_sealed_page_is_found(sealed: MongoStore, ring: KeyRing) -> None:
    forged = {"_id": f"{NAME}.44", "id": "page2.44", "body": b"{}", "keys": []}
    await sealed._database.events.update_one({"_id": NAME}, {"$push": {"events": forged}})
    assert await faults(sealed, ring) == [(0, STRAY, "page2.44")]


async def test_a_page_that_nobody_wrote_is_found(sealed: MongoStore, ring: KeyRing) -> None:
    forged = pages.folded(NOW, [{"_id": event_name("forged"), "id": "forged", "body": b"{}"}])
    await sealed._database.events.insert_one(forged)
    assert await faults(sealed, ring) == [(0, STRAY, "forged")]


async def test_a_page_that_is_to_wait_for_ever_is_found(sealed: MongoStore, ring: KeyRing) -> None:
    await sealed._database.events.delete_one({"_id": pages.waiting(event_name("page5"))})
    assert {event for _, _, event in await faults(sealed, ring)} == {one.id for one in page(5)}


async def test_bodies_under_exchanged_ids_are_found(sealed: MongoStore, ring: KeyRing) -> None:
    bodies = [one.body for one in page(2)]
    change = {"events.0.body": bodies[1], "events.1.body": bodies[0]}
    await sealed._database.events.update_one({"_id": NAME}, {"$set": change})
    assert [text for _, text, _ in await faults(sealed, ring)][:2] == ["an event stands under another id"] * 2


async def test_a_block_that_no_longer_lists_a_page_is_found(sealed: MongoStore, ring: KeyRing) -> None:
    names = [one.id for one in page(1)]
    await sealed._database.blocks.update_one({"_id": 1}, {"$set": {"events": names, "pages": [event_name("page1")]}})
    told = await faults(sealed, ring)
    assert {event for number, _, event in told if number == 0} == {one.id for one in page(2)}
    assert any(number == 1 for number, _, _ in told)


async def test_a_sealed_page_that_is_marked_again_is_sealed_no_second_time(sealed: MongoStore, ring: KeyRing) -> None:
    there = await sealed._database.events.find_one({"_id": NAME})
    assert there is not None
    await sealed._database.events.insert_one(pages.mark(there))

    assert {one.id for one in await sealed.unsealed(100)} == {one.id for one in page(5)}
    with pytest.raises(Conflict):
        await sealed.seal(Block(3, "", "", ("page2.00",), NOW, ""))
    assert (await found(sealed, ring)).whole


async def test_a_gateway_that_dies_between_page_and_block_leaves_the_page_to_the_next(
    store: MongoStore, embedded_url: str, ring: KeyRing
) -> None:
    await store.append(page(1))
    after = await MongoStore.open(embedded_url, store.name)
    block = await seal_once(after, ring.gateway, NOW)

    assert block is not None
    assert list(block.events) == [one.id for one in page(1)]
    assert await seal_once(store, ring.gateway, NOW) is None
    assert (await found(after, ring)).whole
    await after.close()


async def test_a_mark_whose_page_was_never_written_is_dropped_in_time(store: MongoStore) -> None:
    home = store._database.events
    for age in (timedelta(0), LOST_AFTER * 2):
        document = pages.folded(datetime.now(UTC) - age, [{"_id": event_name(f"lost{age.seconds}"), "id": "lost"}])
        await home.insert_one(pages.mark(document))
    await store.append(page(1))

    assert [one.id for one in await store.unsealed(100)] == [one.id for one in page(1)]
    assert await home.count_documents({"block": pages.WAITING}) == 2


async def test_a_block_takes_whole_pages(store: MongoStore, ring: KeyRing) -> None:
    for number in (1, 2, 3):
        await store.append(page(number))
    sizes = [len(block.events) for _ in range(3) if (block := await seal_once(store, ring.gateway, NOW, 9))]
    assert sizes == [8, 4]
    assert len(await store.unsealed(1)) == 0
    await store.append(page(4))
    assert len(await store.unsealed(1)) == 4


async def test_events_of_an_earlier_version_stay_in_the_chain(store: MongoStore, ring: KeyRing) -> None:
    """Sealed ones carry their block, others wait without a mark."""
    home = store._database.events
    lonely = {"type": "AuditEvent", "version": 1, "updated": NOW, "deleted": False, "readers": [], "owner": ""}
    for name in ("old-a", "old-b", "old-c"):
        body = f'{{"id":"{name}"}}'.encode()
        await home.insert_one({**lonely, "_id": event_name(name), "id": name, "body": body, "block": None})
    await seal_once(store, ring.gateway, NOW, 2)
    await store._database.blocks.update_one({"_id": 1}, {"$unset": {"pages": ""}})
    await store.append(page(1))
    while await seal_once(store, ring.gateway, NOW):
        pass

    told = await found(store, ring)
    assert (told.whole, told.events, told.pending) == (True, 7, 0)
    await home.update_one({"_id": event_name("old-b")}, {"$set": {"block": 77}})
    assert (0, STRAY, "old-b") in await faults(store, ring)


def test_a_block_names_its_pages() -> None:
    listed = block_document(Block(1, "", "", ("p.00", "p.01", "alone"), NOW, ""))
    assert listed["pages"] == [event_name("p"), event_name("alone")]

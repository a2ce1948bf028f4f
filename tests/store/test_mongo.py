"""The eight promises of the store, against the real engine."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from fhir_gateway.problem import Claimed, Conflict, TooLarge, Unavailable
from fhir_gateway.search.query import Query
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Change, Claim, Commit, Event, Grant, Job, Note, Store, Version

pytestmark = pytest.mark.anyio

Make = Callable[..., Change]


def test_the_store_on_mongodb_has_every_method_of_the_port() -> None:
    promised = {name for protocol in Store.__mro__ for name in vars(protocol) if not name.startswith("_")}
    assert {"commit", "find", "lease", "notes", "seal", "ping"} <= promised
    assert [name for name in sorted(promised) if not callable(getattr(MongoStore, name, None))] == []


async def test_a_version_once_written_never_changes_and_is_never_lost(store: MongoStore, change: Make) -> None:
    first = change(body=b'{"value":7.20}', readers=("bach-mai",))
    await store.commit(Commit((first,)))
    for number in range(2, 13):
        await store.commit(Commit((change(number=number, body=b'{"value":%d}' % number),)))
    assert await store.version("Patient/p1", 1) == first.version
    history = await store.versions("Patient/p1", None, 100)
    assert [version.number for version in history] == list(range(12, 0, -1))
    assert [version.number for version in await store.versions("Patient/p1", 11, 3)] == [10, 9, 8]
    assert await store.version("Patient/p1", 13) is None


async def test_a_commit_with_one_fault_writes_nothing(
    store: MongoStore, change: Make, event: Callable[..., Event], job: Callable[..., Job]
) -> None:
    await store.commit(Commit((change("taken"),), jobs=(job("j0"),)))
    whole = Commit(
        changes=(change("new"), change("taken")),
        claims=(Claim("mrn|1", "Patient/new"),),
        grants=(Grant("Patient/taken", "bach-mai"),),
        notes=(Note("inbox", "m1", {"state": "received"}),),
        events=(event("e1"),),
        jobs=(job("j1"),),
        settled=("j0",),
    )
    with pytest.raises(Conflict):
        await store.commit(whole)
    assert await store.current("Patient/new") is None
    assert await store.claimed(["mrn|1"]) == {}
    assert await store.note("inbox", "m1") is None
    assert await store.events(["e1"]) == {}
    assert [owed.id for owed in await store.owed("out", 9)] == ["j0"]


async def test_a_change_names_the_version_it_replaces(store: MongoStore, change: Make) -> None:
    await store.commit(Commit((change(),)))
    with pytest.raises(Conflict):
        await store.commit(Commit((change(),)))
    with pytest.raises(Conflict):
        await store.commit(Commit((change(number=3),)))
    with pytest.raises(Conflict):
        await store.commit(Commit((change("unknown", number=2),)))


async def test_what_commit_returned_the_next_search_sees(store: MongoStore, change: Make) -> None:
    for number in range(20):
        await store.commit(Commit((change(f"p{number}"),)))
        assert await store.count(Query("Patient")) == number + 1
        assert f"Patient/p{number}" in {found.reference for found in await store.find(Query("Patient", size=50))}


async def test_a_deleted_resource_is_gone_and_its_history_stays(
    store: MongoStore, change: Make, version: Callable[..., Version]
) -> None:
    await store.commit(Commit((change(),)))
    await store.commit(Commit((Change(version(number=2, body=b"", deleted=True), 1),)))
    current = await store.current("Patient/p1")
    assert current is not None
    assert (current.deleted, current.number) == (True, 2)
    assert await store.find(Query("Patient")) == []
    assert [(old.number, old.deleted) for old in await store.versions("Patient/p1", None, 9)] == [(2, True), (1, False)]
    await store.commit(Commit((change(number=3),)))
    assert len(await store.find(Query("Patient"))) == 1


async def test_a_page_cursor_never_skips_or_repeats_what_did_not_change(store: MongoStore, change: Make) -> None:
    await store.commit(Commit(tuple(change(f"p{number:02d}") for number in range(0, 40, 2))))
    seen: list[str] = []
    query = Query("Patient", size=3)
    while page := await store.find(query):
        seen += [found.id for found in page]
        # Others write before and behind the cursor meanwhile.
        await store.commit(Commit((change(f"p{len(seen):02d}x"),)))
        query = Query("Patient", size=3, after=(page[-1].reference,))
    unchanged = [id_ for id_ in seen if not id_.endswith("x")]
    assert unchanged == [f"p{number:02d}" for number in range(0, 40, 2)]


async def test_a_leased_job_is_nobody_elses_until_the_lease_ends(store: MongoStore, job: Callable[..., Job]) -> None:
    await store.commit(Commit(jobs=tuple(job(f"j{number}") for number in range(6))))
    batches = await asyncio.gather(*(store.lease("out", f"worker-{number}", 2, 0.4) for number in range(5)))
    leased = [one.id for batch in batches for one in batch]
    assert sorted(leased) == [f"j{number}" for number in range(6)]
    assert await store.lease("out", "late", 9, 1) == []
    await store.settle("j0")
    await asyncio.sleep(0.45)
    assert [one.id for one in await store.lease("out", "late", 9, 1)] == [f"j{number}" for number in range(1, 6)]


async def test_sixty_writers_claiming_one_identifier_get_one_resource(store: MongoStore, change: Make) -> None:
    async def claim(number: int) -> str:
        mine = f"Patient/p{number}"
        try:
            await store.commit(Commit((change(f"p{number}"),), (Claim("cccd|022", mine),)))
        except Claimed as problem:
            return problem.owner
        return mine

    owners = set(await asyncio.gather(*map(claim, range(60))))
    assert len(owners) == 1
    assert {found.reference for found in await store.find(Query("Patient", size=100))} == owners
    assert await store.claimed(["cccd|022", "nobody"]) == {"cccd|022": owners.pop()}


async def test_a_claim_is_taken_over_only_from_the_owner_it_names(store: MongoStore) -> None:
    await store.commit(Commit(claims=(Claim("k", "Patient/a"),)))
    await store.commit(Commit(claims=(Claim("k", "Patient/a"),)))
    with pytest.raises(Claimed):
        await store.commit(Commit(claims=(Claim("k", "Patient/c", instead_of="Patient/b"),)))
    await store.commit(Commit(claims=(Claim("k", "Patient/b", instead_of="Patient/a"),)))
    assert await store.claimed(["k"]) == {"k": "Patient/b"}
    with pytest.raises(Claimed):
        await store.commit(Commit(claims=(Claim("n", "Patient/a"), Claim("n", "Patient/b"))))


async def test_a_grant_holds_for_the_current_and_the_coming_versions(store: MongoStore, change: Make) -> None:
    await store.commit(Commit((change(readers=("qn-general",)), change("p2"))))
    await store.commit(Commit(grants=(Grant("Patient/p1", "bach-mai"),)))
    assert [found.id for found in await store.find(Query("Patient"), "bach-mai")] == ["p1"]
    await store.commit(Commit((change(number=2),), grants=(Grant("Patient/p1", "viet-duc"),)))
    current = await store.current("Patient/p1")
    assert current is not None
    assert current.readers == ("bach-mai", "qn-general", "viet-duc")
    assert await store.count(Query("Patient"), "viet-duc") == 1
    with pytest.raises(Conflict):
        await store.commit(Commit(grants=(Grant("Patient/unknown", "bach-mai"),)))


async def test_two_grants_and_an_update_at_once_are_all_kept(store: MongoStore, change: Make) -> None:
    await store.commit(Commit((change(),)))
    grants = [store.commit(Commit(grants=(Grant("Patient/p1", f"party-{number}"),))) for number in range(10)]
    await asyncio.gather(*grants, store.commit(Commit((change(number=2),))))
    current = await store.current("Patient/p1")
    assert current is not None
    assert current.number == 2
    assert current.readers == tuple(f"party-{number}" for number in range(10))


async def test_twenty_updates_that_race_are_all_counted(store: MongoStore, change: Make) -> None:
    await store.commit(Commit((change(body=b"0"),)))

    async def add() -> None:
        while True:
            current = await store.current("Patient/p1")
            assert current is not None
            try:
                return await store.commit(Commit((change(number=current.number + 1),)))
            except Conflict:
                await asyncio.sleep(0.002)

    await asyncio.gather(*(add() for _ in range(20)))
    current = await store.current("Patient/p1")
    assert current is not None
    assert current.number == 21
    assert len(await store.versions("Patient/p1", None, 99)) == 21


async def test_current_versions_come_in_one_answer_with_audit_events_among_them(
    store: MongoStore, change: Make, event: Callable[..., Event]
) -> None:
    await store.commit(Commit((change("a"), change("b")), events=(event("e1"),)))
    found = await store.currents(["Patient/b", "AuditEvent/e1", "Patient/none", "Patient/a"])
    assert set(found) == {"Patient/a", "Patient/b", "AuditEvent/e1"}
    assert found["AuditEvent/e1"].body == b'{"event":1}'
    assert await store.count(Query("AuditEvent")) == 1
    assert await store.count(Query("Patient")) == 2


async def test_what_is_larger_than_a_document_may_be_is_too_large(store: MongoStore, change: Make) -> None:
    with pytest.raises(TooLarge):
        await store.commit(Commit((change(body=b"x" * (17 * 2**20)), change("p2"))))
    assert await store.current("Patient/p2") is None


async def test_a_caller_that_gives_up_leaves_all_or_nothing(store: MongoStore, change: Make) -> None:
    pairs = [(change(f"a{number}"), change(f"b{number}")) for number in range(12)]
    for number, pair in enumerate(pairs):
        task = asyncio.create_task(store.commit(Commit(pair)))
        await asyncio.sleep(number * 0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.2)
    for number in range(12):
        found = await store.currents([f"Patient/a{number}", f"Patient/b{number}"])
        assert len(found) in (0, 2)


async def test_a_database_that_does_not_answer_is_unavailable() -> None:
    address = "mongodb://127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=200"
    with pytest.raises(Unavailable):
        await MongoStore.open(address, "nowhere")


async def test_a_dropped_store_is_empty(store: MongoStore, embedded_url: str, change: Make) -> None:
    await store.commit(Commit((change(),)))
    await store.drop()
    again = await MongoStore.open(embedded_url, store.name)
    assert await again.current("Patient/p1") is None
    await again.close()


async def test_opening_twice_keeps_what_is_there(store: MongoStore, embedded_url: str, change: Make) -> None:
    await store.commit(Commit((change(),)))
    again = await MongoStore.open(embedded_url, store.name)
    await again.ping()
    assert await again.current("Patient/p1") == await store.current("Patient/p1")
    await again.close()


async def test_times_are_kept_to_the_millisecond_in_utc(store: MongoStore, change: Make) -> None:
    await store.commit(Commit((change(),)))
    current = await store.current("Patient/p1")
    assert current is not None
    assert current.updated == datetime(2026, 11, 23, 12, 0, 0, 123000, UTC)
    assert current.updated.utcoffset() == timedelta(0)

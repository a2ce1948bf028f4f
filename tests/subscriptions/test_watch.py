"""The store that notices: what a commit carries along, and what it costs when nobody watches."""

import time
from uuid import uuid4

import pytest

from fhir_gateway.records.revision import revision
from fhir_gateway.store.port import Commit
from fhir_gateway.subscriptions.watch import CHANGES, ENROL, WatchedStore

pytestmark = pytest.mark.anyio


def change(rig, type_="Patient", identity="a"):
    return revision({"resourceType": type_, "id": identity}, f"{type_}/{identity}", None, rig.office.clock(), ())


async def test_a_change_of_a_watched_type_is_noted_in_its_own_commit(rig):
    await rig.subscribe()
    await rig.store.commit(Commit(changes=(change(rig), change(rig, "Basic"))))
    (job,) = await rig.store.owed(CHANGES, 10)
    assert job.content["changes"] == [["Patient/a", 1, False]]


async def test_a_commit_that_fails_notes_nothing(rig):
    await rig.subscribe()
    await rig.store.commit(Commit(changes=(change(rig),)))
    with pytest.raises(Exception, match="first"):
        await rig.store.commit(Commit(changes=(change(rig),)))
    assert len(await rig.store.owed(CHANGES, 10)) == 1


async def test_another_process_learns_of_a_subscription_before_it_can_come_into_force(rig, embedded_url):
    other = await WatchedStore.open(embedded_url, rig.store.name)
    rig.store.settle_seconds = 1.25
    try:
        await other.commit(Commit(changes=(change(rig, identity="before"),)))
        await rig.subscribe()
        (enrolment,) = await rig.store.owed(ENROL, 10)
        assert await rig.store.lease(ENROL, "me", 10, 5) == []
        await rig.until(lambda: rig.office.clock() >= enrolment.due)
        await other.commit(Commit(changes=(change(rig, identity="after"),)))
        (job,) = await rig.store.owed(CHANGES, 10)
        assert job.content["changes"][0][0] == "Patient/after"
    finally:
        await other.close()


async def test_watching_costs_a_commit_next_to_nothing_where_nothing_is_watched(rig, monkeypatch):
    """Measured without the database: what remains is the look at the changes."""

    async def instantly(self, commit):
        return None

    await rig.put("admin", {"resourceType": "Patient", "id": str(uuid4())})
    commit = Commit(changes=(change(rig), change(rig, "Observation")))
    monkeypatch.setattr(WatchedStore.__mro__[1], "commit", instantly)
    rig.store._until = time.monotonic() + 60
    best = min([await _seconds(rig.store, commit) for _ in range(5)])
    assert best < 20e-6


async def _seconds(store, commit, rounds=1000):
    started = time.perf_counter()
    for _ in range(rounds):
        await store.commit(commit)
    return (time.perf_counter() - started) / rounds

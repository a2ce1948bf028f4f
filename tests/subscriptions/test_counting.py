"""Which changes are events of which topic, and that each is counted once whatever becomes of the counter."""

import asyncio
from dataclasses import replace

import pytest

from fhir_gateway.records import write
from fhir_gateway.subscriptions import counting
from fhir_gateway.subscriptions.counting import count_once
from fhir_gateway.subscriptions.register import events, progress
from fhir_gateway.subscriptions.watch import CHANGES

pytestmark = pytest.mark.anyio
TOPIC = "urn:fhir-gateway:topic:"


def encounter(status: str, **more) -> dict:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    return {"resourceType": "Encounter", "id": "e", "status": status, "class": kind, **more}


def report(status: str, **more) -> dict:
    return {"resourceType": "DiagnosticReport", "id": "r", "status": status, "code": {"text": "CT"}, **more}


def task(status: str, **more) -> dict:
    return {"resourceType": "Task", "id": "t", "status": status, "intent": "order", **more}


MOVES = (
    ("encounter-start", [encounter("planned"), encounter("in-progress"), encounter("in-progress", language="vi")], [2]),
    ("encounter-start", [encounter("arrived"), encounter("finished"), encounter("in-progress")], [1, 3]),
    ("encounter-end", [encounter("in-progress"), encounter("finished"), encounter("finished", language="vi")], [2]),
    ("new-results", [report("partial"), report("final"), report("final", language="vi")], [2]),
    ("new-results", [report("final"), report("amended", conclusion="khác"), report("cancelled")], [1, 2]),
    ("task-moves", [task("requested"), task("requested", priority="stat"), task("accepted")], [1, 3]),
    ("task-moves", [task("requested"), task("requested", businessStatus={"text": "seen"})], [1, 2]),
)


@pytest.mark.parametrize(("topic", "versions", "wanted"), MOVES)
async def test_a_topic_is_about_the_turn_not_about_every_version(rig, topic, versions, wanted):
    rig.start()
    identity = await rig.subscribe(criteria=TOPIC + topic)
    await rig.active(identity)
    for resource in versions:
        await rig.put("admin", resource)
    await rig.until(lambda: _all_counted(rig))
    known = await progress(rig.store, identity)
    found = await events(rig.store, identity, 1, known.count)
    assert [event.version for event in found] == wanted


async def _all_counted(rig):
    return not await rig.store.owed(CHANGES, 10)


async def test_a_deletion_is_an_event_of_a_topic_that_says_so(rig):
    rig.start()
    identity = await rig.subscribe(criteria=f"{TOPIC}patient-changes", filters=["active=true"], content="full-resource")
    await rig.active(identity)
    for name, active in (("a", True), ("b", False)):
        await rig.put("admin", {"resourceType": "Patient", "id": name, "active": active})
        await write.delete(rig.desk, rig.visit("admin"), f"Patient/{name}")
    await rig.until(lambda: len(rig.subscriber.events()) >= 2)
    await rig.until(lambda: _all_counted(rig))
    requests = [entry["request"] for one in rig.subscriber.at("/hook") for entry in one.bundle["entry"][1:]]
    assert [(one["method"], one["url"]) for one in requests] == [("POST", "Patient"), ("DELETE", "Patient/a")]


async def test_who_lost_its_lease_counts_nothing(rig, monkeypatch):
    """The slow one read the counter before the fast one moved it, and commits after it."""
    service = rig.start()
    identity = await rig.subscribe()
    await rig.active(identity)
    await rig.kill(service)
    await rig.put("admin", {"resourceType": "Patient", "id": "a"})
    slow, fast = replace(rig.office, owner="slow", lease_seconds=0.1), replace(rig.office, owner="fast")
    waiting = asyncio.Event()
    counted = counting._counted

    async def slowly(office, register, changes):
        notes = await counted(office, register, changes)
        if office.owner == "slow":
            await waiting.wait()
        return notes

    monkeypatch.setattr(counting, "_counted", slowly)
    losing = asyncio.create_task(count_once(slow))
    await asyncio.sleep(0.5)
    assert await count_once(fast)
    waiting.set()
    assert not await losing
    assert (await progress(rig.store, identity)).count == 1
    assert len(await events(rig.store, identity, 1, 10)) == 1


async def test_a_large_batch_is_counted_in_several_commits(rig, monkeypatch):
    monkeypatch.setattr(counting, "CHANGES_AT_ONCE", 5)
    service = rig.start()
    identity = await rig.subscribe()
    await rig.active(identity)
    await rig.kill(service)
    for start in range(0, 12, 3):
        people = [{"resourceType": "Patient", "id": f"p{start + n}"} for n in range(3)]
        await rig.put_all("admin", people)
    assert await count_once(rig.office)
    found = await events(rig.store, identity, 1, 12)
    assert [event.reference for event in found] == [f"Patient/p{n}" for n in range(12)]

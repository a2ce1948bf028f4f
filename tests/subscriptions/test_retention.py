"""Events that are old are removed; who asks for them is told so, and who waited for them goes on with the next."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from fhir_gateway.problem import Unavailable
from fhir_gateway.store.port import Commit, Note
from fhir_gateway.subscriptions import retention, service
from fhir_gateway.subscriptions.answers import TOKENS, missed_events
from fhir_gateway.subscriptions.enrolling import enrol
from fhir_gateway.subscriptions.register import events, progress

pytestmark = pytest.mark.anyio
MANY = 12


def patient(identity):
    return {"resourceType": "Patient", "id": identity}


async def counted(rig, identity, number):
    async def reached():
        return (await progress(rig.store, identity)).count >= number

    await rig.until(reached)


async def filled(rig, **terms):
    """A subscription with events of which the first eight are old; gives its id and an office that finds them so."""
    rig.start()
    identity = await rig.subscribe(**terms)
    await rig.active(identity)
    rig.subscriber.up = terms.get("type") is None and not terms.get("max-count")
    for number in range(1, MANY + 1):
        await rig.put("admin", patient(f"p{number}"))
        await counted(rig, identity, number)
    young = (await events(rig.store, identity, 9, 9))[0].time
    return identity, replace(
        rig.office, kept=rig.office.clock() - young, clock=_at(young + (rig.office.clock() - young))
    )


def _at(moment):
    return lambda: moment


async def numbers(rig, identity):
    return [event.number for event in await events(rig.store, identity, 1, MANY)]


async def test_keys_to_websockets_do_not_stay_behind(rig, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    now = rig.office.clock()
    lives = [("old", -1), ("other", -60), ("good", 60), ("late", -5), ("last", 1)]
    notes = tuple(
        Note(TOKENS, key, {"subscriptions": [], "until": now + timedelta(seconds=seconds), "asker": {}})
        for key, seconds in lives
    )
    await rig.store.commit(Commit(notes=notes))
    office = replace(rig.office, clock=_at(now))
    assert await retention.clear_tokens(office) == 3
    assert [key for key, _ in await rig.store.notes(TOKENS, {}, "", 10)] == ["good", "last"]
    assert await retention.clear_tokens(office) == 0


async def test_what_is_too_old_is_removed_and_the_rest_keeps_its_numbers(rig, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    identity, office = await filled(rig)
    assert await retention.clear(rig.office) == 0
    assert await retention.clear(office) == 8
    assert await numbers(rig, identity) == [9, 10, 11, 12]
    assert await retention.clear(office) == 0
    assert await retention.clear(replace(office, kept=timedelta(0), clock=_at(rig.office.clock() + timedelta(1)))) == 4
    assert await numbers(rig, identity) == []
    assert (await progress(rig.store, identity)).count == MANY


async def test_who_asks_for_removed_events_is_told_which_are_gone(rig):
    identity, office = await filled(rig)
    await retention.clear(office)

    async def asked(first, last):
        told = rig.facts(
            json.loads(await missed_events(rig.desk, rig.visit("admin"), identity, (first, last), "id-only"))
        )
        return (
            [number for number, _ in told["events"]],
            told.get("error", {}).get("text"),
            told["events-since-subscription-start"],
        )

    assert await asked(None, None) == ([9, 10, 11, 12], "events 1 to 8 are kept no longer", "12")
    assert await asked(7, 10) == ([9, 10], "events 7 to 8 are kept no longer", "12")
    assert await asked(2, 5) == ([], "events 2 to 5 are kept no longer", "12")
    assert await asked(10, 11) == ([10, 11], None, "12")
    assert await asked(13, None) == ([], None, "12")


async def test_a_subscriber_that_was_away_for_too_long_goes_on_with_the_next_event(rig):
    _, office = await filled(rig, **{"max-count": 3})
    await retention.clear(office)
    rig.subscriber.up = True
    await rig.until(lambda: len(rig.subscriber.events()) >= 4)
    assert [number for number, _ in rig.subscriber.events()] == [9, 10, 11, 12]


async def test_events_of_a_subscription_that_ended_are_removed_too(rig):
    identity, office = await filled(rig)
    written = await rig.subscription(identity)
    await rig.put("admin", {**written, "status": "off"})
    await rig.becomes(identity, "off")
    assert await retention.clear(office) == 8


async def test_a_busy_database_delays_a_new_subscription_by_moments(rig, monkeypatch):
    tries = []

    async def busy(office, job):
        tries.append(job.id)
        if len(tries) < 3:
            raise Unavailable("the database does not answer; try again")
        await enrol(office, job)

    monkeypatch.setattr(service, "enrol", busy)
    rig.start()
    identity = await rig.subscribe()

    async def active():
        return (await rig.subscription(identity))["status"] == "active"

    await rig.until(active, 15)
    assert len(tries) == 3

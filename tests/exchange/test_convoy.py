"""Messages of one hospital beside each other: what may be, what waits, and that the records cannot tell."""

import asyncio
import json
from contextlib import ExitStack, suppress

import pytest

from fhir_gateway.app import now
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.ahead import Turn
from fhir_gateway.exchange.convoy import Convoy, Footprint, Halted, Looked, Onlooker, looking
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.worker import Settled, Translator, work
from fhir_gateway.records.revision import revision
from fhir_gateway.search.query import parse
from fhir_gateway.security.audit import Act
from fhir_gateway.store.port import Commit, Note

pytestmark = pytest.mark.anyio


def person(number, born):
    """The commit of one person."""
    resource = {"resourceType": "Person", "id": f"p{number}", "birthDate": born, "gender": "female"}
    return Commit(changes=(revision(resource, f"Person/p{number}", None, now(), ("h",)),))


def notes(*keys):
    return Commit(notes=tuple(Note("shelf", key, {}) for key in keys))


async def gone(place, footprint):
    return await place.goes(footprint, await place.turn())


async def test_messages_that_have_nothing_in_common_are_on_their_way_at_once():
    convoy = Convoy()
    with convoy.joined() as first, convoy.joined() as second:
        assert await gone(first, Footprint.of(notes("a"), Looked({"Patient/1"})))
        assert await gone(second, Footprint.of(notes("b"), Looked({"Patient/1"})))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Footprint.of(notes("a")), Footprint.of(notes("a"))),
        (Footprint.of(notes("a")), Footprint.of(notes("b"), Looked({"note shelf/a"}))),
        (Footprint.of(notes("b"), Looked({"note shelf/a"})), Footprint.of(notes("a"))),
        (Footprint.of(notes("a")), Footprint.of(notes("b"), Looked(blind=True))),
        (
            Footprint.of(person(1, "1990-05-05")),
            Footprint.of(notes("b"), Looked(searches=[(parse("Person", [("birthdate", "1990-05-05")]), None)])),
        ),
    ],
    ids=["both write it", "the later looks", "the earlier looked", "it is not known", "it would be found"],
)
async def test_a_message_waits_for_one_before_it_with_which_it_has_something_in_common_and_is_filed_anew(one, other):
    convoy, leave = Convoy(), asyncio.Event()

    async def earlier():
        with convoy.joined() as place:
            assert await gone(place, one)
            await leave.wait()
            place.failed = False

    going = asyncio.create_task(earlier())
    await asyncio.sleep(0)
    with convoy.joined() as place:
        waiting = asyncio.create_task(gone(place, other))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        leave.set()
        await going
        assert await waiting is False
        assert await gone(place, other)


async def test_a_search_that_would_not_find_what_the_other_writes_keeps_nobody_waiting():
    asked = Looked(searches=[(parse("Person", [("birthdate", "1990-05-05"), ("gender", "female")]), None)])
    assert Footprint.of(person(1, "1991-06-06")).is_apart_from(Footprint.of(person(2, "1990-05-05"), asked))
    assert not Footprint.of(person(1, "1990-05-05")).is_apart_from(Footprint.of(person(2, "1990-05-05"), asked))


def joins(convoy):
    """A place, and how it is left."""
    stack = ExitStack()
    return stack.enter_context(convoy.joined()), stack.close


async def test_what_ended_while_a_message_was_filed_counts_as_well():
    convoy = Convoy()
    (first, leave), (second, _) = joins(convoy), joins(convoy)
    assert await gone(first, Footprint.of(notes("a")))
    since = await second.turn()
    first.failed = False
    leave()
    late = Footprint.of(notes("b"), Looked({"note shelf/a"}))
    assert await second.goes(late, since) is False
    assert await gone(second, late)


async def test_a_message_that_is_put_off_halts_those_behind_it_and_nobody_else():
    convoy = Convoy()
    (first, leave_first), (second, leave_second), (third, leave_third) = (joins(convoy) for _ in range(3))
    assert await gone(first, Footprint.of(notes("a")))
    waiting = asyncio.create_task(third.turn())
    assert await gone(second, Footprint.of(notes("b")))
    assert await waiting == 0
    leave_second()
    fourth, leave_fourth = joins(convoy)
    with pytest.raises(Halted):
        await third.turn()
    leave_third()
    with pytest.raises(Halted):
        await fourth.turn()
    assert await first.turn() > 0
    leave_fourth()
    leave_first()
    with convoy.joined() as again:
        assert await again.turn() > 0


async def test_one_that_goes_alone_waits_for_all_before_it():
    convoy, leave = Convoy(), asyncio.Event()

    async def earlier():
        with convoy.joined() as place:
            await gone(place, Footprint.of(notes("a")))
            await leave.wait()
            place.failed = False

    going = asyncio.create_task(earlier())
    await asyncio.sleep(0)
    with convoy.joined() as whole:
        waiting = asyncio.create_task(whole.alone())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        leave.set()
        await going
        await waiting


async def test_an_onlooker_remembers_what_it_is_asked_for(store):
    await store.commit(person(1, "1990-05-05"))
    seen = Onlooker(store)
    with looking() as looked:
        await seen.currents(["Person/2"])
        await seen.note("shelf", "k")
        await seen.claimed(["number"])
        await seen.find(parse("Person", [("birthdate", "1990-05-05")]))
    assert looked.names == {"Person/2", "note shelf/k", "claim number", "Person/p1"}
    assert not looked.blind
    with looking() as looked:
        await seen.versions("Person/p1", None, 1)
    assert looked.blind


async def test_the_records_are_the_same_as_if_each_message_had_waited_for_the_one_before(store, desk):
    desk.under()
    sent = [(f"p{number % 3}", f"19{70 + number}-01-01") for number in range(18)]
    for key, born in sent:
        body = f"Patient|{key}|birthDate|{json.dumps(born)}".encode()
        await desk.letters.receive("qn-general", "x/plain", body, now(), desk.house.event(Act("ingest", None)))
    translator = Translator(desk.house, desk.letters, desk.adapters, Bell(), Settled())
    working = asyncio.create_task(
        work(inbox.TRANSLATE, desk.house, 60, Bell(), Turn(translator.do, translator.ready, 4))
    )
    async with asyncio.timeout(30):
        while await store.owed(inbox.TRANSLATE, 1):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.05)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    for key in ("p0", "p1", "p2"):
        versions = await store.versions(f"Patient/{key}", None, 99)
        born = [json.loads(version.body)["birthDate"] for version in reversed(versions)]
        assert born == [date for name, date in sent if name == key]

"""All messages mapped again: counts that add up, and a run that goes on where it was killed."""

from dataclasses import replace

import pytest

from fhir_gateway.exchange.difference import Edit, Kind
from fhir_gateway.exchange.remapping import Outcome, Remapping
from fhir_gateway.exchange.replay import Wanted
from fhir_gateway.exchange.sweep import NO_RULE, SHELF, Sweep, by_rule
from fhir_gateway.problem import Conflict
from fhir_gateway.security.caller import Caller

pytestmark = pytest.mark.anyio

ADMIN = Caller("test", "admin", "")
LINES = 'Patient|{0}|gender|"male"\nPatient|{0}|language|"vi"'


def sweep(desk, commit=True, thorough=False, **wish):
    return Sweep(Remapping(desk.house, desk.letters, desk.adapters, ADMIN, thorough), Wanted(**wish), commit)


async def through(run, stop=None):
    seen = []
    async for remapped in run.run():
        seen.append(remapped)
        if len(seen) == stop:
            break
    return seen


async def filed(desk, number):
    return [await desk.file("qn-general", LINES.format(f"p{i}").encode()) for i in range(number)]


async def test_the_counts_of_a_run_add_up_to_the_messages(desk):
    desk.under(language=None)
    await filed(desk, 4)
    await desk.file("qn-general", b'Patient|q|gender|"none of these"')
    desk.under(language="language")
    await desk.file("qn-general", b'Patient|r|gender|"male"')
    await desk.file("qn-general", b'Patient|s|gender|"male"\nPatient|s|birthDate|"1980"')
    desk.under(birthDate="gender")
    run = sweep(desk)
    await through(run)
    counts = run.counts
    assert (counts.changed, counts.failed, counts.skipped, counts.unchanged) == (4, 1, 1, 1)
    assert counts.messages == run.total == 7


async def test_a_dry_run_shows_the_difference_and_writes_nothing(desk):
    desk.under(language=None)
    (receipt,) = await filed(desk, 1)
    before = await desk.house.store.current("Patient/p0")
    desk.under()
    (remapped,) = await through(sweep(desk, commit=False))
    assert [(edit.path, edit.kind) for edit in remapped.edits] == [("language", "added")]
    assert await desk.house.store.current("Patient/p0") == before
    assert await desk.letters.receipt("qn-general", receipt.receipt) == receipt
    assert await desk.house.store.notes(SHELF, {}, "", 9) == []


async def test_a_run_that_was_killed_goes_on_there_and_counts_each_message_once(desk):
    desk.under(language=None)
    await filed(desk, 6)
    desk.under()
    killed = sweep(desk)
    assert len(await through(killed, stop=3)) == 3
    again = sweep(desk)
    rest = await through(again)
    assert again.resumed == 3
    assert len(rest) == 3
    assert (again.counts.changed, again.counts.messages, again.total) == (6, 6, 6)
    fresh = sweep(desk)
    await through(fresh)
    assert (fresh.resumed, fresh.counts.unchanged) == (0, 6)


async def test_what_comes_while_a_run_is_interrupted_is_left_to_the_next(desk):
    desk.under(language=None)
    await filed(desk, 3)
    desk.under()
    await through(sweep(desk), stop=1)
    await desk.file("qn-general", b'Patient|late|gender|"male"')
    again = sweep(desk)
    await through(again)
    assert again.total == again.counts.messages == 3


async def test_two_runs_at_the_same_work_do_not_count_it_twice(desk):
    desk.under(language=None)
    await filed(desk, 2)
    desk.under()
    one, other = sweep(desk).run(), sweep(desk).run()
    await anext(one)
    await anext(other)
    assert [remapped async for remapped in other] == []
    with pytest.raises(Conflict):
        [remapped async for remapped in one]
    (note,) = await desk.house.store.notes(SHELF, {}, "", 9)
    assert (note[1]["done"], note[1]["finished"]) == (2, True)


async def test_a_wish_confines_a_run(desk):
    desk.under(language=None)
    (receipt,) = await filed(desk, 1)
    desk.under()
    for wish in ({"hospital": "bai-chay"}, {"until": receipt.received}, {"format": "cda"}):
        run = sweep(desk, **wish)
        await through(run)
        assert run.total == 0
    run = sweep(desk, hospital="qn-general", since=receipt.received, format="hl7v2")
    await through(run)
    assert run.counts.changed == 1


async def test_differences_are_counted_by_the_rule_that_makes_them(desk, message):
    receipt = await desk.file("qn-general", message("hl7v2/admission-a01"))
    patient = next(ref for ref in receipt.resources if ref.startswith("Patient/"))
    remapping = Remapping(desk.house, desk.letters, desk.adapters, ADMIN, thorough=True)
    remapped = await remapping.of(receipt)
    edits = (Edit(patient, "name[0].family", Kind.CHANGED), Edit(patient, "photo", Kind.REMOVED))
    told = await by_rule(remapping, replace(remapped, edits=edits))
    assert remapped.outcome is Outcome.UNCHANGED
    assert told[0][1].startswith("hl7v2.")
    assert told[1][1] == NO_RULE

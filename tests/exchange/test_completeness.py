"""A mixed day, told to the last message."""

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from fhir_gateway.app import Gateway, directory, key_ring, now
from fhir_gateway.exchange import feeds as feeds_module
from fhir_gateway.exchange.completeness import asked_day, day_of, signed, statement, verified
from fhir_gateway.exchange.feeds import Feeds, communication
from fhir_gateway.exchange.habit import Silence
from fhir_gateway.exchange.inbox import SHELF, Receipt, State
from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import BadRequest, Unprocessable
from fhir_gateway.security.audit import Act
from fhir_gateway.settings import Settings
from fhir_gateway.store.port import Commit, Note

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


@pytest.fixture
def gateway(store, tmp_path):
    """A gateway that keeps and tells; nothing of it works."""
    settings = Settings(data=tmp_path)
    return Gateway(settings, "http://quang-ninh", store, directory(settings), key_ring(settings))


async def told(gateway, when=None):
    house = gateway.house
    hospital = house.directory.hospital("qn-general")
    return await statement(house, hospital, asked_day(hospital, when or "", house.clock()))


async def states_of(gateway):
    rows = await gateway.store.notes(SHELF, {"hospital": "qn-general"}, "", 1000)
    return Counter(content["state"] for _, content in rows), rows


def numbered(message, number):
    """The message with another control id and the sender's count (MSH-13)."""
    fields = message.split(b"\r", 1)
    head = fields[0].split(b"|")
    head += [b""] * (13 - len(head))
    head[9], head[12] = f"N{number}".encode(), str(number).encode()
    return b"\r".join([b"|".join(head), *fields[1:]])


async def test_the_totals_of_a_mixed_day_are_the_sum_of_the_receipts(pair, message):
    province, _ = pair
    good = re.sub(rb"\r?\n", b"\r", message("hl7v2/laboratory-oru"))
    bad = re.sub(rb"\r?\n", b"\r", message("hl7v2/bad-no-pid"))
    for number in (11, 12, 15):
        assert (await province.ingest("qn-general", "application/hl7-v2", numbered(good, number))).status_code == 200
    for _ in range(2):
        await province.ingest("qn-general", "application/hl7-v2", numbered(good, 15))
    held = (await province.ingest("qn-general", "application/hl7-v2", numbered(bad, 16))).json()
    await province.ingest("qn-general", "application/hl7-v2", numbered(bad, 16))
    first = await told(province.gateway)
    states, rows = await states_of(province.gateway)
    assert first["states"] == {state: states.get(state, 0) for state in first["states"]}
    assert first["messages"] == len(rows) == sum(first["states"].values())
    assert (first["received"], first["duplicates"]) == (4, 3)
    assert first["quarantined"] == [
        {"reason": held["problems"][0]["text"], "code": held["problems"][0]["code"], "messages": 1}
    ]
    assert [(s["first"], s["last"], s["gaps"]) for s in first["sequences"]] == [(11, 16, [[13, 14]])]
    assert first["last_seen"] >= first["first_seen"] > ""

    corrected = numbered(good, 17)
    answer = await province.http.post(
        f"/ingest/qn-general/{held['receipt']}/corrected",
        content=corrected,
        headers={**province.bearer("qn-general"), "Content-Type": "application/hl7-v2"},
        params={"wait": "true"},
    )
    assert answer.status_code in (200, 202), answer.text
    await province.gateway.settled.wait(f"qn-general/{answer.json()['receipt']}", 10)
    after = await told(province.gateway)
    assert (after["received"], after["corrections"], after["messages"]) == (4, 1, 5)
    assert (after["states"]["corrected"], after["states"]["quarantined"], after["quarantined"]) == (1, 0, [])
    assert sum(after["states"].values()) == after["messages"]


async def test_a_quarantined_message_that_is_stored_later_moves_its_column(gateway):
    held = receipt(
        1, "2026-11-10T03:00:00.000+00:00", State.QUARANTINED, problems=({"where": "PID", "text": "no PID"},)
    )
    await keep(gateway, held)
    assert (await told(gateway, "2026-11-10"))["quarantined"] == [{"reason": "no PID", "code": "", "messages": 1}]
    stored = Note(SHELF, held.key, {"state": "stored", "problems": []}, expected={"state": "quarantined"})
    await gateway.store.commit(Commit(notes=(stored,)))
    later = await told(gateway, "2026-11-10")
    assert (later["states"]["quarantined"], later["states"]["stored"], later["quarantined"]) == (0, 1, [])


async def test_pieces_and_rows_set_apart_add_up(pair):
    """Two hundred and fifty rows in three pieces, one of them with a row of its own in quarantine."""
    province, _ = pair
    gateway = province.gateway
    rows = {"rows": "patient", "columns": {"MA": "number", "SINH": {"field": "birth_date", "required": True}}}
    hospital = replace(gateway.directory.hospital("qn-general"), tables={"patients": rows})
    gateway.directory.hospitals["qn-general"] = hospital
    lines = [f"{n},{'x' if n == 120 else f'19{n % 90 + 10}-01-{n % 28 + 1:02}'}" for n in range(250)]
    body = "\n".join(["MA,SINH", *lines]).encode()
    answer = await province.ingest("qn-general", "text/csv", body)
    assert (answer.status_code, answer.json()["state"], answer.json()["pieces"]) == (200, "divided", 3)
    for _ in range(200):
        day = await told(gateway)
        if not day["states"]["received"]:
            break
        await gateway.settled.wait("nobody", 0.05)
    assert (day["received"], day["pieces"], day["messages"]) == (1, 4, 5)
    expected = {"received": 0, "stored": 3, "quarantined": 1, "corrected": 0, "divided": 1}
    assert day["states"] == expected
    parts = (await province.get("qn-general", f"/ingest/qn-general?whole={answer.json()['receipt']}")).json()[
        "receipts"
    ]
    assert sorted(part["place"] for part in parts) == ["rows 102-201", "rows 2-101", "rows 202-251"]
    held = (await province.get("qn-general", "/ingest/qn-general?state=quarantined")).json()["receipts"][0]
    assert held["problems"][0]["where"] == 'row 122, column "SINH"'
    original = await province.get("qn-general", f"/ingest/qn-general/{held['receipt']}/original")
    assert original.content == b"MA,SINH\n120,x"
    patients = await province.search("qn-general", "Patient?_count=300&_elements=id")
    assert len(patients) == 249


def receipt(number, received, state=State.STORED, **more):
    return Receipt("qn-general", f"{number:032x}", "0" * 64, "text/plain", 1, received, state, **more)


async def keep(gateway, *receipts):
    await gateway.store.commit(Commit(notes=tuple(Note(SHELF, row.key, row.content()) for row in receipts)))


async def test_a_day_ends_at_midnight_in_the_hospitals_own_time(gateway):
    await keep(
        gateway,
        receipt(1, "2026-11-09T16:59:59.999+00:00"),
        receipt(2, "2026-11-09T17:00:00.000+00:00"),
        receipt(3, "2026-11-10T16:59:59.999+00:00", State.QUARANTINED),
        receipt(4, "2026-11-10T17:00:00.000+00:00"),
    )
    before, day, after = [await told(gateway, f"2026-11-{n:02}") for n in (9, 10, 11)]
    assert [one["messages"] for one in (before, day, after)] == [1, 2, 1]
    assert day["from"] == "2026-11-10T00:00:00+07:00"
    assert (day["first_seen"], day["last_seen"]) == ("2026-11-09T17:00:00.000+00:00", "2026-11-10T16:59:59.999+00:00")


async def test_a_clock_that_jumps_moves_messages_and_loses_none(gateway):
    """Set back over midnight in the middle of a count: each message is in one day, and no number is missed."""
    await keep(
        gateway,
        receipt(1, "2026-11-10T17:00:01.000+00:00", sequence="HIS#1"),
        receipt(2, "2026-11-10T17:00:02.000+00:00", sequence="HIS#2"),
        receipt(3, "2026-11-10T16:30:00.000+00:00", sequence="HIS#3"),
        receipt(4, "2026-11-10T17:30:00.000+00:00", sequence="HIS#4"),
    )
    days = [await told(gateway, f"2026-11-{n}") for n in (10, 11)]
    assert [day["messages"] for day in days] == [1, 3]
    assert [sum(s["missing"] for s in day["sequences"]) for day in days] == [0, 0]


async def test_a_day_without_any_tells_when_the_last_message_came(gateway):
    await keep(gateway, receipt(1, "2026-11-10T03:00:00.000+00:00"))
    day = await told(gateway, "2026-11-14")
    assert (day["messages"], day["first_seen"], day["last_seen"]) == (0, "", "2026-11-10T03:00:00.000+00:00")


async def test_a_statement_is_signed_and_an_altered_one_is_found_out(gateway):
    house = gateway.house
    made = signed(house, await told(gateway))
    roots = [house.keys.authority]
    assert verified(made, roots, house.clock()).signed <= house.clock()
    with pytest.raises(Unprocessable, match="does not belong"):
        verified({**made, "duplicates": 1}, roots, house.clock())
    with pytest.raises(Unprocessable, match="not signed"):
        verified({}, roots, house.clock())


async def test_a_day_that_has_not_begun_is_refused(gateway):
    hospital = gateway.directory.hospital("qn-general")
    assert asked_day(hospital, "", datetime(2026, 11, 22, 17, 0, tzinfo=UTC)) == day_of(hospital, date(2026, 11, 23))
    for wrong in ("2999-01-01", "yesterday", "0001-01-01", "9999-12-31"):
        with pytest.raises(BadRequest):
            await told(gateway, wrong)


async def test_what_came_on_a_day_ahead_before_the_clock_was_set_back_is_told(gateway, message):
    ahead = gateway.house.clock() + timedelta(days=400)
    body, event = message("hl7v2/admission-a01"), gateway.house.event(Act("ingest", None))
    await gateway.reception.inbox.receive("qn-general", "application/hl7-v2", body, ahead, event)
    assert (await told(gateway, (ahead + timedelta(hours=7)).date().isoformat()))["messages"] == 1


async def test_an_hour_that_seemed_over_to_a_clock_ahead_is_looked_at_again(gateway, message, monkeypatch):
    jump = [timedelta()]
    house = replace(gateway.house, clock=lambda: now() + jump[0])
    feeds = Feeds(house, timedelta(hours=4), timedelta(seconds=60))
    for place in range(2):
        body = message("hl7v2/admission-a01").replace(b"QN-000001", b"QN-%06d" % place)
        event = house.event(Act("ingest", None))
        await gateway.reception.inbox.receive("qn-general", "application/hl7-v2", body, now(), event)
        await stored_by_hand(gateway, place)
        jump[0] = timedelta(days=1)
        await feeds.look()
        jump[0] = timedelta()
    await feeds.look()
    assert sum(hour.handed_in for hour in feeds.current["qn-general"].today) == 2


async def stored_by_hand(gateway, place):
    rows = await gateway.store.notes(SHELF, {"state": "received"}, "", 9)
    for key, content in rows:
        note = Note(SHELF, key, {**content, "state": "stored"}, expected={"state": "received"})
        await gateway.store.commit(Commit(notes=(note,)))


def habitual(weeks):
    """Ten messages each hour from eight to noon (local), every day, the last at ten on the 23rd."""
    start = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    for back in range(weeks * 7 + 1):
        for minute in range(0, 120 if back == 0 else 240, 6):
            yield (start - timedelta(days=back) + timedelta(minutes=minute)).isoformat(timespec="milliseconds")


async def test_a_feed_that_falls_silent_is_told_once_and_is_told_back(gateway, monkeypatch):
    said = []
    await keep(gateway, *(receipt(n, when) for n, when in enumerate(habitual(2))))
    clock = [datetime(2026, 11, 23, 3, 30, tzinfo=UTC)]
    house = replace(gateway.house, clock=lambda: clock[0])
    monkeypatch.setattr(feeds_module.log, "warning", lambda text, **more: said.append((text, more["hospital"])))
    watch = Feeds(house, timedelta(minutes=60), timedelta(seconds=60))
    await watch.look()
    assert watch.current["qn-general"].silence is None, "half an hour is shorter than any alarm"
    clock[0] = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
    for _ in range(3):
        await watch.look()
    assert said == [("the feed has fallen silent", "qn-general")]
    assert watch.current["qn-general"].silence.missed > 5
    written = communication(house.directory.hospital("qn-general"), watch.current["qn-general"].silence, clock[0])
    alarm = await gateway.store.current(f"Communication/{written['id']}")
    assert b"No message from" in alarm.body
    assert alarm.readers == ("qn-general",)
    await keep(gateway, receipt(99_999, "2026-11-23T04:29:00.000+00:00"))
    await watch.look()
    assert watch.current["qn-general"].silence is None


async def test_an_hour_is_looked_at_less_often_the_older_it_is(gateway, monkeypatch):
    await keep(gateway, receipt(1, "2026-11-22T03:10:00.000+00:00", State.QUARANTINED), receipt(2, NOON.isoformat()))
    clock, asked = [NOON], []
    house = replace(gateway.house, clock=lambda: clock[0])
    columns = gateway.store.columns

    async def counted(shelf, where, names):
        asked.extend(name for name in where[1] if name.startswith("qn-general/"))
        return await columns(shelf, where, names)

    monkeypatch.setattr(gateway.store, "columns", counted)
    watch = Feeds(house, timedelta(minutes=60), timedelta(seconds=60))
    await watch.look()
    asked.clear()
    for minute in range(1, 121):
        clock[0] = NOON + timedelta(minutes=minute)
        await watch.look()
    old = [name for name in asked if name.endswith("2026-11-22T03")]
    assert 2 <= len(old) <= 4, "twice, each time for messages and repeats"
    assert len(asked) < 700, "of 120 looks at eight hours and more, two questions each"
    assert await settled_again(gateway, watch, clock) == 1


async def settled_again(gateway, watch, clock):
    """How many stored messages the feed shows two hours after one came out of quarantine."""
    row = receipt(1, "2026-11-22T03:10:00.000+00:00")
    note = Note(SHELF, row.key, row.content(), expected={"state": str(State.QUARANTINED)})
    await gateway.store.commit(Commit(notes=(note,)))
    clock[0] += timedelta(hours=2)
    await watch.look()
    hour = datetime(2026, 11, 22, 3, tzinfo=UTC)
    return watch._heard["qn-general", hour].states.get("stored", 0)


async def test_what_is_said_of_a_silence_is_valid(gateway):
    hospital = gateway.directory.hospital("qn-general")
    assert validate(communication(hospital, Silence(NOON, 7.5, 0), NOON)) == ()

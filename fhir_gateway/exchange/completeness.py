"""The statement of completeness: what a hospital handed in on a day and what became of it, to the last message.

It is counted from the receipts themselves, by the index of their day: no counter can differ from them, whatever died
when, and a message that left the quarantine later is told where it is now.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from typing import Any

from adapters.contract import Hospital
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import State
from fhir_gateway.exchange.sequences import streams
from fhir_gateway.fhir.canonical import canonical
from fhir_gateway.problem import BadRequest, Unprocessable
from fhir_gateway.security import seal
from fhir_gateway.store.port import Store

COLUMNS = ("received", "state", "whole", "corrects", "problems.text", "problems.code", "ledger", "sequence")
STATES = tuple(str(state) for state in State)
FIELDS = ("mapped", "ignored", "unmapped", "fields")
# As far as a clock may be set over midnight without making a gap in a sender's count.
NEAR = timedelta(hours=3)
LOOK_BACK = timedelta(days=14)
NO_DATE = "must be a date such as 2026-11-23"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Day:
    """One local day of a hospital, as the instants at which it begins and ends."""

    when: date
    begin: datetime
    end: datetime

    def holds(self, received: str) -> bool:
        return self.begin <= datetime.fromisoformat(received) < self.end

    @property
    def hours(self) -> list[str]:
        """The hours in UTC, by which receipts are found, that the day has a part of."""
        hour, found = self.begin.astimezone(UTC).replace(minute=0), []
        while hour < self.end:
            found.append(f"{hour:%Y-%m-%dT%H}")
            hour += timedelta(hours=1)
        return found


def day_of(hospital: Hospital, when: date) -> Day:
    """The day from midnight to midnight in the hospital's own time."""
    zone = datetime.fromisoformat(f"2000-01-01T00:00:00{hospital.offset}").tzinfo
    begin = datetime.combine(when, time(), zone)
    return Day(when, begin, begin + timedelta(days=1))


def today(hospital: Hospital, now: datetime) -> date:
    return now.astimezone(day_of(hospital, now.date()).begin.tzinfo).date()


def asked_day(hospital: Hospital, text: str, now: datetime) -> Day:
    """The day that ``date=`` names; today without it. Raises BadRequest for what is no date."""
    try:
        when = date.fromisoformat(text) if text else today(hospital, now)
    except ValueError as fault:
        raise BadRequest(NO_DATE, "date") from fault
    # The first and the last day of the calendar have none beside them to look at.
    if when.year in (MINYEAR, MAXYEAR):
        raise BadRequest(NO_DATE, "date")
    return day_of(hospital, when)


async def rows_of(store: Store, shelf: str, hospital: str, day: Day, names: Sequence[str]) -> list[Row]:
    """The named columns of what arrived on that day, in the order it came."""
    found = await store.columns(shelf, ("hour", [inbox.hour(hospital, when) for when in day.hours]), names)
    return sorted((row for row in found if day.holds(row["received"])), key=lambda row: str(row["received"]))


async def statement(house: House, hospital: Hospital, day: Day) -> dict[str, Any]:
    """All there is to say about the day, as plain values. Raises BadRequest for a day that has not begun.

    Something that came on such a day came before the clock was set back, and is told.
    """
    rows = await rows_of(house.store, inbox.SHELF, hospital.name, day, COLUMNS)
    repeats = await rows_of(house.store, inbox.REPEATS, hospital.name, day, ("received",))
    seen = [row["received"] for row in (*rows, *repeats)]
    if not seen and day.when > today(hospital, house.clock()):
        raise BadRequest("that day has not begun yet", "date")
    states = Counter(str(row["state"]) for row in rows)
    return {
        "hospital": hospital.name,
        "title": hospital.title,
        "facility": hospital.facility_code,
        "date": day.when.isoformat(),
        "from": day.begin.isoformat(),
        "until": day.end.isoformat(),
        "gateway": house.name,
        "made": house.clock().isoformat(timespec="milliseconds"),
        **_arrived(rows),
        "duplicates": len(repeats),
        "states": {state: states.get(state, 0) for state in STATES},
        "quarantined": _reasons(rows),
        "fields": {name: sum(row.get("ledger", {}).get(name, 0) for row in rows) for name in FIELDS},
        "sequences": await _counted(house.store, hospital, day, rows),
        "first_seen": min(seen, default=""),
        "last_seen": max(seen, default="") or await _seen_before(house.store, hospital, day),
    }


def _arrived(rows: Sequence[Row]) -> dict[str, int]:
    """How the messages of the day came to be: handed in, corrected by hand, pieces of a divided one."""
    corrections = sum(1 for row in rows if row.get("corrects"))
    pieces = sum(1 for row in rows if row.get("whole"))
    return {
        "received": len(rows) - corrections - pieces,
        "corrections": corrections,
        "pieces": pieces,
        "messages": len(rows),
    }


def _reasons(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Quarantined messages by the reason of their first problem, most frequent first."""
    held = [row for row in rows if row["state"] == State.QUARANTINED]
    first = [(row.get("problems") or [{}])[0] for row in held]
    counted = Counter((problem.get("text", ""), problem.get("code", "")) for problem in first)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [{"reason": text, "code": code, "messages": number} for (text, code), number in ordered]


def _sequences(rows: Sequence[Row]) -> list[str]:
    return [row["sequence"] for row in rows if row.get("sequence")]


async def _counted(store: Store, hospital: Hospital, day: Day, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The senders' own counts: nothing is asked where nobody counts."""
    during = _sequences(rows)
    if not during:
        return []
    before, after = await _near(store, hospital, day)
    earlier, back = before, day.begin - NEAR
    while not earlier and day.begin - back < timedelta(days=1):
        earlier = await _sequenced(store, hospital, Day(day.when, back - NEAR, back))
        back -= NEAR
    return streams(earlier, during, [*before, *after])


async def _near(store: Store, hospital: Hospital, day: Day) -> tuple[list[str], list[str]]:
    """The counts of shortly before the day and shortly after it."""
    before = Day(day.when, day.begin - NEAR, day.begin)
    after = Day(day.when, day.end, day.end + NEAR)
    return await _sequenced(store, hospital, before), await _sequenced(store, hospital, after)


async def _sequenced(store: Store, hospital: Hospital, day: Day) -> list[str]:
    return _sequences(await rows_of(store, inbox.SHELF, hospital.name, day, ("received", "sequence")))


def _before(day: Day) -> Day:
    return Day(day.when - timedelta(days=1), day.begin - timedelta(days=1), day.begin)


async def _seen_before(store: Store, hospital: Hospital, day: Day) -> str:
    """When the last message came before a day without any; empty when none came for two weeks."""
    earlier = _before(day)
    while day.begin - earlier.begin <= LOOK_BACK:
        seen = [
            row["received"]
            for shelf in (inbox.SHELF, inbox.REPEATS)
            for row in await rows_of(store, shelf, hospital.name, earlier, ("received",))
        ]
        if seen:
            return str(max(seen))
        earlier = _before(earlier)
    return ""


def signed(house: House, content: Mapping[str, Any]) -> dict[str, Any]:
    """The statement with the gateway's signature over its canonical form, as documents are signed."""
    signer = house.keys.gateway
    text = seal.sign(canonical(dict(content)), signer, seal.possible(signer, house.clock()))
    return {**content, "signature": text}


def verified(content: Mapping[str, Any], roots: Sequence[bytes], at: datetime) -> seal.Signature:
    """Who signed a statement. Raises Unprocessable when it was altered or the signer is not trusted."""
    signature = content.get("signature")
    if not isinstance(signature, str):
        raise Unprocessable("the statement is not signed", "signature")
    return seal.verify(canonical(dict(content)), signature, roots, at)

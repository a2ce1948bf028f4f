"""The feeds of all hospitals as they are now: what came today, when the last message came, who has fallen silent.

A silence beyond a feed's habit is a warning in the log, a figure for Prometheus, and a Communication that
subscriptions can be asked for: https://hl7.org/fhir/R4/communication.html
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog

from adapters.contract import Hospital
from fhir_gateway.exchange import inbox, parts
from fhir_gateway.exchange.completeness import STATES, Day, day_of, today
from fhir_gateway.exchange.habit import HOUR, Silence, silence
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import State
from fhir_gateway.exchange.sequences import streams
from fhir_gateway.fhir.resource import Resource, reference
from fhir_gateway.problem import Conflict
from fhir_gateway.records.revision import revision
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit

log = structlog.get_logger()
# The habit is of two weeks; a silence is looked at for two more before it is old news.
HABIT_DAYS = 28
# Hours asked for at once; an hour is over when a clock that was set back no longer writes into it.
AT_ONCE = 48
SETTLES = timedelta(hours=6)
# An hour that may still change is looked at again after this share of its age: what is new is looked at often, what
# has lain in quarantine for days seldom.
LOOKED_AGAIN = 1 / 16
UNSETTLED = frozenset({State.RECEIVED, State.QUARANTINED})
COLUMNS = ("received", "state", "whole", "sequence")
Row = Mapping[str, Any]
CATEGORY = ("http://terminology.hl7.org/CodeSystem/communication-category", "alert", "Alert")
SILENCE = "urn:vn:quang-ninh:fhir-gateway:silence"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came in one hour. It is ``settled`` when the hour is long over and nothing of it may still change."""

    states: Mapping[str, int]
    handed_in: int
    duplicates: int
    last: str
    sequences: tuple[str, ...] = ()
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """One hospital's feed at one look: what came today, when the last message came, its silence beyond its habit."""

    hospital: Hospital
    when: date
    today: tuple[Heard, ...]
    last: datetime | None
    silence: Silence | None

    @property
    def states(self) -> dict[str, int]:
        return {state: sum(heard.states.get(state, 0) for heard in self.today) for state in STATES}

    @property
    def duplicates(self) -> int:
        return sum(heard.duplicates for heard in self.today)

    @property
    def missing(self) -> int:
        """Numbers that the sender's own count left out today."""
        counted = streams((), [sequence for heard in self.today for sequence in heard.sequences])
        return sum(stream["missing"] for stream in counted)

    def plain(self) -> dict[str, Any]:
        quiet, states = self.silence, self.states
        return {
            "hospital": self.hospital.name,
            "title": self.hospital.title,
            "offset": self.hospital.offset,
            "date": self.when.isoformat(),
            "messages": sum(states.values()),
            "duplicates": self.duplicates,
            "states": states,
            "missing": self.missing,
            "last_seen": self.last.isoformat() if self.last else "",
            "silent": {"since": quiet.since.isoformat(), "missed": quiet.missed, "days": quiet.days} if quiet else None,
        }


@dataclass(slots=True, eq=False)
class Feeds:
    """Looks at the feeds when asked, and remembers what it saw. ``shortest`` is the shortest silence that alarms."""

    house: House
    shortest: timedelta
    every: timedelta
    current: dict[str, Feed] = field(default_factory=dict)
    _looked: datetime | None = None
    _heard: dict[tuple[str, datetime], Heard] = field(default_factory=dict)
    _due: dict[tuple[str, datetime], datetime] = field(default_factory=dict)

    async def fresh(self) -> None:
        """Look again where the last look is too old."""
        now = self.house.clock()
        if self._looked is None or not timedelta() <= now - self._looked < self.every:
            await self.look()

    async def look(self) -> list[Feed]:
        """All feeds; who fell silent since the last look is told once."""
        now = self.house.clock()
        if self._looked is not None and now < self._looked:
            # Set back: an hour that seemed to be over is not, and more may come in it.
            self._heard.clear()
            self._due.clear()
        for hospital in self.house.directory.hospitals.values():
            before = self.current.get(hospital.name)
            feed = await self._feed(hospital, now)
            if feed.silence:
                # Before anybody is told: what came since the last hours were looked at.
                self._hasten(hospital.name, now - SETTLES)
                feed = await self._feed(hospital, now)
            self.current[hospital.name] = feed
            await self._tell(feed, before, now)
        self._looked = now
        return list(self.current.values())

    async def _feed(self, hospital: Hospital, now: datetime) -> Feed:
        day = day_of(hospital, today(hospital, now))
        zone = day.begin.tzinfo
        hours = await self._hours(hospital.name, day, now)
        last = max((heard.last for heard in hours.values()), default="")
        seen = datetime.fromisoformat(last).astimezone(zone) if last else None
        habit = {hour.astimezone(zone): heard.handed_in for hour, heard in hours.items()}
        heard = tuple(one for hour, one in sorted(hours.items()) if hour >= day.begin)
        return Feed(hospital, day.when, heard, seen, silence(habit, seen, now.astimezone(zone), self.shortest))

    async def _hours(self, hospital: str, day: Day, now: datetime) -> dict[datetime, Heard]:
        """What came in each hour of the last weeks; an hour in which nothing may change is read once."""
        begin = (day.begin - timedelta(days=HABIT_DAYS)).astimezone(UTC).replace(minute=0)
        hours = [begin + n * HOUR for n in range(int((now - begin) / HOUR) + 2)]
        unknown = [hour for hour in hours if self._is_due(hospital, hour, now)]
        for start in range(0, len(unknown), AT_ONCE):
            await self._read(hospital, unknown[start : start + AT_ONCE], now)
        found = {hour: self._heard[hospital, hour] for hour in hours if self._heard[hospital, hour].last}
        for key in [key for key in self._heard if key[0] == hospital and key[1] < begin]:
            del self._heard[key]
            self._due.pop(key, None)
        return found

    def _hasten(self, hospital: str, since: datetime) -> None:
        for key in [key for key in self._due if key[0] == hospital and key[1] >= since]:
            del self._due[key]

    def _is_due(self, hospital: str, hour: datetime, now: datetime) -> bool:
        heard = self._heard.get((hospital, hour))
        if heard is None or heard.settled:
            return heard is None
        due = self._due.get((hospital, hour), now)
        # A clock that was set back makes what was put off long due.
        return due <= now or due - now > (now - hour) * LOOKED_AGAIN

    async def _read(self, hospital: str, hours: Sequence[datetime], now: datetime) -> None:
        names = [inbox.hour(hospital, hour.isoformat()) for hour in hours]
        rows = await self.house.store.columns(inbox.SHELF, ("hour", names), COLUMNS)
        repeats = await self.house.store.columns(inbox.REPEATS, ("hour", names), ("received",))
        of: dict[str, tuple[list[Row], list[Row]]] = {name: ([], []) for name in names}
        for place, found in enumerate((rows, repeats)):
            for row in found:
                of[inbox.hour(hospital, row["received"])][place].append(row)
        for hour, name in zip(hours, names, strict=True):
            self._heard[hospital, hour] = _heard(*of[name], over=now - hour > SETTLES)
            self._due[hospital, hour] = now + (now - hour) * LOOKED_AGAIN

    async def _tell(self, feed: Feed, before: Feed | None, now: datetime) -> None:
        was = before.silence if before else None
        if feed.silence is None:
            if was is not None:
                log.info("the feed is back", hospital=feed.hospital.name)
            return
        if was is None or was.since != feed.silence.since:
            log.warning(
                "the feed has fallen silent",
                hospital=feed.hospital.name,
                since=feed.silence.since.isoformat(),
                missed=feed.silence.missed,
            )
            await self._communicate(feed.hospital, feed.silence, now)

    async def _communicate(self, hospital: Hospital, quiet: Silence, now: datetime) -> None:
        """One Communication for each silence, whichever process sees it first."""
        written = communication(hospital, quiet, now)
        named = reference(written)
        if await self.house.store.current(named) is not None:
            return
        change = revision(written, named, None, now, (hospital.name,))
        caller = Caller(self.house.name, "gateway", self.house.name)
        event = self.house.event(Act("create", caller, 201, entities=(named,)))
        with suppress(Conflict):
            await self.house.store.commit(Commit(changes=(change,), events=(event,)))


def _heard(rows: Sequence[Row], repeats: Sequence[Row], over: bool) -> Heard:
    ordered = sorted(rows, key=lambda row: str(row["received"]))
    states = Counter(str(row["state"]) for row in rows)
    return Heard(
        states,
        sum(1 for row in rows if not row.get("whole")),
        len(repeats),
        max((str(row["received"]) for row in (*rows, *repeats)), default=""),
        tuple(row["sequence"] for row in ordered if row.get("sequence")),
        settled=over and not states.keys() & UNSETTLED,
    )


def communication(hospital: Hospital, quiet: Silence, now: datetime) -> Resource:
    """What people and subscribers read of a silence."""
    since = quiet.since.isoformat(timespec="seconds")
    text = f"No message from {hospital.title} since {since}: about {quiet.missed:g} would have come by its habit."
    return {
        "resourceType": "Communication",
        "id": parts.part_id("silence", hospital.name, since),
        "identifier": [{"system": SILENCE, "value": f"{hospital.name}/{since}"}],
        "status": "completed",
        "category": [parts.coded("Alert", CATEGORY)],
        "priority": "urgent",
        "topic": {"text": "a feed has fallen silent"},
        "sent": now.isoformat(timespec="milliseconds"),
        "sender": parts.facility(hospital.facility_code, hospital.title),
        "payload": [{"contentString": text}],
    }

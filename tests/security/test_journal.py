"""The audit journal: durable before the answer, in the store soon and once, whatever ends, fails or fills up."""

import asyncio
import json
import resource
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from structlog.testing import capture_logs

from fhir_gateway.problem import Unavailable
from fhir_gateway.security import journal as room
from fhir_gateway.security import segment
from fhir_gateway.security.audit import Act, Draft, Event, Trail, event
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.journal import Journal, running
from fhir_gateway.security.segment import read

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 23, 3, 4, 5, 678_000, tzinfo=UTC)
LIMIT = 10**6


@dataclass
class Shelf:
    """A store: pages that are there already stay as they are. ``lost`` is what it fails with."""

    pages: dict[str, list[Event]] = field(default_factory=dict)
    deliveries: list[int] = field(default_factory=list)
    lost: Exception | None = None
    seconds: float = 0.0

    async def append(self, events: Sequence[Event]) -> None:
        raise AssertionError("nothing goes past the journal")

    async def deliver(self, events: Sequence[Event]) -> None:
        await asyncio.sleep(self.seconds)
        if self.lost:
            raise self.lost
        self.deliveries.append(len(events))
        fresh: dict[str, list[Event]] = {}
        for one in events:
            fresh.setdefault(one.id.rpartition(".")[0] or one.id, []).append(one)
        self.pages |= {name: page for name, page in fresh.items() if name not in self.pages}

    @property
    def requests(self) -> list[str]:
        """What was recorded, by the request's number."""
        return [_request(one.body) for page in self.pages.values() for one in page]


def _request(body: bytes) -> str:
    return str(json.loads(body)["entity"][-1]["what"]["identifier"]["value"])


def _index(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"keys": [resource["recorded"]]}


def draft(request: str, moment: datetime = NOW) -> Draft:
    act = Act("read", Caller("doctor", "doctor", ""), request=request)
    return lambda name, recorded: event(act, recorded, "here", _index, name), moment


def lines(folder: Path) -> list[str]:
    """What lies on the disk; a file that goes meanwhile is in the store already."""
    found: list[str] = []
    for file in folder.glob("*.journal"):
        with suppress(FileNotFoundError):
            found += map(_request, read(file.read_bytes()).bodies)
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def journal(shelf: Shelf, tmp_path: Path) -> AsyncIterator[Journal]:
    """One that nobody brings in but who asks for it."""
    made = Journal(tmp_path, shelf, _index, LIMIT)
    await made.adopt()
    yield made
    await made.close()


@contextmanager
def full_disk() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def until(holds, seconds: float = 10) -> None:
    end = monotonic() + seconds
    while not holds():
        assert monotonic() < end
        await asyncio.sleep(0.01)


def ended(folder: Path, *requests: str) -> None:
    """A process that has kept these events and was killed before it brought them in."""
    program = Path(__file__).with_name("dies_with_a_journal.py")
    done = subprocess.run([sys.executable, str(program), str(folder), *requests], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()


async def test_an_event_is_on_the_disk_before_anybody_goes_on(journal: Journal, shelf: Shelf, tmp_path: Path) -> None:
    trail = Trail(shelf, journal.keep)

    async def ask(request: str) -> bool:
        await trail.enter(*draft(request))
        return request in lines(tmp_path)

    assert all(await asyncio.gather(*(ask(f"r{number}") for number in range(50))))
    assert shelf.pages == {}


async def test_all_that_wait_share_one_write(journal: Journal, shelf: Shelf, tmp_path: Path) -> None:
    trail = Trail(shelf, journal.keep)
    await asyncio.gather(*(trail.enter(*draft(f"r{number}")) for number in range(50)))
    (file,) = files(tmp_path)
    assert {line.split(b" ")[2] for line in file.read_bytes().splitlines()} == {b"0"}


async def test_only_the_owner_may_look_into_the_folder(shelf: Shelf, tmp_path: Path) -> None:
    made = Journal(tmp_path / "audit", shelf, _index, LIMIT)
    await made.adopt()
    await made.keep([draft("r1")])
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in files(tmp_path / "audit")] == [0o600]
    await made.close()


async def test_events_that_came_one_by_one_lie_on_full_pages_of_one_moment(journal: Journal, shelf: Shelf) -> None:
    for number in range(250):
        await journal.keep([draft(f"r{number}", NOW + timedelta(milliseconds=number))])
    assert journal.waiting == 250
    await journal.delivered()
    assert [len(page) for page in shelf.pages.values()] == [100, 100, 50]
    assert shelf.requests == [f"r{number}" for number in range(250)]
    for last, page in zip((99, 199, 249), shelf.pages.values(), strict=True):
        moment = NOW + timedelta(milliseconds=last)
        assert {one.recorded for one in page} == {moment}
        assert [one.id.rpartition(".")[2] for one in page] == [f"{number:02d}" for number in range(len(page))]
        assert all(json.loads(one.body)["id"] == one.id for one in page)
        assert {one.index["keys"][0] for one in page} == {json.loads(page[0].body)["recorded"]}
    assert journal.waiting == 0


async def test_a_page_that_went_takes_no_more(journal: Journal, shelf: Shelf) -> None:
    await journal.keep([draft("r1")])
    await journal.delivered()
    await journal.keep([draft("r2")])
    await journal.delivered()
    assert [len(page) for page in shelf.pages.values()] == [1, 1]


async def test_a_page_that_nobody_takes_does_not_span_long(journal: Journal, shelf: Shelf) -> None:
    """All of a page say that they were recorded at its last moment."""
    for number in range(9):
        await journal.keep([draft(f"r{number}", NOW + timedelta(seconds=number / 2))])
    await journal.delivered()
    assert [len(page) for page in shelf.pages.values()] == [3, 3, 3]


async def test_an_event_with_a_name_of_its_own_keeps_it(journal: Journal, shelf: Shelf) -> None:
    own = event(Act("read", None, request="own"), NOW - timedelta(days=1), "here", _index)
    await journal.keep([draft("r1"), own, draft("r2")])
    await journal.delivered()
    assert shelf.pages[own.id] == [own]
    assert sorted(len(page) for page in shelf.pages.values()) == [1, 2]


async def test_what_waits_is_brought_in_without_being_asked(shelf: Shelf, tmp_path: Path) -> None:
    async with running(Journal(tmp_path, shelf, _index, LIMIT)) as journal:
        began = monotonic()
        await journal.keep([draft("r1")])
        await until(lambda: shelf.requests == ["r1"])
        assert room.DELIVER_SECONDS / 2 < monotonic() - began < 5 * room.DELIVER_SECONDS
        began = monotonic()
        for number in range(50):
            await journal.keep([draft(f"more-{number}-{each}") for each in range(20)])
        await until(lambda: len(shelf.requests) == 1001)
    assert max(shelf.deliveries) <= 400
    assert files(tmp_path) == []


async def test_whoever_asks_for_it_waits_for_all_that_was_kept_before(journal: Journal, shelf: Shelf) -> None:
    shelf.seconds = 0.01

    async def ask(request: str) -> bool:
        await journal.keep([draft(request)])
        await journal.delivered()
        return request in shelf.requests

    assert all(await asyncio.gather(*(ask(f"r{number}") for number in range(30))))
    assert Counter(shelf.requests).most_common(1)[0][1] == 1


async def test_a_graceful_end_leaves_nothing_behind(shelf: Shelf, tmp_path: Path) -> None:
    async with running(Journal(tmp_path, shelf, _index, LIMIT)) as journal:
        await journal.keep([draft("r1")])
    assert shelf.requests == ["r1"]
    assert files(tmp_path) == []


async def test_a_database_that_is_away_is_waited_for_and_gets_everything_once(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(room, "DELIVER_SECONDS", 0.01)
    shelf.lost = Unavailable("the database does not answer")
    async with running(Journal(tmp_path, shelf, _index, LIMIT)) as journal:
        for number in range(300):
            await journal.keep([draft(f"r{number}")])
        assert journal.waiting == 300
        assert len(lines(tmp_path)) == 300
        with pytest.raises(Unavailable):
            await journal.delivered()
        shelf.lost = None
        await until(lambda: journal.waiting == 0)
    assert sorted(shelf.requests) == sorted(f"r{number}" for number in range(300))


async def test_beyond_its_limit_nothing_is_answered_until_the_database_takes_some(shelf: Shelf, tmp_path: Path) -> None:
    journal = Journal(tmp_path, shelf, _index, 5000)
    await journal.adopt()
    shelf.lost = Unavailable("the database does not answer")
    kept = 0
    with suppress(Unavailable):
        while kept < 100:
            await journal.keep([draft(f"r{kept}")])
            kept += 1
    assert 4 <= kept < 20
    with pytest.raises(Unavailable):
        await Trail(shelf, journal.keep).enter(*draft("more"))
    shelf.lost = None
    await journal.delivered()
    await journal.keep([draft("after")])
    await journal.close()
    assert shelf.requests == [*(f"r{number}" for number in range(kept)), "after"]


async def test_a_full_disk_lets_no_answer_leave_and_is_over_when_there_is_room(
    journal: Journal, shelf: Shelf, tmp_path: Path
) -> None:
    trail = Trail(shelf, journal.keep)
    await trail.enter(*draft("before"))
    with full_disk():
        for number in range(3):
            with pytest.raises(Unavailable):
                await trail.enter(*draft(f"refused-{number}"))
    await trail.enter(*draft("after"))
    assert sorted(lines(tmp_path)) == ["after", "before"]
    await journal.delivered()
    assert sorted(shelf.requests) == ["after", "before"]
    # One that is full or failed goes with what it holds; only the one in use stays.
    assert len(files(tmp_path)) == 1


async def test_what_a_killed_process_left_is_brought_in_once(shelf: Shelf, tmp_path: Path) -> None:
    ended(tmp_path, *(f"r{number}" for number in range(130)))
    assert len(lines(tmp_path)) == 130
    async with running(Journal(tmp_path, shelf, _index, LIMIT)) as journal:
        await journal.delivered()
        assert sorted(shelf.requests) == sorted(f"r{number}" for number in range(130))
        assert files(tmp_path) == []
    assert sorted(len(page) for page in shelf.pages.values()) == [30, 100]


async def test_pages_that_were_left_behind_are_those_that_the_process_would_have_made(
    journal: Journal, shelf: Shelf, tmp_path: Path
) -> None:
    for number in range(120):
        await journal.keep([draft(f"r{number}", NOW + timedelta(milliseconds=number))])
    (file,) = files(tmp_path)
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / file.name).write_bytes(file.read_bytes())
    await journal.delivered()
    other = Shelf()
    async with running(Journal(tmp_path / "copies", other, _index, LIMIT)) as heir:
        await heir.delivered()
    assert other.pages == shelf.pages


async def test_a_process_killed_before_it_forgot_what_it_had_brought_in_doubles_nothing(
    journal: Journal, shelf: Shelf, tmp_path: Path
) -> None:
    for number in range(150):
        await journal.keep([draft(f"r{number}")])
    (file,) = files(tmp_path)
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / file.name).write_bytes(file.read_bytes())
    await journal.delivered()
    before = dict(shelf.pages)
    async with running(Journal(tmp_path / "copies", shelf, _index, LIMIT)) as heir:
        assert heir.waiting == 150
    assert shelf.pages == before
    assert files(tmp_path / "copies") == []


async def test_a_process_that_lives_is_not_robbed(journal: Journal, shelf: Shelf, tmp_path: Path) -> None:
    await journal.keep([draft("r1")])
    async with running(Journal(tmp_path, shelf, _index, LIMIT)) as other:
        assert other.waiting == 0
        await other.keep([draft("r2")])
        await other.delivered()
        assert shelf.requests == ["r2"]
    await journal.delivered()
    assert sorted(shelf.requests) == ["r1", "r2"]


async def test_a_worker_that_dies_is_inherited_while_the_others_go_on(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ADOPT_SECONDS", 0.05)
    async with running(Journal(tmp_path, shelf, _index, LIMIT)):
        ended(tmp_path, "r1")
        await until(lambda: shelf.requests == ["r1"])


async def test_a_torn_end_is_dropped_and_the_file_goes(shelf: Shelf, tmp_path: Path) -> None:
    ended(tmp_path, "r1", "r2")
    (file,) = files(tmp_path)
    with file.open("ab") as end:
        end.write(b"0badc0de 3 2 {")
    async with running(Journal(tmp_path, shelf, _index, LIMIT)) as journal:
        await journal.delivered()
        assert journal.damaged == 0
    assert sorted(shelf.requests) == ["r1", "r2"]
    assert files(tmp_path) == []


async def test_a_damaged_line_is_told_and_its_file_is_kept_aside(shelf: Shelf, tmp_path: Path) -> None:
    ended(tmp_path, "r1", "r2", "r3")
    (file,) = files(tmp_path)
    text = file.read_bytes()
    file.write_bytes(text.replace(b'"value":"r2"', b'"value":"r9"'))
    with capture_logs() as told:
        journal = Journal(tmp_path, shelf, _index, LIMIT)
        await journal.adopt()
    (line,) = [one for one in told if one["log_level"] == "error"]
    assert (line["file"], line["lost"]) == (file.name, 1)
    assert "doctor" not in str(line)
    async with running(journal):
        assert journal.damaged == 1
        await journal.delivered()
        assert journal.damaged == 1
    assert sorted(shelf.requests) == ["r1", "r3"]
    assert [one.name for one in files(tmp_path)] == [file.with_suffix(".damaged").name]
    async with running(Journal(tmp_path, shelf, _index, LIMIT)) as journal:
        assert (journal.damaged, journal.waiting) == (1, 0)


async def test_a_database_that_stays_away_leaves_the_rest_to_the_next_process(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "DRAIN_SECONDS", 0.05)
    shelf.lost = Unavailable("the database does not answer")
    async with running(Journal(tmp_path, shelf, _index, LIMIT)) as journal:
        await journal.keep([draft("r1")])
    shelf.lost = None
    async with running(Journal(tmp_path, shelf, _index, LIMIT)) as heir:
        assert heir.waiting == 1
    assert shelf.requests == ["r1"]


async def test_files_go_as_soon_as_what_they_hold_is_in_the_store(
    journal: Journal, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "SEGMENT_BYTES", 5000)
    monkeypatch.setattr(room, "TURN_BYTES", 1000)
    for number in range(40):
        await journal.keep([draft(f"r{number}")])
    assert len(files(tmp_path)) > 3
    homes = {one.home.path for one in journal._pages}
    # A page lies in one file, so whoever inherits that file has all of the page.
    assert len(homes) == len({one.name for one in journal._pages})
    await journal.delivered()
    assert len(files(tmp_path)) <= 1
    await journal.keep([draft("last")])
    assert lines(tmp_path) == ["last"]
    await journal.delivered()
    assert len(shelf.requests) == len(set(shelf.requests)) == 41


async def test_events_that_come_while_others_go_in_keep_their_file(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill at any time finds each event in the store or on the disk."""
    monkeypatch.setattr(segment, "SEGMENT_BYTES", 3000)
    monkeypatch.setattr(room, "TURN_BYTES", 500)
    journal = Journal(tmp_path, shelf, _index, LIMIT)
    await journal.adopt()
    shelf.seconds = 0.001

    async def keep(name: str) -> None:
        for number in range(60):
            await journal.keep([draft(f"{name}-{number}")])
            there = {*lines(tmp_path)} | {*shelf.requests}
            assert f"{name}-{number}" in there

    async def bring() -> None:
        while True:
            await journal.delivered()
            await asyncio.sleep(0)

    bringing = asyncio.create_task(bring())
    await asyncio.gather(*(keep(name) for name in "abc"))
    bringing.cancel()
    with suppress(asyncio.CancelledError):
        await bringing
    await journal.close()
    assert Counter(shelf.requests).most_common(1)[0][1] == 1
    assert len(shelf.requests) == 180
    assert files(tmp_path) == []


async def test_nothing_is_kept_after_the_end(shelf: Shelf, tmp_path: Path) -> None:
    async with running(Journal(tmp_path, shelf, _index, LIMIT)) as journal:
        await journal.keep([draft("r1")])
    with pytest.raises(Unavailable):
        await journal.keep([draft("r2")])
    await journal.delivered()
    assert shelf.requests == ["r1"]

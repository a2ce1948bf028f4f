"""Histories of one record, of a type and of everything, page by page."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fhir_gateway.problem import BadRequest, Forbidden, NotFound
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.history import history
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import delete, update
from fhir_gateway.store.port import Timeline

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class Clock:
    """Each look is a minute later, or no later at all."""

    def __init__(self, step: timedelta) -> None:
        self.step, self.moment = step, START

    def __call__(self) -> datetime:
        self.moment += self.step
        return self.moment


@pytest.fixture
def clocked(desk: Desk) -> Desk:
    return replace(desk, clock=Clock(timedelta(minutes=1)))


async def filled(desk: Desk, visit: Visit) -> dict[str, datetime]:
    """Five versions of three records, and when each was written."""
    written = {}
    for place in ("Patient/a", "Patient/b", "Patient/a", "Organization/o"):
        type_, _, identity = place.partition("/")
        resource = {"resourceType": type_, "id": identity, "active": True} | ({"name": "O"} if type_[0] == "O" else {})
        version = (await update(desk, visit, place, resource)).version
        assert version is not None
        written[f"{place}/{version.number}"] = version.updated
    await delete(desk, visit, "Patient/b")
    return written


async def pages(desk: Desk, visit: Visit, wanted: Timeline) -> list[list[str]]:
    found, cursor = [], None
    while cursor != "":
        chapter = await history(desk, visit, wanted, cursor)
        found.append([f"{version.reference}/{version.number}" for version in chapter.versions])
        cursor = chapter.following
    return found


async def test_every_history_is_newest_first(clocked: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await filled(clocked, admin)

    everything = ["Patient/b/2", "Organization/o/1", "Patient/a/2", "Patient/b/1", "Patient/a/1"]
    of_type = [name for name in everything if name.startswith("Patient")]
    assert await pages(clocked, admin, Timeline(10)) == [everything]
    assert await pages(clocked, admin, Timeline(10, "Patient")) == [of_type]
    assert await pages(clocked, admin, Timeline(10, "Patient", "Patient/a")) == [["Patient/a/2", "Patient/a/1"]]


@pytest.mark.parametrize("minutes", [1, 0])
async def test_pages_neither_skip_nor_repeat(desk: Desk, visit_of: VisitOf, minutes: int) -> None:
    desk, admin = replace(desk, clock=Clock(timedelta(minutes=minutes))), visit_of("admin")
    await filled(desk, admin)

    for size in (1, 2, 3, 5):
        found = await pages(desk, admin, Timeline(size))
        assert [len(page) for page in found[:-1]] == [size] * (len(found) - 1)
        assert len({name for page in found for name in page}) == sum(map(len, found)) == 5


async def test_since_leaves_out_what_is_older(clocked: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    written = await filled(clocked, admin)

    since = written["Patient/a/2"]
    assert await pages(clocked, admin, Timeline(10, since=since)) == [
        ["Patient/b/2", "Organization/o/1", "Patient/a/2"]
    ]
    assert await pages(clocked, admin, Timeline(10, "Patient", "Patient/a", since)) == [["Patient/a/2"]]


async def test_at_shows_what_was_current_then(clocked: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    written = await filled(clocked, admin)

    then = written["Patient/b/1"]
    during = (then, then + timedelta(seconds=1))
    assert await pages(clocked, admin, Timeline(10, during=during)) == [["Patient/b/1", "Patient/a/1"]]
    assert await pages(clocked, admin, Timeline(10, "Patient", "Patient/b", during=during)) == [["Patient/b/1"]]


async def test_a_hospital_sees_the_history_of_its_own(clocked: Desk, visit_of: VisitOf) -> None:
    await filled(clocked, visit_of("admin"))
    mine = visit_of("bai-chay")
    await update(clocked, mine, "Patient/mine", {"resourceType": "Patient", "id": "mine"})

    assert await pages(clocked, mine, Timeline(10)) == [["Patient/mine/1"]]
    assert await pages(clocked, mine, Timeline(10, "Patient")) == [["Patient/mine/1"]]
    with pytest.raises(NotFound):
        await history(clocked, mine, Timeline(10, "Patient", "Patient/a"), None)
    with pytest.raises(Forbidden):
        await history(clocked, visit_of("population"), Timeline(10), None)


async def test_the_audit_trail_has_a_history_of_its_own(clocked: Desk, visit_of: VisitOf) -> None:
    await filled(clocked, visit_of("admin"))

    (events,) = await pages(clocked, visit_of("auditor"), Timeline(50, "AuditEvent"))
    assert len(events) == 5


async def test_a_cursor_belongs_to_one_history(clocked: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await filled(clocked, admin)
    cursor = (await history(clocked, admin, Timeline(1), None)).following

    for wanted, text in ((Timeline(1, "Patient"), cursor), (Timeline(1), cursor[:-2]), (Timeline(1), "%")):
        with pytest.raises(BadRequest):
            await history(clocked, admin, wanted, text)


async def test_the_total_is_told_where_it_is_known(clocked: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await filled(clocked, admin)

    assert (await history(clocked, admin, Timeline(0, "Patient", "Patient/a"), None)).total == 2


async def test_every_page_of_a_history_tells_how_long_it_is(
    desk: Desk, visit_of: VisitOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = visit_of("admin")
    clocked = replace(desk, clock=Clock(timedelta(minutes=1)))
    written = await filled(clocked, admin)
    since = written["Patient/a/2"]
    first = await history(clocked, admin, Timeline(2), None)
    totals = [
        first.total,
        (await history(clocked, admin, Timeline(2), first.following)).total,
        (await history(clocked, admin, Timeline(0, "Patient"), None)).total,
        (await history(clocked, admin, Timeline(1, "Patient", since=since), None)).total,
        (await history(clocked, admin, Timeline(9, "Patient", since=since + timedelta(hours=1)), None)).total,
        (await history(clocked, admin, Timeline(1, "Patient", "Patient/a", since=since), None)).total,
    ]
    assert totals == [5, 5, 4, 2, 0, 1]

    monkeypatch.setattr("fhir_gateway.records.history.COUNTED", 3)
    assert (await history(clocked, admin, Timeline(2), None)).total is None
    assert (await history(clocked, admin, Timeline(0), None)).total == 5


@pytest.mark.parametrize("minutes", [1, 0])
async def test_the_way_back_shows_the_same_pages(desk: Desk, visit_of: VisitOf, minutes: int) -> None:
    desk, admin = replace(desk, clock=Clock(timedelta(minutes=minutes))), visit_of("admin")
    await filled(desk, admin)

    for wanted in (Timeline(2), Timeline(1), Timeline(1, "Patient"), Timeline(1, "Patient", "Patient/a")):
        chapters = [await history(desk, admin, wanted, None)]
        while chapters[-1].following:
            chapters.append(await history(desk, admin, wanted, chapters[-1].following))
        assert chapters[0].preceding == ""
        back = chapters[-1]
        for chapter in reversed(chapters[:-1]):
            back = await history(desk, admin, wanted, back.preceding)
            assert back.versions == chapter.versions
        assert back.preceding == ""
        assert (await history(desk, admin, wanted, back.following)).versions == chapters[1].versions


async def test_what_is_written_meanwhile_is_on_the_page_before(clocked: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await filled(clocked, admin)
    second = await history(clocked, admin, Timeline(2), (await history(clocked, admin, Timeline(2), None)).following)
    for name in ("n", "m"):
        await update(clocked, admin, f"Patient/{name}", {"resourceType": "Patient", "id": name})

    before = await history(clocked, admin, Timeline(2), second.preceding)
    assert [version.reference for version in before.versions] == ["Patient/b", "Organization/o"]
    newest = await history(clocked, admin, Timeline(2), before.preceding)
    assert [version.reference for version in newest.versions] == ["Patient/m", "Patient/n"]
    assert newest.preceding == ""

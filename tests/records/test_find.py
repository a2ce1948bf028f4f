"""Finding records page by page, while others write."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import Forbidden, NotFound, TooCostly
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import Page, search
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import delete, update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]


async def _write(desk: Desk, visit: Visit, *names: str) -> None:
    for name in names:
        await update(desk, visit, f"Patient/{name}", {"resourceType": "Patient", "id": name, "active": True})


async def test_what_is_written_between_two_pages_hides_and_repeats_nothing(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _write(desk, admin, "b", "d", "f", "h")
    first = await search(desk, admin, "Patient", [("active", "true"), ("_count", "2")])
    await _write(desk, admin, "a", "e", "b")

    rest = await search(desk, admin, "Patient", [("active", "true"), ("_count", "9"), ("_cursor", first.following)])

    assert [version.id for version in first.matches] == ["b", "d"]
    assert [version.id for version in rest.matches] == ["e", "f", "h"]


async def test_the_last_page_has_no_following(desk: Desk, visit_of: VisitOf) -> None:
    await _write(desk, visit_of("admin"), "a", "b")

    page = await search(desk, visit_of("admin"), "Patient", [("_count", "2")])

    assert (page.following, page.total) == ("", 2)


async def test_an_include_asks_for_the_right_to_its_type(desk: Desk, visit_of: VisitOf) -> None:
    await _write(desk, visit_of("admin"), "a")
    pairs = [("_revinclude", "Observation:subject")]

    with pytest.raises(Forbidden):
        await search(desk, visit_of("population"), "Patient", pairs)


async def test_a_page_that_brings_too_much_along_is_refused(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _write(desk, admin, "a")
    about = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    for name in ("o1", "o2", "o3"):
        subject = {"subject": {"reference": "Patient/a"}}
        await update(desk, admin, f"Observation/{name}", {**about, **subject, "id": name})

    with pytest.raises(TooCostly, match="2 records"):
        await search(replace(desk, include_limit=2), admin, "Patient", [("_revinclude", "Observation:subject")])


async def test_the_page_before_is_the_page_one_came_from(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _write(desk, admin, *"abcdefg")
    for order in ("_id", "-_id", "_lastUpdated", "-_lastUpdated", "active,-_id", "-active"):
        asked = [("_count", "3"), ("_sort", order)]
        pages = [await search(desk, admin, "Patient", asked)]
        while pages[-1].following:
            pages.append(await search(desk, admin, "Patient", [*asked, ("_cursor", pages[-1].following)]))
        back = [pages[-1]]
        while back[-1].preceding:
            back.append(await search(desk, admin, "Patient", [*asked, ("_cursor", back[-1].preceding)]))

        assert [len(page.matches) for page in pages] == [3, 3, 1]
        assert [_ids(page) for page in back] == [_ids(page) for page in pages[::-1]], order
        assert {page.total for page in (*pages, *back)} == {7}


async def test_what_the_first_page_counted_the_others_do_not_count_again(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _write(desk, admin, *"bcdef")
    asked = [("_count", "2")]
    first = await search(desk, admin, "Patient", asked)
    await _write(desk, admin, "a", "z")

    second = await search(desk, admin, "Patient", [*asked, ("_cursor", first.following)])
    anew = await search(desk, admin, "Patient", [*asked, ("_total", "estimate"), ("_cursor", first.following)])

    assert (first.total, second.total) == (5, 5)
    assert anew.total == 7, "an estimate is no count"


async def test_who_wants_no_total_gets_none_on_any_page(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _write(desk, admin, *"abcdef")
    asked = [("_count", "2"), ("_total", "none")]
    first = await search(desk, admin, "Patient", asked)
    second = await search(desk, admin, "Patient", [*asked, ("_cursor", first.following)])
    assert (first.total, second.total) == (None, None)


def _ids(page: Page) -> list[str]:
    return [version.id for version in page.matches]


WRITES = st.lists(st.tuples(st.sampled_from(["write", "delete"]), st.sampled_from("abcdefghijklmnop")), max_size=3)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["_id", "-_id", "birthdate", "-birthdate"]), st.lists(WRITES, min_size=3, max_size=6))
async def test_whatever_is_written_between_pages_no_record_that_stayed_is_skipped_or_repeated(
    desk: Desk, visit_of: VisitOf, order: str, between: list[list[tuple[str, str]]]
) -> None:
    admin = visit_of("admin")
    tag = uuid4().hex
    for at, name in enumerate("cdgjkmn"):
        await _put(desk, admin, tag + name, f"198{at % 3}-01-01")
    asked = [("_count", "2"), ("_sort", order), ("identifier", tag)]
    touched: set[str] = set()
    page = await search(desk, admin, "Patient", asked)
    seen = _ids(page)
    while page.following:
        for act, name in between.pop() if between else ():
            touched.add(tag + name)
            await _disturb(desk, admin, act, tag + name)
        page = await search(desk, admin, "Patient", [*asked, ("_cursor", page.following)])
        seen += _ids(page)

    stayed = {tag + name for name in "cdgjkmn"} - touched
    assert sorted(one for one in seen if one in stayed) == sorted(stayed)


async def _put(desk: Desk, visit: Visit, name: str, born: str) -> None:
    patient = {"resourceType": "Patient", "id": name, "birthDate": born, "identifier": [{"value": name[:32]}]}
    await update(desk, visit, f"Patient/{name}", patient)


async def _disturb(desk: Desk, visit: Visit, act: str, name: str) -> None:
    if act == "write":
        await _put(desk, visit, name, "1981-06-01")
        return
    with suppress(NotFound):
        await delete(desk, visit, f"Patient/{name}")

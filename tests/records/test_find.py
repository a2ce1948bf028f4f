"""Finding records page by page, while others write."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fhir_gateway.problem import Forbidden, TooCostly
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import search
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import update

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

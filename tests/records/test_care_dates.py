"""``start`` and ``end`` of $everything: what lies wholly outside the range is left out."""

from collections.abc import Callable

import pytest

from fhir_gateway.problem import BadRequest
from fhir_gateway.records.care_dates import Care, care
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.everything import Wish, everything
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import update

pytestmark = pytest.mark.anyio
VisitOf = Callable[[str], Visit]


@pytest.fixture
async def record(desk: Desk, visit_of: VisitOf) -> Visit:
    visit, subject = visit_of("admin"), {"reference": "Patient/p"}
    seen = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject}
    stay = {"resourceType": "Encounter", "status": "finished", "class": {"code": "IMP"}, "subject": subject}
    for resource in (
        {"resourceType": "Patient", "id": "p", "birthDate": "1950-01-01"},
        {**seen, "id": "before", "effectiveDateTime": "2026-01-31T23:00:00+07:00"},
        {**seen, "id": "first", "effectiveDateTime": "2026-02-01T01:00:00+07:00"},
        {**seen, "id": "vague", "effectiveDateTime": "2026"},
        {**seen, "id": "undated"},
        {**seen, "id": "last", "effectiveDateTime": "2026-02-28T23:59:00+07:00"},
        {**seen, "id": "after", "effectiveDateTime": "2026-03-01"},
        {**stay, "id": "through", "period": {"start": "2026-01-10", "end": "2026-03-10"}},
        {**stay, "id": "open", "period": {"start": "2026-01-10"}},
        {**stay, "id": "ended", "period": {"start": "2026-01-10", "end": "2026-01-20"}},
        {"resourceType": "Flag", "id": "f", "status": "active", "code": {"text": "x"}, "subject": subject},
    ):
        await update(desk, visit, f"{resource['resourceType']}/{resource['id']}", resource)
    return visit


async def found(desk: Desk, visit: Visit, asked: Care | None, size: int = 20) -> set[str]:
    names: list[str] = []
    position = ""
    while True:
        portion = await everything(desk, visit, "Patient/p", Wish(size=size, position=position, care=asked))
        names += [version.id for version in portion.matches]
        position = portion.following
        if not position:
            break
    assert len(names) == len(set(names))
    return set(names)


async def test_what_lies_wholly_outside_is_left_out_and_what_has_no_date_stays(desk: Desk, record: Visit) -> None:
    inside = {"p", "first", "vague", "undated", "last", "through", "open", "f"}
    for size in (20, 2):
        assert await found(desk, record, Care("2026-02-01", "2026-02-28"), size) == inside
    assert await found(desk, record, Care("2026-02")) == inside | {"after"}
    assert await found(desk, record, Care(end="2026-02")) == inside | {"before", "ended"}
    assert len(await found(desk, record, None)) == 11


def test_what_is_no_date_is_refused() -> None:
    assert care(None, None) is None
    assert care("2026-02", None) == Care("2026-02")
    for start, end in (("yesterday", None), (None, "2026-13"), ("2026-02-30", None), ("2026-02-01T10:00:00Z", None)):
        with pytest.raises(BadRequest):
            care(start, end)

"""What a search costs: refused beyond a size where nothing selects, and told where asked."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from fhir_gateway.problem import TooCostly
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import search
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]


async def _fill(desk: Desk, visit: Visit, count: int = 4) -> None:
    for at in range(count):
        name = [{"family": "Nguyễn", "given": [f"Số {at}"]}]
        await update(desk, visit, f"Patient/p{at}", {"resourceType": "Patient", "id": f"p{at}", "name": name})


COSTLY = ["gender:missing=true", "name:contains=guy", "gender:not=male", "_sort=name", "_id:not=p1"]
CHEAP = ["", "name=nguyen", "_id=p1", "_sort=-_lastUpdated", "name=nguyen&_sort=birthdate", "_lastUpdated=ge2020"]


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (one.partition("=") for one in text.split("&"))] if text else []


async def test_a_search_that_nothing_narrows_is_refused_beyond_a_size(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    for text in COSTLY:
        assert (await search(replace(desk, scan_limit=4), admin, "Patient", _pairs(text))).total is not None
    for text in COSTLY:
        with pytest.raises(TooCostly, match="add a condition") as refusal:
            await search(replace(desk, scan_limit=3), admin, "Patient", _pairs(text))
        assert (refusal.value.status, refusal.value.code) == (403, "too-costly")


async def test_a_search_that_an_index_narrows_is_not_refused(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    for text in [*CHEAP, *(f"{text}&name=nguyen" for text in COSTLY)]:
        await search(replace(desk, scan_limit=1), admin, "Patient", _pairs(text))


async def test_too_many_matches_are_not_sorted(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    asked = [("deceased", "false"), ("_sort", "birthdate")]

    assert (await search(replace(desk, scan_limit=4), admin, "Patient", asked)).total == 4
    assert (await search(replace(desk, scan_limit=3), admin, "Patient", asked[:1])).total == 4
    with pytest.raises(TooCostly, match="too many to sort"):
        await search(replace(desk, scan_limit=3), admin, "Patient", asked)


async def test_an_explanation_tells_index_order_and_cost_and_no_value(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    asked = [("name", "nguyen"), ("gender:not", "male"), ("_sort", "-birthdate"), ("_explain", "true")]
    page = await search(desk, admin, "Patient", asked)
    issue = json.loads(page.explanation)["issue"][0]

    assert issue["severity"] == "information"
    text = issue["diagnostics"]
    assert text.startswith("Patient: index keys; ")
    assert "4 documents" in text or "4 records looked at" in text
    assert text.index("name within") < text.index("gender none of")
    assert "sorted by -birthdate" in text
    assert "nguyen" not in text
    assert "male" not in text


async def test_an_estimate_counts_to_a_limit(desk: Desk, visit_of: VisitOf, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    monkeypatch.setattr("fhir_gateway.records.find.ESTIMATED", 3)

    assert (await search(desk, admin, "Patient", [("_total", "estimate"), ("_count", "2")])).total == 3
    assert (await search(desk, admin, "Patient", [("_total", "accurate"), ("_count", "2")])).total == 4
    assert (await search(desk, admin, "Patient", [("_total", "none"), ("_count", "2")])).total is None


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([("general-practitioner:Practitioner.name", "vu")], "asked before: 0 Practitioner records found"),
        ([("_content", "nam")], "asked before: 4 Patient records read for their words"),
        ([("_has:Observation:patient:code", "x")], "asked before: 0 Observation records found for their references"),
    ],
)
async def test_an_explanation_tells_what_had_to_be_asked_before(
    desk: Desk, visit_of: VisitOf, pairs: list[tuple[str, str]], told: str
) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    page = await search(desk, admin, "Patient", [*pairs, ("_explain", "true")])
    assert json.loads(page.explanation)["issue"][0]["diagnostics"].endswith(told)

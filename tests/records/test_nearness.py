"""Places by their distance: found, told, in order, page by page."""

from collections.abc import Callable
from random import Random

import pytest

from fhir_gateway.problem import BadRequest
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import Page, search
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.nearness import DISTANCE, distance_told
from fhir_gateway.records.write import update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]

HALONG = "20.9712|107.0448"
PLACES = {
    "hanoi": (21.0017, 105.8412),
    "bai-chay": (20.9578, 107.0203),
    "uong-bi": (21.0343, 106.7705),
    "general": (20.9547, 107.0853),
    "mong-cai": (21.5265, 107.9664),
}


async def _write(desk: Desk, visit: Visit, places: dict[str, tuple[float, float]]) -> None:
    for name, (latitude, longitude) in places.items():
        position = {"latitude": latitude, "longitude": longitude}
        body = {"resourceType": "Location", "id": name, "mode": "instance", "position": position}
        await update(desk, visit, f"Location/{name}", body)


def names(page: Page) -> list[str]:
    return [version.id for version in page.matches]


async def test_the_nearest_comes_first_and_its_distance_is_told(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _write(desk, admin, PLACES)

    page = await search(desk, admin, "Location", [("near", f"{HALONG}|200|km")])
    told = [distance_told(page.query.criteria, version.body)[0] for version in page.matches]

    assert names(page) == ["bai-chay", "general", "uong-bi", "mong-cai", "hanoi"]
    assert {one["url"] for one in told} == {DISTANCE}
    assert [round(one["valueDistance"]["value"]) for one in told] == [3, 5, 29, 114, 125]
    assert told[0]["valueDistance"] | {"value": 0} == {
        "value": 0,
        "unit": "km",
        "system": "http://unitsofmeasure.org",
        "code": "km",
    }


async def test_a_distance_is_told_in_the_unit_that_was_asked_in(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _write(desk, admin, {"bai-chay": PLACES["bai-chay"]})

    async def told(near: str) -> tuple[float, str]:
        page = await search(desk, admin, "Location", [("near", near)])
        found = distance_told(page.query.criteria, page.matches[0].body)[0]["valueDistance"]
        return found["value"], found["code"]

    kilometres, _ = await told(HALONG)
    metres, unit = await told(f"{HALONG}|9000|m")
    miles, mile = await told(f"{HALONG}|9|[mi_i]")
    assert (unit, mile) == ("m", "[mi_i]")
    assert metres == pytest.approx(kilometres * 1000, abs=1)
    assert miles == pytest.approx(kilometres / 1.609344, abs=0.001)


async def test_of_several_places_the_nearest_counts_and_none_gives_the_order(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _write(desk, admin, PLACES)

    page = await search(desk, admin, "Location", [("near", f"{HALONG}|10,21.0|105.84|10")])
    told = {one.id: distance_told(page.query.criteria, one.body)[0]["valueDistance"]["value"] for one in page.matches}

    assert names(page) == ["bai-chay", "general", "hanoi"]
    assert told["hanoi"] < 1
    with pytest.raises(BadRequest, match="one place to be near to"):
        await search(desk, admin, "Location", [("near", f"{HALONG},21|105"), ("_sort", "near")])


async def test_another_order_is_kept_and_the_distance_may_be_one_of_several(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _write(desk, admin, PLACES)
    near = ("near", f"{HALONG}|200|km")

    by_id = await search(desk, admin, "Location", [near, ("_sort", "_id")])
    farthest = await search(desk, admin, "Location", [near, ("_sort", "-near")])

    assert names(by_id) == sorted(PLACES)
    assert names(farthest) == ["hanoi", "mong-cai", "uong-bi", "general", "bai-chay"]
    assert distance_told((), by_id.matches[0].body) == ()


async def test_pages_by_distance_neither_skip_nor_repeat_in_either_direction(desk: Desk, visit_of: VisitOf) -> None:
    admin, random = visit_of("admin"), Random(7)
    places = {f"l{at}": (20 + random.random(), 106 + random.random()) for at in range(40)}
    # Some lie in one place: the id decides among them.
    await _write(desk, admin, places | {f"same{at}": (20.5, 106.5) for at in range(5)})
    asked = [("near", "20.5|106.5|500|km"), ("_count", "4")]

    pages = [await search(desk, admin, "Location", asked)]
    while pages[-1].following:
        pages.append(await search(desk, admin, "Location", [*asked, ("_cursor", pages[-1].following)]))
    back = [await search(desk, admin, "Location", [*asked, ("_cursor", pages[-1].preceding)])]
    while back[-1].preceding:
        back.append(await search(desk, admin, "Location", [*asked, ("_cursor", back[-1].preceding)]))

    walked = [name for page in pages for name in names(page)]
    assert len(walked) == len(set(walked)) == 45
    assert walked[:5] == [f"same{at}" for at in range(5)]
    assert [name for page in reversed(back) for name in names(page)] == walked[:44]

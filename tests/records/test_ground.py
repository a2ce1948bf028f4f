"""Where a search looks: one type, several, the whole system, a compartment."""

from collections.abc import Callable
from typing import Any

import pytest

from fhir_gateway.problem import BadRequest, Forbidden, NotSupported
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import Page, search_on
from fhir_gateway.records.ground import Ground
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import create, update

pytestmark = pytest.mark.anyio

VisitOf = Callable[[str], Visit]
TAGGED = {"meta": {"tag": [{"system": "urn:t", "code": "x"}]}}


def _observation(id_: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": id_, "status": "final", "code": {"text": "x"}, **TAGGED, **more}


def _to(reference: str) -> dict[str, str]:
    return {"reference": reference}


RECORDS: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "p", **TAGGED},
    {"resourceType": "Practitioner", "id": "d", **TAGGED},
    {"resourceType": "Device", "id": "m"},
    {"resourceType": "RelatedPerson", "id": "r", "patient": _to("Patient/p")},
    {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "IMP"},
     "subject": _to("Patient/p"), "participant": [{"individual": _to("Practitioner/d")}]},
    _observation("o1", subject=_to("Patient/p"), encounter=_to("Encounter/e")),
    _observation("o2", subject=_to("Patient/p"), performer=[_to("Practitioner/d")]),
    _observation("o3", subject=_to("Device/m")),
    _observation("o4", performer=[_to("RelatedPerson/r")]),
]  # fmt: skip

CASES = [
    (Ground("Observation", "Patient/p"), "", "Observation/o1 Observation/o2"),
    (Ground("Observation", "Patient/p"), "performer=Practitioner/d", "Observation/o2"),
    (Ground("Observation", "Encounter/e"), "", "Observation/o1"),
    (Ground("Observation", "Practitioner/d"), "", "Observation/o2"),
    (Ground("Observation", "Device/m"), "", "Observation/o3"),
    (Ground("Observation", "RelatedPerson/r"), "", "Observation/o4"),
    (Ground("Encounter", "Encounter/e"), "", "Encounter/e"),
    (Ground("Patient", "Patient/p"), "", "Patient/p"),
    (Ground("", "Encounter/e"), "", "Encounter/e Observation/o1"),
    (Ground("", "Patient/p"), "_type=Observation,Encounter", "Encounter/e Observation/o1 Observation/o2"),
    (Ground(), "_tag=urn:t|x&_type=Patient,Practitioner", "Patient/p Practitioner/d"),
    (Ground(), "_id=p", "Patient/p"),
    (Ground(), "_type=Device", "Device/m"),
    (Ground(), "_type=Observation,Encounter&encounter:missing=true", None),
    (Ground(), "_type=Observation,Encounter&status=final,finished", "Encounter/e Observation/o1 Observation/o2 "
     "Observation/o3 Observation/o4"),
]  # fmt: skip


async def _fill(desk: Desk, visit: Visit) -> None:
    for record in RECORDS:
        await update(desk, visit, f"{record['resourceType']}/{record['id']}", record)


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (one.partition("=") for one in text.split("&"))] if text else []


def _shown(page: Page) -> str:
    return " ".join(version.reference for version in page.matches)


async def test_each_ground_holds_what_belongs_to_it(desk: Desk, visit_of: VisitOf) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    for ground, text, expected in CASES:
        if expected is None:
            with pytest.raises(BadRequest, match="Encounter has no search parameter 'encounter'"):
                await search_on(desk, admin, ground, _pairs(text))
            continue
        page = await search_on(desk, admin, ground, _pairs(text))
        assert (_shown(page), page.total) == (expected, len(expected.split())), (ground, text)


@pytest.mark.parametrize("order", ["_id", "-_id", "_lastUpdated", "-_lastUpdated"])
async def test_pages_of_several_types_follow_each_other_and_lead_back(
    desk: Desk, visit_of: VisitOf, order: str
) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    types = [("_type", "Patient,Practitioner,Observation,Device,Encounter")] if order.startswith("-") else []
    asked = [("_tag", "urn:t|x"), ("_sort", order), *types, ("_count", "2")]
    whole = _shown(await search_on(desk, admin, Ground(), [*asked[:-1], ("_count", "20")])).split()
    pages = [await search_on(desk, admin, Ground(), asked)]
    while pages[-1].following:
        pages.append(await search_on(desk, admin, Ground(), [*asked, ("_cursor", pages[-1].following)]))
    back = await search_on(desk, admin, Ground(), [*asked, ("_cursor", pages[-1].preceding)])

    assert len(whole) == 6
    assert " ".join(map(_shown, pages)).split() == whole
    assert (_shown(back), back.following != "") == (_shown(pages[-2]), True)


async def test_where_only_some_types_know_a_parameter_lenient_search_drops_it_for_all(
    desk: Desk, visit_of: VisitOf
) -> None:
    admin = visit_of("admin")
    await _fill(desk, admin)
    page = await search_on(desk, admin, Ground(), _pairs("_type=Encounter,Patient&class=IMP&_id=p,e"), lenient=True)

    assert _shown(page) == "Encounter/e Patient/p"
    assert page.query.used == (("_type", "Encounter,Patient"), ("_id", "p,e"))


async def test_a_caller_without_the_right_to_a_type_does_not_search_it(desk: Desk, visit_of: VisitOf) -> None:
    await _fill(desk, visit_of("admin"))
    population = visit_of("population")

    assert _shown(await search_on(desk, population, Ground(), [("_tag", "urn:t|x")])) == "Patient/p"
    with pytest.raises(Forbidden):
        await search_on(desk, population, Ground(), _pairs("_type=Patient,Practitioner"))


async def test_a_compartment_of_a_hidden_record_shows_nothing(desk: Desk, visit_of: VisitOf) -> None:
    await _fill(desk, visit_of("admin"))
    await create(desk, visit_of("bai-chay"), _observation("mine", subject=_to("Patient/other")))

    assert _shown(await search_on(desk, visit_of("bai-chay"), Ground("", "Patient/p"), [])) == ""
    assert _shown(await search_on(desk, visit_of("bai-chay"), Ground("Observation", "Patient/p"), [])) == ""


async def test_a_reference_may_be_the_whole_address(desk: Desk, visit_of: VisitOf) -> None:
    await _fill(desk, visit_of("admin"))
    asked = [("subject", "http://gateway/fhir/Patient/p,http://elsewhere/fhir/Device/m")]
    page = await search_on(desk, visit_of("admin"), Ground("Observation"), asked)

    assert _shown(page) == "Observation/o1 Observation/o2"


async def test_a_type_without_compartment_is_said_so(desk: Desk, visit_of: VisitOf) -> None:
    with pytest.raises(NotSupported, match="Patient, Encounter"):
        await search_on(desk, visit_of("admin"), Ground("Observation", "Group/g"), [])
    with pytest.raises(NotSupported, match="Group has no compartment"):
        await search_on(desk, visit_of("admin"), Ground("", "Group/g"), [])
    with pytest.raises(BadRequest, match="no Organization"):
        await search_on(desk, visit_of("admin"), Ground("Organization", "Patient/p"), [])
    with pytest.raises(BadRequest, match="no resource type"):
        await search_on(desk, visit_of("admin"), Ground(), [("_type", "Nothing")])

"""PV1 and PV2 beside the visit: passing places, plans, the episode, who may know."""

from collections.abc import Callable

from bundles import made

from adapters.contract import Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


def row(name: str, **fields: str) -> str:
    known = {int(number[1:]): text for number, text in fields.items()}
    return "|".join([name, *(known.get(number, "") for number in range(1, max(known) + 1))])


def test_temporary_places_stand_beside_the_bed_and_are_marked(translate: Translate, message: Build) -> None:
    pv1 = row("PV1", _2="I", _3="NOI^P1^G1", _11="MO^P2", _19="VN1", _40="O", _43="CC^P3")
    translation = translate(message("ADT^A02", PID, pv1))

    [visit] = made(translation, "Encounter")
    assert [one["status"] for one in visit["location"]] == ["active", "active", "completed"]
    assert ["extension" in one for one in visit["location"]] == [False, True, True]
    bed = next(one for one in made(translation, "Location") if one["name"].startswith("NOI"))
    assert bed["operationalStatus"]["code"] == "O"


def test_an_episode_gathers_the_diagnoses_of_its_visits(translate: Translate, message: Build) -> None:
    pv1 = row("PV1", _2="I", _19="VN1", _53="Đợt điều trị lao", _54="EP1")
    translation = translate(message("ADT^A01", PID, pv1, "DG1|1||A15.0^Lao phổi^I10|||F"))

    [episode] = made(translation, "EpisodeOfCare")
    [visit] = made(translation, "Encounter")
    [condition] = made(translation, "Condition")
    assert visit["episodeOfCare"] == [{"reference": f"urn:uuid:{episode['id']}"}]
    assert episode["diagnosis"][0]["condition"]["reference"] == f"urn:uuid:{condition['id']}"
    assert "status" not in episode


def test_a_visit_is_planned_referred_and_protected(translate: Translate, message: Build) -> None:
    pv2 = row("PV2", _8="20261107", _9="20261110", _13="BS9^LÊ^MAI", _22="Y", _38="A^Xe cấp cứu^HL70430")
    [visit] = made(translate(message("ADT^A05", PID, "PV1|1|I|||||||||||||||||VN1", pv2)), "Encounter")

    said = {one["url"].rsplit(".", 1)[-1].rsplit("-", 1)[-1]: one for one in visit["extension"]}
    assert (said["plannedStartDate"]["valueDateTime"], said["plannedEndDate"]["valueDateTime"]) == (
        "2026-11-07",
        "2026-11-10",
    )
    assert said["modeOfArrival"]["valueCoding"]["code"] == "A"
    assert visit["participant"][0]["type"][0]["coding"][0]["code"] == "REF"
    assert visit["meta"]["security"][0]["code"] == "R"


def test_where_the_patient_went_has_the_name_of_the_place_and_its_code(translate: Translate, message: Build) -> None:
    stay = "PV1|1|I|||||||||||||||||VN1" + "|" * 18 + "{}"
    said = [
        translate(message("ADT^A03", PID, stay.format(one))).bundle["entry"]
        for one in ("22&Trạm y tế Hà Khẩu", "Về nhà")
    ]
    visits = [e["resource"] for entries in said for e in entries if e["resource"]["resourceType"] == "Encounter"]

    assert [visit["hospitalization"]["destination"] for visit in visits] == [
        {"identifier": {"value": "22"}, "display": "Trạm y tế Hà Khẩu"},
        {"display": "Về nhà"},
    ]


def test_an_order_says_of_the_bed_before_that_it_is_over_and_nothing_of_the_bed_now(
    translate: Translate, message: Build
) -> None:
    visit = "PV1|1|I|K01^P1^G1|||K02^P2^G2|||||||||||||VN1"
    entries = translate(message("ORM^O01", PID, visit, "ORC|NW|P1", "OBR|1|P1||SHM")).bundle["entry"]
    (encounter,) = (e["resource"] for e in entries if e["resource"]["resourceType"] == "Encounter")

    assert [place.get("status") for place in encounter["location"]] == [None, "completed"]

"""OBX beside the value: laboratory and director, specimen, time of analysis."""

from collections.abc import Callable

from bundles import made

from adapters.contract import Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
OBR = "OBR|1|P1|F1|SHM"


def obx(**fields: str) -> str:
    known = {1: "1", 2: "NM", 3: "NA", 5: "139", 11: "F"} | {int(n[1:]): text for n, text in fields.items()}
    return "|".join(["OBX", *(known.get(number, "") for number in range(1, max(known) + 1))])


def test_the_laboratory_has_an_address_and_a_director(translate: Translate, message: Build) -> None:
    result = obx(_23="XN Hạ Long^^77", _24="Số 1^^Hạ Long", _25="BS7^ĐỖ^HÀ")
    translation = translate(message("ORU^R01", PID, OBR, result))

    [role] = made(translation, "PractitionerRole")
    [observation] = made(translation, "Observation")
    assert role["code"][0]["coding"][0]["code"] == "MDIR"
    assert observation["performer"] == [{"reference": f"urn:uuid:{role['id']}", "display": "ĐỖ HÀ"}]
    places = [one for one in made(translation, "Organization") if one["name"] == "XN Hạ Long"]
    assert places[0]["address"][0]["city"] == "Hạ Long"


def test_a_result_names_its_specimens_its_number_and_its_analysis(translate: Translate, message: Build) -> None:
    result = obx(_10="S", _19="20261106", _21="K1^LIS", _29="RSLT", _30="CO", _33="A1&HIS^B1&LIS~^B2&LIS")
    [observation] = made(translate(message("ORU^R01", PID, OBR, result)), "Observation")

    assert observation["specimen"]["identifier"]["value"] == "B1"
    assert observation["identifier"][0]["value"] == "K1"
    assert observation["category"][-1]["coding"][0]["code"] == "RSLT"
    said = {row["url"].rsplit("/", 1)[1]: row for row in observation["extension"]}
    assert said["observation-analysis-date-time"]["valueDateTime"] == "2026-11-06"
    assert said["observation-nature-of-abnormal-test"]["valueCodeableConcept"]["coding"][0]["code"] == "S"
    assert said["observation-structure-type"]["valueCodeableConcept"]["coding"][0]["code"] == "CO"
    assert said["extension-Observation.specimen"]["valueReference"]["identifier"]["value"] == "B2"


def test_an_address_without_a_name_is_no_organization(translate: Translate, message: Build) -> None:
    translation = translate(message("ORU^R01", PID, OBR, obx(_24="Số 1^^Hạ Long")))

    assert len(made(translation, "Organization")) == 1
    assert "performer" not in made(translation, "Observation")[0]

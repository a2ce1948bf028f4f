"""What a specimen is taken for: named after its order, before its orders, or inside the order as OBR-15."""

from collections.abc import Callable

import pytest
from bundles import made

from adapters.contract import Fate, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
SPM = "SPM|{n}|T{n}^T{n}||BLD^Máu^HL70487"
OBR = "OBR|{n}|P{n}|F{n}|XN{n}"
OBX = "OBX|1|NM|NA{n}||139||||||F"


def rows(*kinds: str, n: int) -> list[str]:
    return [kind.format(n=n) for kind in kinds]


@pytest.mark.parametrize("event", ["OUL^R22", "OUL^R23", "OML^O33", "OML^O35"])
def test_a_specimen_named_first_is_that_of_the_orders_after_it(
    translate: Translate, message: Build, event: str
) -> None:
    sent = [*rows(SPM, "ORC|NW|P{n}|F{n}", OBR, OBX, n=1), *rows(SPM, "ORC|NW|P{n}|F{n}", OBR, OBX, n=2)]
    translation = translate(message(event, PID, *sent))

    tubes, requests = made(translation, "Specimen"), made(translation, "ServiceRequest")
    assert [one["request"] for one in tubes] == [[{"reference": f"urn:uuid:{one['id']}"}] for one in requests]
    assert [one["specimen"] for one in requests] == [[{"reference": f"urn:uuid:{one['id']}"}] for one in tubes]


def test_a_specimen_named_after_its_order_is_that_orders(translate: Translate, message: Build) -> None:
    sent = [*rows(OBR, OBX, SPM, n=1), *rows(OBR, OBX, SPM, n=2)]
    translation = translate(message("OUL^R24", PID, *sent))

    tubes, reports = made(translation, "Specimen"), made(translation, "DiagnosticReport")
    assert [one["specimen"] for one in reports] == [[{"reference": f"urn:uuid:{one['id']}"}] for one in tubes]


def test_what_is_found_before_any_order_is_about_the_specimen(translate: Translate, message: Build) -> None:
    translation = translate(message("OUL^R22", PID, *rows(SPM, OBX, OBR, n=1), OBX.format(n=2)))

    [tube] = made(translation, "Specimen")
    of_tube, of_order = made(translation, "Observation")
    assert of_tube["specimen"] == {"reference": f"urn:uuid:{tube['id']}"}
    assert "basedOn" not in of_tube
    assert "basedOn" in of_order


def test_an_order_control_after_its_order_is_that_orders(translate: Translate, message: Build) -> None:
    sent = [*rows(SPM, OBR, "NTE|1||Gấp", "ORC|SC|||G{n}|CM", OBX, n=1), *rows(OBR, "ORC|SC|||G{n}|IP", OBX, n=2)]
    translation = translate(message("OUL^R22", PID, *sent))

    requests, reports = made(translation, "ServiceRequest"), made(translation, "DiagnosticReport")
    assert [one["requisition"]["value"] for one in requests] == ["G1", "G2"]
    assert [one["status"] for one in requests] == ["completed", "active"]
    assert [len(one["result"]) for one in reports] == [1, 1]


def test_an_order_control_before_its_order_starts_a_new_one(translate: Translate, message: Build) -> None:
    sent = [*rows("ORC|SC|P{n}|F{n}|G{n}|CM", OBR, n=1), *rows("ORC|SC|P{n}|F{n}|G{n}|IP", OBR, OBX, n=2)]
    translation = translate(message("OUL^R22", PID, *sent))

    assert [one["requisition"]["value"] for one in made(translation, "ServiceRequest")] == ["G1", "G2"]


def test_the_parts_of_a_specimen_source_each_have_a_place(translate: Translate, message: Build) -> None:
    source = "BLD&Máu toàn phần^EDTA^Lấy khi đói^LA&Tay trái&HL70163^^HEM&Tán huyết"
    translation = translate(message("ORM^O01", PID, "ORC|NW|P1", f"OBR|1|P1||CTM|||||||||||{source}"))

    [tube] = made(translation, "Specimen")
    assert (tube["type"]["coding"][0]["code"], tube["type"]["text"]) == ("BLD", "Máu toàn phần")
    assert tube["container"][0]["additiveCodeableConcept"]["coding"][0]["code"] == "EDTA"
    assert tube["note"] == [{"text": "Lấy khi đói"}]
    assert tube["collection"]["bodySite"]["coding"] == [
        {"system": "http://terminology.hl7.org/CodeSystem/v2-0163", "code": "LA"}
    ]
    assert tube["condition"][0]["text"] == "Tán huyết"
    unmapped = [account.place for account in translation.ledger if account.fate is Fate.UNMAPPED]
    assert not [place for place in unmapped if place.startswith("OBR[1]-15")]


def test_a_specimen_source_written_as_a_coded_element_is_one(translate: Translate, message: Build) -> None:
    translation = translate(message("ORM^O01", PID, "ORC|NW|P1", "OBR|1|P1||CTM|||||||||||119297000^Máu^SCT"))

    [tube] = made(translation, "Specimen")
    assert tube["type"]["coding"] == [{"system": "http://snomed.info/sct", "code": "119297000", "display": "Máu"}]
    assert "container" not in tube


def test_a_result_of_an_order_on_a_specimen_named_before_it_is_of_that_specimen(
    translate: Translate, message: Build
) -> None:
    rows = ("SPM|1|M1||BLD", "OBR|1|P1|F1|SHM", "ORC|SC|P1|F1", "OBX|1|NM|NA^Natri||140|mmol/L|||||F")
    more = ("SPM|2|M2||SER", "OBR|2|P2|F2|SHM", "OBX|1|NM|K^Kali||4|mmol/L|||||F|" + "|" * 21 + "M9")
    translation = translate(message("OUL^R22", PID, *rows, *more))
    first, _ = made(translation, "Specimen")
    sodium, potassium = made(translation, "Observation")

    assert sodium["specimen"] == {"reference": f"urn:uuid:{first['id']}"}
    assert potassium["specimen"]["identifier"]["value"] == "M9"

"""Who hands a medicine out, how much at first, and whether for a stay or for home."""

from collections.abc import Callable

from bundles import made

from adapters.contract import Fate, Resource, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
RXE = "RXE||AML5^Amlodipin 5 mg|1||VIEN||||30|{}|VIEN" + "|" * 28 + "{}|{}|Số 3^^Hạ Long||||0203000003"


def requests(translation: Translation) -> list[Resource]:
    return list(made(translation, "MedicationRequest"))


def test_the_pharmacy_of_an_encoded_order_is_an_organization_with_address_and_telephone(
    translate: Translate, message: Build
) -> None:
    translation = translate(message("RDE^O11", PID, "ORC|NW|P1", RXE.format("60", "10", "NT2^Nhà thuốc số 2^L")))
    (request,), (_, pharmacy) = (
        requests(translation),
        sorted(made(translation, "Organization"), key=lambda o: "telecom" in o),
    )

    assert request["dispenseRequest"]["performer"]["reference"] == f"urn:uuid:{pharmacy['id']}"
    assert request["dispenseRequest"]["initialFill"]["quantity"]["value"] == 10
    assert (pharmacy["name"], pharmacy["identifier"][0]["value"]) == ("Nhà thuốc số 2", "NT2")
    assert pharmacy["telecom"][0]["value"] == "0203000003"
    assert pharmacy["address"][0]["city"] == "Hạ Long"
    fates = {account.place: account.fate for account in translation.ledger}
    assert {fates[f"RXE[1]-{n}[1]"] for n in (39, 45)} == {Fate.MAPPED}


def test_a_first_amount_that_is_no_number_stays_unmapped(translate: Translate, message: Build) -> None:
    translation = translate(message("RDE^O11", PID, "ORC|NW|P1", RXE.format("60", "ít", "")))

    assert "initialFill" not in requests(translation)[0]["dispenseRequest"]
    assert {a.place: a.fate for a in translation.ledger}["RXE[1]-39[1]"] is Fate.UNMAPPED


def test_an_order_says_whether_the_medicine_is_for_a_stay_or_for_home(translate: Translate, message: Build) -> None:
    for said, code in (("I", "inpatient"), ("O", "outpatient")):
        order = "ORC|NW|P1" + "|" * 27 + said
        (request,) = requests(translate(message("RDE^O11", PID, order, "RXE||AML5^Amlodipin 5 mg|1||VIEN")))
        assert [one["coding"][0]["code"] for one in request["category"]] == [code]

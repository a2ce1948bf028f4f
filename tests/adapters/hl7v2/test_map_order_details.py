"""What ORC and OBR say beside the order: control, parents, call-back, the place of who asks, secrecy, who keyed it."""

from collections.abc import Callable

import pytest
from bundles import made

from adapters.contract import Fate, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
OBX = "OBX|1|NM|NA||139||||||F"


def row(name: str, **fields: str) -> str:
    known = {int(number[1:]): text for number, text in fields.items()}
    return "|".join([name, *(known.get(number, "") for number in range(1, max(known) + 1))])


@pytest.fixture
def read(translate: Translate, message: Build) -> Callable[..., Translation]:
    def run(orc: dict[str, str], obr: dict[str, str] | None = None) -> Translation:
        order = {"_1": "NW", "_2": "P1", "_3": "F1", **orc}
        asked = {"_1": "1", "_2": "P1", "_3": "F1", "_4": "SHM", **(obr or {})}
        return translate(message("ORU^R01", PID, row("ORC", **order), row("OBR", **asked), OBX))

    return run


Read = Callable[..., Translation]


def test_the_order_control_is_kept_beside_the_status(read: Read) -> None:
    [request] = made(read({"_1": "XO", "_5": "IP"}), "ServiceRequest")

    assert request["status"] == "active"
    assert request["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "XO"


def test_the_requester_works_at_the_place_that_orders(read: Read) -> None:
    translation = read({"_12": "BS1^PHẠM^AN", "_21": "Khoa Nội^^9", "_22": "Số 1^^Hạ Long", "_24": "Số 2^^Cẩm Phả"})

    [role] = made(translation, "PractitionerRole")
    [doctor] = made(translation, "Practitioner")
    [place] = [one for one in made(translation, "Organization") if one["name"] == "Khoa Nội"]
    [request] = made(translation, "ServiceRequest")
    assert request["requester"] == {"reference": f"urn:uuid:{role['id']}", "display": "PHẠM AN"}
    assert role["practitioner"]["reference"] == f"urn:uuid:{doctor['id']}"
    assert role["organization"]["reference"] == f"urn:uuid:{place['id']}"
    assert (place["address"][0]["city"], doctor["address"][0]["city"]) == ("Hạ Long", "Cẩm Phả")


def test_a_secret_order_is_labelled_and_its_report_too(read: Read) -> None:
    translation = read({"_28": "HIV^HIV^HL70177"})

    labels = [
        one["meta"]["security"][0]["code"]
        for one in (*made(translation, "ServiceRequest"), *made(translation, "DiagnosticReport"))
    ]
    assert labels == ["HIV", "HIV"]


def test_who_keyed_the_order_in_and_who_checked_it_is_a_provenance(read: Read) -> None:
    translation = read({"_9": "20261106083000", "_10": "DD1^VŨ^LAN", "_11": "BS2^LÊ^AN", "_17": "K01^Khoa Nội"})

    [provenance] = made(translation, "Provenance")
    kinds = [agent["type"]["coding"][0]["code"] for agent in provenance["agent"]]
    assert kinds == ["enterer", "verifier"]
    assert provenance["agent"][0]["onBehalfOf"]["display"] == "Khoa Nội"
    assert provenance["recorded"] == "2026-11-06T08:30:00+07:00"
    assert provenance["activity"]["coding"][0]["code"] == "CREATE"


def test_an_order_that_names_nobody_else_has_no_provenance(read: Read) -> None:
    assert made(read({"_12": "BS1^PHẠM^AN"}), "Provenance") == []


def test_parents_details_numbers_and_the_call_back_of_an_order(read: Read) -> None:
    obr = {"_11": "G", "_17": "0203^WPN^PH", "_29": "P0&HIS^F0&LIS", "_46": "DOI^Đói", "_53": "P9"}
    [request] = made(read({"_38": "G7^LIS"}, obr), "ServiceRequest")

    assert request["intent"] == "reflex-order"
    assert [one["identifier"]["value"] for one in request["basedOn"]] == ["P0", "F0"]
    assert request["orderDetail"][0]["text"] == "Đói"
    assert [mark["value"] for mark in request["identifier"]] == ["P1", "F1", "P9", "G7"]
    assert request["extension"][-1]["valueContactPoint"]["value"] == "0203"


def test_two_numbers_for_one_order_are_both_kept(translate: Translate, message: Build) -> None:
    rows = ("PID|1||QN0001^^^22T01^MR||A^B", "ORC|NW|P1^HIS|F9^LAB", "OBR|1|P1|F1^LAB|GLU^Glucose^L")
    translation = translate(message("OML^O21", *rows))
    (request,) = (e["resource"] for e in translation.bundle["entry"] if "ServiceRequest" in e["request"]["url"])

    assert [one["value"] for one in request["identifier"]] == ["P1", "F1", "F9"]
    assert request["identifier"][0]["assigner"]["display"] == "HIS"
    targets = {account.place: account.targets for account in translation.ledger}
    assert targets["ORC[1]-3[1].1"] == (f"ServiceRequest/{request['id']}#identifier[2].value",)


def test_the_ledger_of_a_secrecy_code_leads_to_its_label(translate: Translate, message: Build) -> None:
    orc = "ORC|NW|P1|F1" + "|" * 25 + "R^Restricted^HL70177"
    translation = translate(message("OML^O21", "PID|1||QN0001^^^22T01^MR||A^B", orc, "OBR|1|P1|F1|GLU^Glucose^L"))
    (request,) = (e["resource"] for e in translation.bundle["entry"] if "ServiceRequest" in e["request"]["url"])

    assert [label["code"] for label in request["meta"]["security"]] == ["R"]
    targets = {account.place: account.targets for account in translation.ledger}
    assert targets["ORC[1]-28[1].1"] == (f"ServiceRequest/{request['id']}#meta.security.code",)


def test_who_asks_by_the_control_comes_before_the_name_in_the_order(read: Read) -> None:
    translation = read({"_12": "BS1^PHẠM^AN"}, {"_16": "^TRẦN^BÌNH"})

    [request] = made(translation, "ServiceRequest")
    assert request["requester"]["display"] == "PHẠM AN"
    assert "OBR[1]-16[1].2" in [account.place for account in translation.ledger if account.fate is Fate.UNMAPPED]


def test_who_has_a_number_comes_before_a_name_alone(read: Read) -> None:
    translation = read({"_12": "^PHẠM^AN"}, {"_16": "BS1^PHẠM^AN"})

    [request] = made(translation, "ServiceRequest")
    [doctor] = made(translation, "Practitioner")
    assert request["requester"]["reference"] == f"urn:uuid:{doctor['id']}"
    assert not [account for account in translation.ledger if account.fate is Fate.UNMAPPED]

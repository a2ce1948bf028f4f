"""REF^I12: a request of the referral category and the note that belongs to it."""

from collections.abc import Callable

from adapters.contract import Resource, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
RF1 = "RF1|P|S|||||20261106||20261106|^Lý do <b>&"
TO = "PRD|RT||||||||" + "|Bệnh viện Bạch Mai^^^^^^^^^01T01"


def made(translation: Translation) -> dict[str, Resource]:
    return {e["resource"]["resourceType"]: e["resource"] for e in translation.bundle["entry"]}


def test_a_referral_is_an_active_request_to_another_facility(translate: Translate, message: Build) -> None:
    request = made(translate(message("REF^I12", RF1, TO, PID)))["ServiceRequest"]

    assert (request["status"], request["intent"], request["priority"]) == ("active", "order", "stat")
    assert request["category"][0]["coding"][0]["code"] == "3457005"
    assert request["performer"][0]["identifier"]["value"] == "01T01"
    assert "reference" not in request["performer"][0]


def test_the_note_names_its_request_and_its_text_is_no_markup(translate: Translate, message: Build) -> None:
    resources = made(translate(message("REF^I12", RF1.replace("&", r"\T\ "), TO, PID)))
    note = resources["Composition"]

    assert note["event"] == [{"detail": [{"reference": f"urn:uuid:{resources['ServiceRequest']['id']}"}]}]
    assert note["section"][0]["title"] == "Lý do chuyển"
    assert "&lt;b&gt;&amp;" in note["section"][0]["text"]["div"]


def test_the_receiving_facility_of_the_header_serves_when_no_provider_is_named(
    translate: Translate, message: Build
) -> None:
    request = made(translate(message("REF^I12", RF1, PID)))["ServiceRequest"]

    assert request["performer"] == [
        {"identifier": {"system": request["performer"][0]["identifier"]["system"], "value": "QN"}}
    ]


def test_a_cancelled_referral_is_revoked_and_writes_no_note(translate: Translate, message: Build) -> None:
    resources = made(translate(message("REF^I14", RF1, TO, PID)))

    assert resources["ServiceRequest"]["status"] == "revoked"
    assert "Composition" not in resources


def test_an_rf1_in_an_admission_opens_no_referral(translate: Translate, message: Build) -> None:
    assert "ServiceRequest" not in made(translate(message("ADT^A01", PID, "PV1|1|I", RF1)))


def test_a_comment_at_the_end_of_the_message_is_the_referral_s(translate: Translate, message: Build) -> None:
    told = translate(message("REF^I12", RF1, TO, PID, "PV1|1|I|||||||||||||||||V1", "NTE|1||Chuyển gấp"))

    assert [note["text"] for note in made(told)["ServiceRequest"]["note"]] == ["Chuyển gấp"]
    assert [line.fate for line in told.ledger if line.place.startswith("NTE[1]-3")] == ["mapped"]


def test_the_doctor_referred_to_stands_after_the_facility(translate: Translate, message: Build) -> None:
    pid = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
    prd = "PRD|RT|PHẠM^AN||||||||Bệnh viện Bạch Mai^^01001"

    request = made(translate(message("REF^I12", "RF1|P|||||CV1", prd, pid)))["ServiceRequest"]

    facility, doctor = request["performer"]
    assert facility["identifier"]["value"] == "01001"
    assert doctor == {"type": "Practitioner", "display": "PHẠM AN"}

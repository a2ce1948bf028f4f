"""Addresses and telecoms: what stands beside the number or the street."""

from collections.abc import Callable

from adapters.contract import Fate, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]


def patient(translation: Translation) -> dict[str, object]:
    return next(e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == "Patient")


def test_a_mail_address_beside_a_number_is_a_contact_of_its_own(translate: Translate, message: Build) -> None:
    numbers = "0912000001^PRN^PH^hoa@example.org~hai@example.org^NET^Internet"
    translation = translate(message("ADT^A28", f"PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ||1961|M|||||{numbers}"))

    assert [(one["system"], one["value"]) for one in patient(translation)["telecom"]] == [
        ("phone", "0912000001"),
        ("email", "hoa@example.org"),
        ("email", "hai@example.org"),
    ]
    targets = {a.place: a.targets for a in translation.ledger}["PID[1]-13[1].4"]
    assert [target.partition("#")[2] for target in targets] == ["telecom[1].value"]


def test_the_days_of_an_address_in_one_component(translate: Translate, message: Build) -> None:
    row = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ||1961|M|||Số 1^^Hồng Gai^^^^^^^^^{}"
    translation = translate(message("ADT^A28", row.format("20200101&20251231")))
    (address,) = patient(translation)["address"]
    assert address["period"] == {"start": "2020-01-01", "end": "2025-12-31"}

    turned = translate(message("ADT^A28", row.format("20251231&20200101")))
    assert "period" not in patient(turned)["address"][0]
    assert {a.place: a.fate for a in turned.ledger}["PID[1]-11[1].12.1"] is Fate.UNMAPPED


def test_a_check_digit_and_the_facility_that_gave_a_number_are_kept(translate: Translate, message: Build) -> None:
    row = "PID|1||QN0001^^^22T01^MR~N77^4^M10^^XX^Bệnh viện A||NGUYỄN^HOÀ||1961|M"
    number = patient(translate(message("ADT^A28", row)))["identifier"][1]

    assert [one["valueString"] for one in number["extension"]] == ["4", "M10"]
    assert number["assigner"] == {"display": "Bệnh viện A"}


def test_the_insured_person_who_is_not_the_patient_is_a_relative(translate: Translate, message: Build) -> None:
    rows = ["PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ||1961|M", "IN1|1|BHYT|1|BHXH||||||||||||{}"]
    said = "TRẦN^LAN|SPO^vợ|19650203|Số 1^^Hồng Gai" + "|" * 24 + "F"
    made = translate(message("ADT^A28", rows[0], rows[1].format(said)))
    (wife,) = [e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == "RelatedPerson"]
    assert (wife["birthDate"], wife["gender"], wife["address"][0]["city"]) == ("1965-02-03", "female", "Hồng Gai")

    own = translate(message("ADT^A28", rows[0], rows[1].format("NGUYỄN^HOÀ|SEL|19610101")))
    assert all(e["resource"]["resourceType"] != "RelatedPerson" for e in own.bundle["entry"])


def test_race_stands_for_the_people_where_only_it_is_said(translate: Translate, message: Build) -> None:
    row = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ||1961|M||25^Dao"
    (said,) = patient(translate(message("ADT^A28", row)))["extension"]

    assert said["valueCodeableConcept"]["text"] == "Dao"
    assert (
        patient(translate(message("ADT^A28", row + "|" * 12 + "01^Kinh")))["extension"][0]["valueCodeableConcept"][
            "text"
        ]
        == "Kinh"
    )


def test_how_much_was_ordered_in_the_old_timing_is_a_quantity(translate: Translate, message: Build) -> None:
    obr = "OBR|1|P1|F1|SHM^Sinh hoá" + "|" * 23 + "2&mL^QD"
    made = translate(message("ORM^O01", "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ||1961|M", "ORC|NW|P1|F1", obr))
    (request,) = [e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == "ServiceRequest"]

    assert (str(request["quantityQuantity"]["value"]), request["quantityQuantity"]["unit"]) == ("2", "mL")


def test_a_use_without_an_address_goes_nowhere(translate: Translate, message: Build) -> None:
    pid = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M|||^^^^^^H"
    translation = translate(message("ADT^A28", pid))

    assert [a.fate for a in translation.ledger if a.place == "PID[1]-11[1].7"] == [Fate.UNMAPPED]


def test_the_number_as_typed_stands_before_the_withdrawn_one(translate: Translate, message: Build) -> None:
    row = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ||1961|M|||||{}"
    other = translate(message("ADT^A28", row.format("111^PRN^PH^^^^^^^^^0912000001")))
    same = translate(message("ADT^A28", row.format("0912000001^PRN^PH^^^^^^^^^0912000001")))

    assert [one["value"] for one in patient(other)["telecom"]] == ["0912000001"]
    fates = [{a.place: a.fate for a in t.ledger}["PID[1]-13[1].1"] for t in (other, same)]
    assert fates == [Fate.UNMAPPED, Fate.MAPPED]


def test_a_county_named_by_its_words_alone_is_the_district(translate: Translate, message: Build) -> None:
    row = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ||1961|M|||Số 1^^Hạ Long^^^^home^^&Hồng Gai"
    (place,) = patient(translate(message("ADT^A28", row)))["address"]

    assert (place["district"], place["use"]) == ("Hồng Gai", "home")

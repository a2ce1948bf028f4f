"""Next of kin, and the newborn under its mother's name."""

from collections.abc import Callable

from bundles import made

from adapters.contract import Fate, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

BABY = "PID|1||QN0006^^^22T01^MR||TRẦN^THỬ^THỊ||202611040217|F"


def test_a_newborn_under_its_mothers_name_has_a_stand_in_name_and_no_link_to_her(
    translate: Translate, message: Build
) -> None:
    translation = translate(message("ADT^A01", BABY, "NK1|1|TRẦN^THỬ^THỊ|MTH^Mẹ", "PV1|1|I"))

    [baby] = made(translation, "Patient")
    [mother] = made(translation, "RelatedPerson")
    assert baby["name"] == [{"use": "temp", "text": "TRẦN THỊ THỬ", "family": "TRẦN", "given": ["THỊ", "THỬ"]}]
    assert "link" not in baby
    assert mother["relationship"][0]["coding"][0]["code"] == "MTH"  # type: ignore[index]


def test_a_child_with_a_name_of_its_own_keeps_it(translate: Translate, message: Build) -> None:
    body = message("ADT^A01", BABY.replace("THỬ^THỊ", "AN^BÌNH"), "NK1|1|TRẦN^THỬ^THỊ|MTH^Mẹ", "PV1|1|I")

    assert "use" not in made(translate(body), "Patient")[0]["name"][0]  # type: ignore[index]


def test_a_newborn_whose_mother_is_a_number_alone_has_a_stand_in_name(translate: Translate, message: Build) -> None:
    young = BABY.replace("20261104", "20261028") + "|" * 13 + "QN0002^^^22T01^MR"
    grown = young.replace("20261028", "20260101")

    names = [made(translate(message("ADT^A01", pid, "PV1|1|I")), "Patient")[0]["name"] for pid in (young, grown)]
    assert [name[0].get("use") for name in names] == ["temp", None]  # type: ignore[index]


def test_the_mother_named_twice_is_one_person(translate: Translate, message: Build) -> None:
    body = message("ADT^A01", BABY + "|" * 13 + "QN0002^^^22T01^MR", "NK1|1|TRẦN^THỬ^THỊ|MTH^Mẹ", "PV1|1|I")

    [mother] = made(translate(body), "RelatedPerson")
    assert mother["identifier"][0]["value"] == "QN0002"  # type: ignore[index]


def test_a_relative_keeps_its_id_when_the_list_is_sent_in_another_order(translate: Translate, message: Build) -> None:
    one, two = "NK1|1|VŨ^MẪU^THỊ|SPO", "NK1|2|VŨ^BA^VĂN|BRO"

    def ids(*rows: str) -> set[object]:
        return {person["id"] for person in made(translate(message("ADT^A28", BABY, *rows)), "RelatedPerson")}

    assert ids(one, two) == ids(two, one)


def test_a_mothers_name_in_place_of_her_number_is_her_name(translate: Translate, message: Build) -> None:
    for more in ((), ("NK1|1|TRẦN^THỬ^THỊ|MTH^Mẹ",)):
        body = message("ADT^A01", BABY.replace("THỬ^THỊ", "AN^BÌNH") + "|" * 13 + "TRẦN^THỬ^THỊ", *more, "PV1|1|I")
        translation = translate(body)
        [mother] = made(translation, "RelatedPerson")

        assert [name["text"] for name in mother["name"]] == ["TRẦN THỊ THỬ"]
        assert "identifier" not in mother
        assert {a.fate for a in translation.ledger if a.place.startswith("PID[1]-21")} == {Fate.MAPPED}


def test_a_mothers_name_that_the_header_gives_too_is_one_name(translate: Translate, message: Build) -> None:
    row = "PID|1||QN0006^^^22T01^MR||TRẦN^AN|TRẦN^THỬ|20261104|F" + "|" * 13 + "TRẦN^THỬ~QN0002^^^22T01^MR"
    [mother] = made(translate(message("ADT^A01", row, "PV1|1|I")), "RelatedPerson")

    assert [name["text"] for name in mother["name"]] == ["TRẦN THỬ"]
    assert [mark["value"] for mark in mother["identifier"]] == ["QN0002"]

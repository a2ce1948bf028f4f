"""People with a number, as one message names them again and again."""

from collections.abc import Callable

from adapters.contract import Translation

PID = "PID|1||QN1^^^22T01^MR||A^B"
ORC = "ORC|NW|1|2|||||||||{}"
OBR = "OBR|1|1|2|GLU|||2026|||||||||{}"


def doctors(translation: Translation) -> list[dict[str, object]]:
    made = (entry["resource"] for entry in translation.bundle["entry"])
    return [resource for resource in made if resource["resourceType"] == "Practitioner"]


def went(translation: Translation, place: str) -> dict[str, tuple[str, ...]]:
    return {
        account.place.removeprefix(place): account.targets
        for account in translation.ledger
        if account.place.startswith(place)
    }


def test_a_doctor_named_again_in_the_same_words_goes_to_the_same_places(
    translate: Callable[[bytes], Translation], message: Callable[..., bytes]
) -> None:
    said = "BS1^PHẠM^AN^MINH^^BS^^^BYT^L"
    translation = translate(message("ORU^R01", PID, ORC.format(said), OBR.format(said)))

    assert [doctor["name"][0]["text"] for doctor in doctors(translation)] == ["PHẠM MINH AN"]
    assert all(went(translation, "OBR[1]-16[1]").values())
    assert went(translation, "ORC[1]-12[1]") == went(translation, "OBR[1]-16[1]")


def test_a_doctor_named_in_other_words_between_keeps_both_names(
    translate: Callable[[bytes], Translation], message: Callable[..., bytes]
) -> None:
    one, other = "BS1^PHẠM^AN^MINH", "BS1^PHẠM^AN"
    rows = [ORC.format(one), OBR.format(other), "OBX|1|ST|X||a||||||F|||||" + one]
    translation = translate(message("ORU^R01", PID, *rows))

    (doctor,) = doctors(translation)
    assert {name["text"] for name in doctor["name"]} == {"PHẠM MINH AN", "PHẠM AN"}
    assert [len(set(went(translation, place).values())) for place in ("ORC[1]-12[1]", "OBR[1]-16[1]")] == [3, 3]
    assert went(translation, "OBX[1]-16[1]") == went(translation, "ORC[1]-12[1]")


def test_a_degree_said_once_stays_where_the_doctor_is_named_with_less(
    translate: Callable[[bytes], Translation], message: Callable[..., bytes]
) -> None:
    full, short = "BS1^PHẠM^AN^^II^BS^CK1^^^^^^^^^^^^^^TS", "BS1^PHẠM^AN^^II^BS^CK1"
    (doctor,) = doctors(translate(message("ORU^R01", PID, ORC.format(full), OBR.format(short))))

    assert doctor["name"] == [
        {"text": "PHẠM AN", "family": "PHẠM", "given": ["AN"], "prefix": ["BS"], "suffix": ["II", "CK1", "TS"]}
    ]

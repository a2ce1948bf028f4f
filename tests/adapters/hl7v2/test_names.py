"""How long a name holds, and the degree after it: other components in an XCN than in an XPN."""

from collections.abc import Callable

from adapters.contract import Fate, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]
PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN^^^^^^^^^20200101^20251231^TS||1961|M"
DOCTOR = "BS1^PHẠM^AN^MINH^^BS^^^^^^^DN^^^^^^20200102^20251230^CKII"


def named(translation: Translation, resource_type: str) -> dict[str, object]:
    (found,) = (e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == resource_type)
    (name,) = found["name"]
    return name


def test_the_days_and_the_degree_of_a_doctors_name(translate: Translate, message: Build) -> None:
    translation = translate(message("ADT^A01", PID, f"PV1|1|I|||||{DOCTOR}||||||||||||VN1"))
    name = named(translation, "Practitioner")

    assert name["period"] == {"start": "2020-01-02", "end": "2025-12-30"}
    assert name["suffix"] == ["CKII"]
    assert {a.place: a.fate for a in translation.ledger}["PV1[1]-7[1].19"] is Fate.MAPPED


def test_the_days_of_a_patients_name(translate: Translate, message: Build) -> None:
    name = named(translate(message("ADT^A28", PID)), "Patient")

    assert name["period"] == {"start": "2020-01-01", "end": "2025-12-31"}


def test_days_in_one_component_as_senders_before_2_7_write_them(translate: Translate, message: Build) -> None:
    row = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN^^^^^^^20200101&20251231||1961|M"
    doctor = "BS1^PHẠM^AN^MINH^^BS" + "^" * 11 + "20200102"
    translation = translate(message("ADT^A01", row, f"PV1|1|I|||||{doctor}||||||||||||VN1"))

    assert named(translation, "Patient")["period"] == {"start": "2020-01-01", "end": "2025-12-31"}
    assert named(translation, "Practitioner")["period"] == {"start": "2020-01-02"}


def test_what_somebody_is_called_by_is_another_name(translate: Translate, message: Build) -> None:
    row = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN^^^^^^^^^^^^Bi||1961|M"
    translation = translate(message("ADT^A28", row))
    (patient,) = (e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == "Patient")

    assert [(name.get("use"), name["text"]) for name in patient["name"]] == [
        (None, "NGUYỄN VĂN HOÀ"),
        ("nickname", "Bi"),
    ]


def test_a_partners_surname_stands_beside_ones_own(translate: Translate, message: Build) -> None:
    row = "PID|1||QN0001^^^22T01^MR||DE SMET&DE&SMET&VAN&DIJK^ANNA||1961|F"
    translation = translate(message("ADT^A28", row))
    name = named(translation, "Patient")

    parts = [(e["url"].rpartition("humanname-")[2], e["valueString"]) for e in name["_family"]["extension"]]
    assert parts == [("own-prefix", "DE"), ("own-name", "SMET"), ("partner-prefix", "VAN"), ("partner-name", "DIJK")]
    assert {a.fate for a in translation.ledger if a.place.startswith("PID[1]-5[1].1")} == {Fate.MAPPED}


def test_a_name_says_in_which_writing_it_is(translate: Translate, message: Build) -> None:
    row = "PID|1||QN0001^^^22T01^MR||佐藤^花子^^^^^L^I~サトウ^ハナコ^^^^^L^P~SATO^HANAKO^^^^^L^A||1961|F"
    (patient,) = (
        e["resource"]
        for e in translate(message("ADT^A28", row)).bundle["entry"]
        if e["resource"]["resourceType"] == "Patient"
    )

    assert [name["extension"][0]["valueCode"] for name in patient["name"]] == ["IDE", "SYL", "ABC"]

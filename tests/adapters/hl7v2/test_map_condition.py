"""DG1: the Ministry's code as given, WHO's beside it, and its role in the visit."""

from collections.abc import Callable

import pytest

from adapters.contract import Resource, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
PV1 = "PV1|1|I|||||||||||||||||VN1"


def made(translation: Translation) -> dict[str, Resource]:
    return {e["resource"]["resourceType"]: e["resource"] for e in translation.bundle["entry"]}


@pytest.mark.parametrize(
    ("sent", "who"), [("I20.0", "I20.0"), ("I200", "I20.0"), ("E11", "E11"), ("G63.2*", "G63.2"), ("M10.07", None)]
)
def test_an_icd_10_code_is_kept_as_given_with_whos_beside_it(
    translate: Translate, message: Build, sent: str, who: str | None
) -> None:
    codings = made(translate(message("ADT^A01", PID, PV1, f"DG1|1||{sent}^Chẩn đoán^I10")))["Condition"]["code"][
        "coding"
    ]

    assert codings[0]["code"] == sent
    assert codings[0]["system"].endswith("vn-icd10-cs")
    assert [c["code"] for c in codings if c["system"] == "http://hl7.org/fhir/sid/icd-10"] == ([who] if who else [])


def test_a_diagnosis_has_its_role_and_rank_in_the_visit(translate: Translate, message: Build) -> None:
    resources = made(translate(message("ADT^A03", PID, PV1, "DG1|1||E11^ĐTĐ^I10|||F|||||||||2")))

    [listed] = resources["Encounter"]["diagnosis"]
    assert listed["use"]["coding"][0]["code"] == "DD"
    assert listed["rank"] == 2
    assert resources["Condition"]["verificationStatus"]["coding"][0]["code"] == "confirmed"


def test_a_diagnosis_in_words_alone_is_kept_as_words(translate: Translate, message: Build) -> None:
    condition = made(translate(message("ADT^A01", PID, PV1, "DG1|1|||Đau ngực chưa rõ nguyên nhân||A")))["Condition"]

    assert condition["code"] == {"text": "Đau ngực chưa rõ nguyên nhân"}

"""PID-15: the language of a patient, with the code that FHIR's own value set wants."""

from collections.abc import Callable

import pytest

from adapters.contract import Resource, Translation

BCP_47 = "urn:ietf:bcp:47"


@pytest.fixture
def language(translate: Callable[[bytes], Translation], message: Callable[..., bytes]) -> Callable[[str], Resource]:
    def read(said: str) -> Resource:
        pid = f"PID|1||QN1^^^22T01^MR||A^B||||||||||{said}"
        entries = translate(message("ADT^A28", pid)).bundle["entry"]
        patient = next(e["resource"] for e in entries if e["resource"]["resourceType"] == "Patient")
        found: Resource = patient["communication"][0]["language"]
        return found

    return read


@pytest.mark.parametrize(("said", "code"), [("EN^ENGLISH^HL70296", "en"), ("vie^Tiếng Việt^L", "vi"), ("chi", "zh")])
def test_a_language_has_its_code_of_bcp_47_beside_the_senders(
    language: Callable[[str], Resource], said: str, code: str
) -> None:
    codings = language(said)["coding"]

    assert [one["code"] for one in codings] == [said.partition("^")[0], code]
    assert codings[1]["system"] == BCP_47


def test_a_language_that_is_in_bcp_47_or_in_no_table_stays_as_it_is(language: Callable[[str], Resource]) -> None:
    assert [one["system"] for one in language("vi^Tiếng Việt^ISO639")["coding"]] == [BCP_47]
    assert [one["code"] for one in language("tay^Tày^L")["coding"]] == ["tay"]

"""Words in a record."""

from typing import Any

import pytest

from fhir_gateway.search.pending import Words
from fhir_gateway.search.words import says

RECORD: dict[str, Any] = {
    "resourceType": "Condition",
    "text": {"status": "generated", "div": "<div><td>Viêm</td><td>phổi &amp; ho</td></div>"},
    "note": [{"text": "Bệnh nhân ĐÃ ổn"}, None, 7],
}


@pytest.mark.parametrize(
    ("phrases", "everywhere", "expected"),
    [
        (("viem phoi",), False, True),
        (("phoi viem",), False, True),
        (("pho",), False, True),
        (("hoi",), False, False),
        (("on dinh", "ho"), False, True),
        (("benh",), False, False),
        (("benh nhan da on",), True, True),
        (("viem",), True, True),
        (("td",), True, False),
    ],
)
def test_all_words_of_one_phrase_begin_words_of_the_record(
    phrases: tuple[str, ...], everywhere: bool, expected: bool
) -> None:
    assert says(RECORD, Words(phrases, everywhere)) is expected


def test_a_record_without_narrative_says_nothing() -> None:
    assert not says({"resourceType": "Condition"}, Words(("x",)))


def test_when_and_as_which_version_it_was_stored_is_no_content() -> None:
    stored = {**RECORD, "meta": {"versionId": "31", "lastUpdated": "2026-11-24T10:12:59.5Z", "source": "urn:x:ward-31"}}
    assert not says(stored, Words(("12.5",), True))
    assert not says(stored, Words(("2026",), True))
    assert says(stored, Words(("ward 31",), True))

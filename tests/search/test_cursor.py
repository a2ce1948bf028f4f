"""Positions between pages."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.problem import BadRequest
from fhir_gateway.search.cursor import issue, needs_index, position, resume
from fhir_gateway.search.extract import index
from fhir_gateway.search.kinds.date import interval
from fhir_gateway.search.query import parse

SECRET = b"a secret of this server"
UPDATED = datetime(2026, 1, 1, tzinfo=UTC)
PATIENT = {"resourceType": "Patient", "id": "1", "birthDate": "1980", "name": [{"family": "Đào", "text": "An Đào"}]}
QUERY = parse("Patient", [("gender", "male"), ("_sort", "family,-birthdate,_lastUpdated")])
AFTER = position(QUERY, "Patient/1", UPDATED, index(PATIENT))


def test_a_position_is_the_records_values_in_order() -> None:
    assert ("name:dao\x1fĐào\x1ffamily", interval("1980")[0], 1767225600000, "Patient/1") == AFTER


def test_a_record_without_the_value_stands_last() -> None:
    after = position(QUERY, "Patient/2", UPDATED, {})
    assert after[:2] == ("\U0010ffff", float("-inf"))


def test_a_cursor_brings_its_position_back() -> None:
    assert resume(QUERY, issue(QUERY, AFTER, SECRET), SECRET).after == AFTER
    missing = position(QUERY, "Patient/2", UPDATED, {})
    assert resume(QUERY, issue(QUERY, missing, SECRET), SECRET).after == missing


@pytest.mark.parametrize("cursor", ["", "abc", "đ", "=" * 9, "A" * 400, issue(QUERY, AFTER, b"another secret")])
def test_what_this_server_did_not_issue_is_refused(cursor: str) -> None:
    with pytest.raises(BadRequest, match="not issued"):
        resume(QUERY, cursor, SECRET)


@settings(deadline=None, max_examples=100)
@given(st.integers(0), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    text = issue(QUERY, AFTER, SECRET)
    sealed = bytearray(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(BadRequest):
        resume(QUERY, urlsafe_b64encode(sealed).decode(), SECRET)


def test_a_cursor_is_of_no_use_to_another_search() -> None:
    cursor = issue(QUERY, AFTER, SECRET)
    with pytest.raises(BadRequest, match="another search"):
        resume(parse("Patient", [("gender", "female"), ("_sort", "family,-birthdate,_lastUpdated")]), cursor, SECRET)


def test_the_next_page_may_have_another_size() -> None:
    pairs = [("gender", "male"), ("_sort", "family,-birthdate,_lastUpdated"), ("_count", "3")]
    assert resume(parse("Patient", pairs), issue(QUERY, AFTER, SECRET), SECRET).size == 3


def test_only_sorts_by_parameters_need_the_resource() -> None:
    assert needs_index(QUERY)
    assert not needs_index(parse("Patient", [("_sort", "-_lastUpdated")]))

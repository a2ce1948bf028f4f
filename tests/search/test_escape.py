"""Separators and escapes in search values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.search.escape import plain, split


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        (r"a\,b,c", ["a,b", "c"]),
        (r"a\\,b", ["a\\", "b"]),
        (r"a\|b\$c", ["a|b$c"]),
        ("a,,b", ["a", "", "b"]),
        ("ends\\", ["ends\\"]),
    ],
)
def test_only_unescaped_commas_separate(text: str, parts: list[str]) -> None:
    assert [plain(part) for part in split(text, ",")] == parts


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(r"ab,|$\ ", max_size=8), min_size=1, max_size=4))
def test_escaped_values_come_back(values: list[str]) -> None:
    table = str.maketrans({c: "\\" + c for c in ",|$\\"})
    joined = ",".join(value.translate(table) for value in values)
    assert [plain(part) for part in split(joined, ",")] == values

"""Strings, names and addresses."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.search.criteria import UNIT
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.kinds.text import index, parse
from fhir_gateway.search.registry import parameters

NAME = parameters("Organization")["name"]


def keys(text: str) -> list[str]:
    entries = Entries()
    index("name", text, entries)
    return list(entries.keys)


def test_a_name_is_kept_folded_and_as_it_was_written() -> None:
    assert keys("Bãi Cháy") == [f"name:bai chay{UNIT}Bãi Cháy{UNIT}"]


def test_a_long_text_is_found_by_its_beginning_and_exactly() -> None:
    text = "Ðiều trị " * 200
    key = keys(text)[0]
    assert len(key) < 600
    exact, other = parse(NAME, text, "exact"), parse(NAME, text + "!", "exact")
    assert exact.start <= key < (exact.stop or "")
    assert not other.start <= key < (other.stop or "")


@settings(deadline=None, max_examples=300)
@given(st.text("aăâàảđĐêôơưýỳ HNgß.*,|", min_size=1, max_size=12).filter(str.strip), st.integers(1, 12))
def test_a_text_is_found_by_each_of_its_beginnings(text: str, length: int) -> None:
    choice = parse(NAME, text.strip()[:length].replace("|", "\\|"), "")
    assert choice.start <= keys(text.strip())[0] < (choice.stop or "")


def test_a_text_is_not_found_by_what_it_does_not_begin_with() -> None:
    choice = parse(NAME, "chay", "")
    assert not choice.start <= keys("Bãi Cháy")[0] < (choice.stop or "")


@settings(deadline=None, max_examples=200)
@given(st.text("ab.*+(\\[$ ", min_size=1, max_size=6))
def test_what_is_searched_inside_is_literal(text: str) -> None:
    choice = parse(NAME, text.replace("\\", "\\\\"), "contains")
    assert choice.pattern is not None
    assert re.search(choice.pattern, keys(f"x{text}y")[0])
    assert not re.search(choice.pattern, keys("zzz")[0]) or not text.strip()

"""What is written can be read back: any text, any signs, any character set that can hold it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Untranslatable
from adapters.hl7v2.legacy import converted
from adapters.hl7v2.parse import parse
from adapters.hl7v2.read import Reading
from adapters.hl7v2.write import Pen, encoded

LEAF = st.text(st.sampled_from("aạĐ|^~\\&#*+! 7\n"), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text and '""' not in text
)


def header(pen: Pen) -> None:
    pen.header({3: "A", 9: ("ADT", "A01"), 10: "1", 12: "2.5.1", 18: pen.charset})


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(["|^~\\&", "#*+!$", "|^~\\&#"]), st.lists(LEAF, min_size=3, max_size=3))
def test_what_was_written_is_read_back(marks: str, leaves: list[str]) -> None:
    pen = Pen(marks)
    header(pen)
    pen.row("ZZZ", {2: [(leaves[0], (leaves[1], leaves[2])), "second"]})
    first, second = Reading(parse(pen.message())).segments[1].values(2)

    assert [first.peek(1), first.peek(2), first.peek(2, 2)] == leaves
    assert second.peek(1) == "second"


def test_what_says_nothing_is_not_written() -> None:
    pen = Pen()
    header(pen)
    pen.row("ZZZ", {1: "", 2: ("", ""), 3: [""]})
    pen.row("ZZY", {1: "a", 9: ""})

    assert pen.message().decode().split("\r")[1:] == ["ZZY|a", ""]


@pytest.mark.parametrize("charset", ["UNICODE UTF-8", "windows-1258", "TCVN3", "VNI"])
def test_vietnamese_is_held_by_every_set_made_for_it(charset: str) -> None:
    text = "Nguyễn Thị Quỳnh, đường Hạ Long, phường Bãi Cháy"
    pen = Pen(charset=charset)
    header(pen)
    pen.row("ZZZ", {1: text})
    legacy = charset if charset in ("TCVN3", "VNI") else ""

    assert Reading(parse(pen.message(), legacy), legacy).segments[1].peek(1) == text


@pytest.mark.parametrize(("kind", "text"), [("VNI", "ĐẶNG THUỲ"), ("TCVN3", "ĐẶNG THUỲ")])
def test_capitals_of_a_font_come_back(kind: str, text: str) -> None:
    assert converted(encoded(text, kind).decode("iso8859-1"), kind) == text


@pytest.mark.parametrize("charset", ["8859/1", "ASCII", "TCVN3"])
def test_a_set_that_cannot_hold_the_text_is_named(charset: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        encoded("日本 Hết", charset)

    assert refused.value.where == "MSH-18"
    assert charset in refused.value.reason

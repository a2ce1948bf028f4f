"""Plain inner files: what is cut by a pattern reads as libxml2 reads it, and whatever is not plain is left to it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.reading import Reading
from adapters.vn_xml import parse
from adapters.vn_xml.plain import plain

ROW = "CHI_TIET_THUOC"
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
NAMES = ("MA_LK", "STT", "TEN_THUOC", "LA_LUNG", "SO_LUONG")
TEXTS = ("", " ", "1", " a\r\nb ", "Đường", "a &lt; b", "<![CDATA[ <b> & c ]]>", "&#65;", "x > y", "e\u0302", "\u00a0")
STRANGE = (
    "<!-- -->",
    "text",
    "<A><B>1</B></A>",
    "<STT />",
    '<A b="c">1</A>',
    "&nbsp;",
    "<A>]]></A>",
    "\x01",
    "\ufffe",
    "<A",
)


def table(rows: str) -> str:
    return f"<CHITIEU_CHITIET_THUOC>\n<DSACH_CHI_TIET_THUOC>{rows}</DSACH_CHI_TIET_THUOC></CHITIEU_CHITIET_THUOC>\n"


def fields(*pairs: tuple[str, str]) -> str:
    return f"<{ROW}>{''.join(f'<{name}>{text}</{name}>' for name, text in pairs)}</{ROW}>\n"


def read(inner):
    """Rows with their places and fields, ledger and notices."""
    reading = Reading()
    records = list(parse._records("XML2", inner, "/XML2", reading))
    rows = [(record.place, dict(zip(record.fields, record.texts(), strict=True))) for record in records]
    return rows, reading.tally.close(), reading.notices


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    pairs = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(TEXTS)), max_size=6)
    rows = [fields(*each) for each in draw(st.lists(pairs, max_size=4))]
    text = draw(st.sampled_from(("", HEAD))) + table("".join(rows))
    if draw(st.booleans()):
        place = draw(st.sampled_from([found.start() for found in re.finditer("<", text)]))
        text = text[:place] + draw(st.sampled_from(STRANGE)) + text[place:]
    return text.encode()


@settings(deadline=None, max_examples=250)
@given(body=bodies())
def test_what_is_cut_by_the_pattern_is_what_the_parser_reads(body):
    found = plain(body)
    if found is not None:
        assert read(found) == read(parse._tree(body, ""))


@pytest.mark.parametrize("strange", [*STRANGE[:3], *STRANGE[4:], fields(), f"<{ROW}/>"])
def test_what_is_not_of_the_plain_kind_is_left_to_the_parser(strange):
    body = table(fields(("STT", "1")))
    assert plain(body.encode()) is not None
    assert plain(body.replace("<STT>", f"{strange}<STT>").encode()) is None


@pytest.mark.parametrize(
    "body",
    [
        table(fields(("STT", "1"), ("STT", "2"))),
        table(""),
        table("<STT>1</STT>"),
        table(fields(("STT", "1")))[:-5],
        f"<!DOCTYPE A>{table(fields(('STT', '1')))}",
        table(fields(("STT", "1"))).replace("<DSACH", "<DSACH_2><DSACH"),
        "<LA_LUNG><STT>1</STT></LA_LUNG>",
        "",
    ],
)
def test_a_table_that_needs_a_closer_look_is_left_to_the_parser(body):
    assert plain(body.encode()) is None


def test_cdata_and_entities_give_what_they_mean():
    found = plain(table(fields(("STT", "<![CDATA[ <1> & ]]>"), ("MA_LK", "a &amp;lt; &quot;"))).encode())
    assert found is not None
    assert found.rows == ({"STT": "<1> &", "MA_LK": 'a &lt; "'},)


def test_the_declarations_that_net_writes_on_the_root_are_plain():
    declared = '<TONG_HOP xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><MA_LK>1</MA_LK><STT /></TONG_HOP>'
    found = plain(declared.encode())
    assert found is not None
    assert (found.rows, found.single) == (({"MA_LK": "1"},), True)

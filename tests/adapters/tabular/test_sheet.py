"""Rows and cells of every form of table, and where they stand."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Untranslatable
from adapters.tabular.encoding import decoded
from adapters.tabular.sheet import read


def sheet(body, declared=(), delimiter="", first=0):
    return read(decoded(body.encode() if isinstance(body, str) else body, declared), delimiter, first)


def texts(found):
    return [{name: cell.text for name, cell in row.cells.items()} for row in found.rows]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_and_any_line_end_ends_a_row(sign, end):
    body = end.join([sign.join(row) for row in (("a", "b"), ("1", "2"), ("3", ""))]) + end
    assert texts(sheet(body)) == [{"a": "1", "b": "2"}, {"a": "3"}]


def test_a_quoted_cell_holds_delimiters_line_ends_and_doubled_quotes():
    assert texts(sheet('a,b\n"1,\r\n""x""",2\n')) == [{"a": '1,\r\n"x"', "b": "2"}]


def test_a_delimiter_within_quotes_of_the_header_does_not_count():
    assert sheet('"a,b,c";d\n1;2\n').columns == ("a,b,c", "d")


def test_empty_rows_are_passed_over_and_still_counted():
    assert [row.number for row in sheet("a,b\n1,2\n,\n\n3,4\n").rows] == [2, 5]


@pytest.mark.parametrize(
    ("body", "where", "reason"),
    [
        ("a,,b\n1,2,3\n", "row 1", "column 2 has no name"),
        ("a,b,a\n", "row 1", "more than once"),
        ('a,b\n"1,2\n', "line 2, column 1", "not closed"),
        ('a,b\n"1"x,2\n', "line 2, column 4", "follows the closing quote"),
        ("[{},3]", "row 2", "JSON object"),
        ('[{"a":1}] x', "line 1, column 10", "follows the end"),
        ('[{"a":1,"a":2}]', "line 1, column 9", "same member twice"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(body, where, reason):
    with pytest.raises(Untranslatable, match=reason) as refused:
        sheet(body)
    assert refused.value.where == where


def test_a_row_with_more_cells_than_names_is_told_and_keeps_them():
    row = sheet("a,b\n1,2,3\n").rows[0]
    assert row.fault
    assert {name: cell.text for name, cell in row.cells.items()} == {"a": "1", "b": "2", "[3]": "3"}


def test_json_members_are_named_by_their_path_and_numbers_keep_their_text():
    body = '[{"a":{"b":7.20,"c":[true,null,"x"]},"d":""}]'
    assert texts(sheet(body)) == [{"a.b": "7.20", "a.c[0]": "true", "a.c[2]": "x"}]


def test_ndjson_is_an_object_a_line():
    found = sheet('{"a":1}\n\n{"a":2}\n')
    assert [(row.number, row.cells["a"].text) for row in found.rows] == [(1, "1"), (2, "2")]


@pytest.mark.parametrize(
    ("encoding", "mark", "declared"),
    [("utf-8", b"\xef\xbb\xbf", ()), ("utf-16-le", b"\xff\xfe", ()), ("utf-16-be", b"\xfe\xff", ()),
     ("cp1258", b"", ("windows-1258",)), ("utf-8", b"", ("utf-8", "windows-1258"))],
)  # fmt: skip
def test_each_encoding_gives_the_same_text_and_true_offsets(encoding, mark, declared):
    text = "mã,tên\n1,Hò\n2,É\n"
    body = mark + text.encode(encoding, "replace")
    found = sheet(body, declared)
    for row in found.rows:
        for cell in row.cells.values():
            start, end = (found.text.ruler.at(at) for at in cell.span)
            assert body[start:end].decode(encoding) == cell.text


def test_windows_1258_letters_with_marks_of_their_own_are_put_together():
    body = "a\nViê\u0323t\n".encode("cp1258")
    assert texts(sheet(body, ("windows-1258",))) == [{"a": "Việt"}]


@pytest.mark.parametrize(
    ("body", "declared", "reason"),
    [
        (b"a\n\xea\n", (), "not utf-8"),
        (b"a\n1\n", ("TCVN3",), "a font"),
        (b"a\n1\n", ("klingon",), "not known"),
        ("a\n1\n".encode("utf-16-le"), (), "zero character"),
    ],
)
def test_what_cannot_be_text_is_refused(body, declared, reason):
    with pytest.raises(Untranslatable, match=reason):
        sheet(body, declared)


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=("Cs",)), max_size=6)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=5), st.sampled_from([",", ";", "\t"]))
def test_what_a_csv_writer_writes_is_read_back_with_its_bytes(rows, sign):
    written = io.StringIO()
    csv.writer(written, delimiter=sign, quoting=csv.QUOTE_ALL).writerows([["x", "y", "z"], *rows])
    body = written.getvalue().encode()
    found = sheet(body, delimiter=sign)
    kept = [list(row) for row in rows if any(cell.strip() for cell in row)]
    assert len(found.rows) == len(kept)
    for row, source in zip(found.rows, kept, strict=True):
        assert len(row.cells) == sum(1 for cell in source if cell.strip())
        for cell in row.cells.values():
            assert body[found.text.ruler.at(cell.span[0])] == ord('"')

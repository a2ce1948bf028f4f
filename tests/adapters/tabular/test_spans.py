"""The bytes of a cell, cut out of the message, are what the adapter read."""

import pytest

from adapters.tabular.encoding import decoded
from adapters.tabular.sheet import read
from adapters.tabular.spans import spans

EXPORT = 'MÃ;TÊN;GHI CHÚ\nT1;Nguyễn Thị Lan;"a;b\n""c"""\nT2;;x, y\n'


def cut(body, delimiter=""):
    sheet = read(decoded(body, ()), delimiter, 0)
    cells = {f"{row.number}/{name}": cell for row in sheet.rows for name, cell in row.cells.items()}
    found = spans(body, {place: sheet.text.ruler.at(cell.span[0]) for place, cell in cells.items()} | {"row 9": None})
    bytes_of = {place: body[span.offset : span.offset + span.length] for place, span in found.items()}
    return {place: cell.text for place, cell in cells.items()}, bytes_of, sheet.text.encoding


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_cell_is_cut_out_of_the_bytes_with_its_quotation_marks(encoding):
    texts, found, read_as = cut(EXPORT.encode(encoding))
    cells = {place: cell.decode(read_as) for place, cell in found.items()}
    plain = {place: cell[1:-1].replace('""', '"') if cell[0] == '"' else cell for place, cell in cells.items()}
    assert plain == texts
    assert found["2/GHI CHÚ"].decode(read_as) == '"a;b\n""c"""'


def test_a_delimiter_that_only_the_hospital_file_names_ends_a_cell_too():
    _, found, _ = cut(b"a~b\n1,5~2\n", "~")
    assert found == {"2/a": b"1,5", "2/b": b"2"}


def test_the_only_column_ends_with_its_line():
    _, found, _ = cut(b"a\r\n12\r\n", ",")
    assert found == {"2/a": b"12"}


def test_rows_as_json_end_where_the_value_does():
    texts, found, _ = cut(b'[{"a": "Lan", "b": 7.20}]')
    assert (texts, found) == ({"1/a": "Lan", "1/b": "7.20"}, {"1/a": b'"Lan"', "1/b": b"7.20"})

"""An export as rows of named cells, each knowing its place and first byte; CSV, TSV, JSON arrays, NDJSON.

https://www.rfc-editor.org/rfc/rfc4180#section-2
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import normalize

from adapters.contract import Untranslatable
from adapters.json_text import Leaf, Value, elements, values
from adapters.ruler import line_and_column
from adapters.tabular.encoding import Text

DELIMITERS = ",;\t|"
HEADER_ROW = 1
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Cell:
    """The value of one column in one row. ``span`` are its first character and the one after its last."""

    text: str
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` is what a spreadsheet shows: the header is row 1. In JSON the first object is row 1."""

    number: int
    cells: dict[str, Cell]
    span: tuple[int, int]
    fault: str = ""

    @property
    def place(self) -> str:
        return f"row {self.number}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows in order. ``head`` is the part of the text that every piece of it has to begin with."""

    text: Text
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    head: tuple[int, int]
    form: str


def read(text: Text, delimiter: str, first: int) -> Sheet:
    """The rows of the text; ``first`` is the number of its first row of data, 0 where it is a whole file.

    Raises Untranslatable with a place when it is no table.
    """
    start = text.text.lstrip()[:1]
    if start in ("[", "{"):
        return _json(text, start, first or 1)
    return _separated(text, delimiter or _delimiter(text.text), first or HEADER_ROW + 1)


def _delimiter(text: str) -> str:
    """The sign that parts the header's names: the most frequent outside quotes."""
    outside = re.sub(r'"[^"]*"', "", _LINE_END.split(text.lstrip("\r\n"), maxsplit=1)[0])
    counts = Counter(sign for sign in outside if sign in DELIMITERS)
    return counts.most_common(1)[0][0] if counts else ","


def _separated(text: Text, delimiter: str, first: int) -> Sheet:
    records = _records(text.text, delimiter)
    header = next(records, None)
    if header is None:
        raise Untranslatable("the export is empty: a first row with the names of the columns is needed", "row 1")
    names = _header(header)
    rows, number = [], first
    for cells in records:
        if any(cell.text for cell in cells):
            rows.append(_row(number, names, cells))
        number += 1
    end = header[-1].span[1]
    line_end = _LINE_END.match(text.text, end)
    return Sheet(text, names, tuple(rows), (0, line_end.end() if line_end else end), "separated")


def _header(cells: list[Cell]) -> tuple[str, ...]:
    names = [cell.text for cell in cells]
    while names and not names[-1]:
        names.pop()
    if "" in names:
        raise Untranslatable(f"column {names.index('') + 1} has no name", "row 1")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Untranslatable(f'the header names the column "{twice[0]}" more than once', "row 1")
    return tuple(names)


def _row(number: int, names: tuple[str, ...], cells: list[Cell]) -> Row:
    span = (cells[0].span[0], cells[-1].span[1])
    more = [cell for cell in cells[len(names) :] if cell.text]
    extra = {f"[{n}]": cell for n, cell in enumerate(cells[len(names) :], len(names) + 1) if cell.text}
    fault = f"the row has {len(cells)} cells, the header names {len(names)}" if more else ""
    named = {name: cell for name, cell in zip(names, cells, strict=False) if cell.text}
    return Row(number, {**named, **extra}, span, fault)


def _records(text: str, delimiter: str) -> Iterator[list[Cell]]:
    """Records of cells; a quoted cell may hold delimiters, line ends and doubled quotes."""
    plain = re.compile(rf"[^{re.escape(delimiter)}\r\n]*")
    position, length, cells = 0, len(text), []
    while position < length:
        cell, position = _cell(text, position, plain)
        cells.append(cell)
        if text[position : position + 1] == delimiter:
            position += 1
            if position < length:
                continue
            cells.append(Cell("", (position, position)))
        yield cells
        cells = []
        ending = _LINE_END.match(text, position)
        position = ending.end() if ending else position


def _cell(text: str, start: int, plain: re.Pattern[str]) -> tuple[Cell, int]:
    if text[start : start + 1] != '"':
        found = plain.match(text, start)
        end = found.end() if found else start
        return Cell(_clean(text[start:end]), (start, end)), end
    end = text.find('"', start + 1)
    while end != -1 and text[end + 1 : end + 2] == '"':
        end = text.find('"', end + 2)
    if end == -1:
        raise Untranslatable("a quoted cell is not closed before the end of the file", line_and_column(text, start))
    after = plain.match(text, end + 1)
    if after and after[0].strip():
        raise Untranslatable("something follows the closing quote of a cell", line_and_column(text, end + 1))
    stop = after.end() if after else end + 1
    return Cell(_clean(text[start + 1 : end].replace('""', '"')), (start, stop)), stop


def _clean(text: str) -> str:
    return normalize("NFC", text.strip())


def _json(text: Text, start: str, first: int) -> Sheet:
    begin = len(text.text) - len(text.text.lstrip())
    found = elements(text.text, begin) if start == "[" else values(text.text)
    rows = tuple(_object(number, value) for number, value in enumerate(found, first))
    columns = {name: None for row in rows for name in row.cells}
    return Sheet(text, tuple(columns), rows, (0, 0), "array" if start == "[" else "lines")


def _object(number: int, value: Value) -> Row:
    if not isinstance(value.value, dict):
        raise Untranslatable("each row must be a JSON object", f"row {number}")
    cells = {leaf.path: Cell(_plain(leaf), (leaf.start, leaf.end)) for leaf in value.leaves}
    return Row(number, {name: cell for name, cell in cells.items() if cell.text}, (value.start, value.end))


def _plain(leaf: Leaf) -> str:
    if isinstance(leaf.value, bool):
        return "true" if leaf.value else "false"
    return _clean(str(leaf.value)) if leaf.value is not None else ""

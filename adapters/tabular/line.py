"""One row on its way into FHIR: its fields by name, and what became of each of its cells.

https://hl7.org/fhir/R4/datatypes.html
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files

from adapters.contract import Hospital, Notice, Resource, Untranslatable
from adapters.draft import Draft
from adapters.tabular import times
from adapters.tabular.kinds import BOOLEAN, DATE, TIME
from adapters.tabular.numbers import amount
from adapters.tabular.sheet import Cell, Row
from adapters.tabular.table import Column, Table
from adapters.tally import Tally

ICD10_WHO = "http://hl7.org/fhir/sid/icd-10"
_ICD10 = re.compile(r"([A-Z]\d\d)\.?(\d{0,2})[†*+]?")


def _standard() -> dict[tuple[str, str], str]:
    text = files("adapters.tabular").joinpath("codes/values.csv").read_text(encoding="utf-8")
    return {(row["field"], row["source"].casefold()): row["code"] for row in csv.DictReader(text.splitlines())}


STANDARD = _standard()


@dataclass(slots=True)
class Export:
    """What all rows of a message share while they are mapped."""

    hospital: Hospital
    table: Table
    draft: Draft
    tally: Tally = field(default_factory=Tally)
    notices: list[Notice] = field(default_factory=list)


@dataclass(slots=True)
class Line:
    """A row seen through its table. ``target`` is the resource its fields go to (``Type/id``)."""

    export: Export
    row: Row
    target: str = ""

    @property
    def hospital(self) -> Hospital:
        return self.export.hospital

    @property
    def columns(self) -> Mapping[str, Column]:
        return self.export.table.columns

    def place(self, column: str) -> str:
        """Where the cell of a column is: ``row 12, column "NGAY_SINH"``."""
        return f'{self.row.place}, column "{column}"'

    def fields(self, name: str) -> list[tuple[Column, Cell]]:
        """The columns of a field that hold something in this row."""
        return [(c, self.row.cells[c.name]) for c in self.export.table.of(name) if c.name in self.row.cells]

    def peek(self, name: str) -> str:
        """The text of a field; nothing is recorded."""
        found = self.fields(name)
        return found[0][1].text if found else ""

    def text(self, name: str, path: str) -> str:
        """The text of a field, which goes to ``path`` of the resource."""
        for column, cell in self.fields(name):
            self.took(column, path)
            return cell.text
        return ""

    def took(self, column: Column, path: str) -> None:
        self.export.tally.take(self.place(column.name), f"{self.target}#{path}")

    def note(self, column: Column, text: str) -> None:
        self.export.notices.append(Notice(self.place(column.name), text))

    def day(self, name: str, path: str) -> str | None:
        return self._time(name, path, whole=False)

    def moment(self, name: str, path: str) -> str | None:
        return self._time(name, path, whole=True)

    def _time(self, name: str, path: str, *, whole: bool) -> str | None:
        for column, cell in self.fields(name):
            made = times.moment(cell.text, column.format, self.hospital.offset)
            if made is None:
                self._unreadable(column, f"not a date of the form {' or '.join(column.format) or 'yyyy-MM-dd'}")
                return None
            self.took(column, path)
            return made if whole else made[:10]
        return None

    def yes(self, name: str, path: str) -> bool | None:
        for column, cell in self.fields(name):
            said = STANDARD.get((BOOLEAN, cell.text.casefold()))
            if said is None:
                self._unreadable(column, "neither yes nor no")
                return None
            self.took(column, path)
            return said == "true"
        return None

    def known(self, name: str, path: str) -> str:
        """The FHIR code of a field with a closed list, by the hospital's own table or the words of ``values.csv``."""
        for column, cell in self.fields(name):
            own = self.hospital.codes.get(column.codes, {}).get(cell.text)
            code = own.code if own else STANDARD.get((name, cell.text.casefold()), "")
            if not code:
                self._unreadable(column, "the code is not in its table")
                return ""
            self.took(column, path)
            return code
        return ""

    def number(self, column: Column, cell: Cell) -> tuple[str, Resource] | None:
        """Comparator and number of a cell; None when it is no unambiguous number."""
        found = amount(cell.text, self.export.table.comma)
        return (found[0], {"value": found[1]}) if found else None

    def concept(self, code: str, name: str, path: str) -> Resource:
        """A code with its words: the source's own first, then what the hospital's table and the standard say."""
        coding: list[Resource] = []
        for column, cell in self.fields(code):
            coding = self._codings(column, cell.text)
            self.took(column, f"{path}.coding[0].code")
        text = self.text(name, f"{path}.text") if name else ""
        return {"coding": coding, "text": text or (coding[-1].get("display") or coding[0]["code"])} if coding else (
            {"text": text} if text else {}
        )  # fmt: skip

    def _codings(self, column: Column, code: str) -> list[Resource]:
        made: list[Resource] = [{"system": self.system(column), "code": code}]
        local = self.hospital.codes.get(column.codes, {}).get(code)
        if local:
            made.append({"system": local.system, "code": local.code, "display": local.display})
        elif column.codes:
            self.note(column, f"the code is not in the hospital's table {column.codes}; kept as given")
        shape = _ICD10.fullmatch(code) if column.system == "icd10" else None
        if shape:
            stem, rest = shape.groups()
            made.append({"system": ICD10_WHO, "code": f"{stem}.{rest}" if rest else stem})
        return made

    def system(self, column: Column) -> str:
        """The system of a column's own codes: a key of the hospital's systems, a URI, or one made of its names."""
        named = column.system
        if named:
            return self.hospital.systems.get(named, named)
        return f"urn:vn:quang-ninh:{self.hospital.name}:{column.codes or column.name}".replace(" ", "-")

    def _unreadable(self, column: Column, reason: str) -> None:
        """A cell that is not what the hospital's file says; the row cannot do without it where it is required."""
        if column.required:
            raise Untranslatable(f"{reason}, and {column.key} requires it", self.place(column.name))
        self.note(column, f"{reason}; left unmapped")

    def key(self, *parts: str) -> str:
        """The row's local key: its own number, else what it says; the same row again is the same resource."""
        number = self.peek("number")
        if number:
            return number
        said = "\x1f".join(
            f"{column.field}={self.row.cells[name].text}"
            for name, column in sorted(self.columns.items())
            if column.field and name in self.row.cells
        )
        return "|".join((*parts, sha256(said.encode()).hexdigest()[:16]))


def opened(export: Export, row: Row, offset_of: Mapping[str, int]) -> Line:
    """The row with each of its cells in the ledger. Raises Untranslatable when it cannot be used as a whole."""
    line = Line(export, row)
    for name in row.cells:
        column = export.table.columns.get(name)
        export.tally.present(line.place(name), offset_of[name])
        if column is not None and column.ignore:
            export.tally.ignore(line.place(name), column.ignore)
    _check(line)
    return line


def _check(line: Line) -> None:
    if line.row.fault:
        raise Untranslatable(line.row.fault, line.row.place)
    for column in line.columns.values():
        cell = line.row.cells.get(column.name)
        needed = column.required or column.field in line.export.table.kind.required
        repeated = column.field in line.export.table.kind.repeats and not column.required
        if cell is None and needed and not repeated:
            raise Untranslatable(f"empty, and {column.key} requires it", line.place(column.name))
        kind = line.export.table.kind.fields.get(column.field)
        if cell is not None and kind in (DATE, TIME) and times.is_serial(cell.text):
            raise Untranslatable(times.SERIAL, line.place(column.name))

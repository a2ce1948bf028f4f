"""What a hospital's file says about one of its exports: which rows it holds and which column is which field.

Faults of the file are told with its own keys, so that whoever wrote it finds the line.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import Untranslatable
from adapters.tabular.kinds import CODE, DATE, DECIMAL, KINDS, TIME, Kind

_TABLE_KEYS = frozenset({"rows", "delimiter", "encoding", "decimal", "category", "columns"})
_OPTIONS: Mapping[str, frozenset[str]] = {
    "format": frozenset({DATE, TIME}),
    "codes": frozenset({CODE}),
    "system": frozenset({CODE}),
    "unit": frozenset({DECIMAL}),
    "code": frozenset({DECIMAL}),
    "name": frozenset({DECIMAL}),
}
_COLUMN_KEYS = frozenset({"field", "required", "ignore", *_OPTIONS})


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the hospital's file describes it. ``key`` is where it says so; ``ignore`` a written reason."""

    name: str
    key: str
    field: str = ""
    ignore: str = ""
    required: bool = False
    format: tuple[str, ...] = ()
    codes: str = ""
    system: str = ""
    unit: str = ""
    code: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of export of a hospital."""

    name: str
    kind: Kind
    columns: Mapping[str, Column]
    delimiter: str = ""
    encoding: str = ""
    comma: bool = False
    category: str = ""

    def of(self, field: str) -> tuple[Column, ...]:
        """The columns that hold a field; several only for the values of a wide table."""
        return tuple(column for column in self.columns.values() if column.field == field)

    def missing(self, there: Iterable[str]) -> list[Column]:
        """The columns the rows cannot do without that the export lacks."""
        present = frozenset(there)
        return [c for c in self.columns.values() if c.name not in present and (c.required or self._needed(c))]

    def _needed(self, column: Column) -> bool:
        return column.field in self.kind.required


def tables(described: Mapping[str, Mapping[str, Any]]) -> tuple[Table, ...]:
    """The tables of a hospital. Raises Untranslatable that names the key of its file that is wrong."""
    return tuple(_table(name, content) for name, content in described.items())


def _table(name: str, content: Mapping[str, Any]) -> Table:
    key = f"[tables.{name}]"
    _known(content, _TABLE_KEYS, key)
    kind = KINDS.get(content.get("rows", ""))
    if kind is None:
        raise Untranslatable(f"{key} rows must be one of {', '.join(KINDS)}", key)
    columns = {column: _column(name, column, given, kind) for column, given in content.get("columns", {}).items()}
    _complete(columns, kind, key)
    if content.get("decimal", ".") not in (".", ","):
        raise Untranslatable(f'{key} decimal must be "." or ","', key)
    return Table(
        name,
        kind,
        columns,
        delimiter=str(content.get("delimiter", "")),
        encoding=str(content.get("encoding", "")),
        comma=content.get("decimal") == ",",
        category=str(content.get("category", "")),
    )


def _complete(columns: Mapping[str, Column], kind: Kind, key: str) -> None:
    fields = [column.field for column in columns.values() if column.field]
    lacking = [field for field in kind.required if field not in fields]
    if lacking:
        raise Untranslatable(f"{key} names no column for {', '.join(lacking)}, which {kind.name} rows need", key)
    twice = sorted({field for field in fields if fields.count(field) > 1 and field not in kind.repeats})
    if twice:
        raise Untranslatable(f"{key} names two columns for {twice[0]}", key)


def _column(table: str, name: str, given: Any, kind: Kind) -> Column:
    key = f'[tables.{table}.columns] "{name}"'
    content = {"field": given} if isinstance(given, str) else given
    if not isinstance(content, dict):
        raise Untranslatable(f"{key} must be the name of a field, or a table with field or ignore", key)
    _known(content, _COLUMN_KEYS, key)
    if "ignore" in content:
        return Column(name, key, ignore=str(content["ignore"]))
    field = str(content.get("field", ""))
    if field not in kind.fields:
        known = ", ".join(kind.fields)
        raise Untranslatable(f"{key}: {kind.name} rows have no field {field!r}; they have {known}", key)
    for option, types in _OPTIONS.items():
        if option in content and kind.fields[field] not in types:
            raise Untranslatable(f"{key}: {option} is for {' and '.join(sorted(types))}, {field} is none", key)
    formats = content.get("format", ())
    return Column(
        name,
        key,
        field,
        required=bool(content.get("required", False)),
        format=(formats,) if isinstance(formats, str) else tuple(formats),
        label=str(content.get("name", "")),
        **{option: str(content.get(option, "")) for option in ("codes", "system", "unit", "code")},
    )


def _known(content: Mapping[str, Any], keys: frozenset[str], where: str) -> None:
    strange = sorted(set(content) - keys)
    if strange:
        raise Untranslatable(f"{where}: {strange[0]!r} is not known here; known: {', '.join(sorted(keys))}", where)


def chosen(known: tuple[Table, ...], named: str, columns: tuple[str, ...]) -> Table:
    """The table a message holds: the one Content-Type names, else the one whose columns its header shows best.

    Raises Untranslatable when none fits, two fit as well, or a needed column is not there.
    """
    if not known:
        raise Untranslatable("the hospital's file describes no exports: it has no [tables]", "[tables]")
    if named:
        table = next((table for table in known if table.name == named), None)
        if table is None:
            raise Untranslatable(f"the hospital's file has no [tables.{named}]", "Content-Type")
        return _whole(table, columns)
    met = sorted(known, key=lambda table: -len(table.columns.keys() & set(columns)))
    whole = [table for table in met if not table.missing(columns)]
    if not whole:
        return _whole(met[0], columns)
    score = len(whole[0].columns.keys() & set(columns))
    equal = [table.name for table in whole if len(table.columns.keys() & set(columns)) == score]
    if len(equal) > 1:
        raise Untranslatable(f"the columns fit {' and '.join(equal)}: say which by Content-Type (table=…)", "row 1")
    return whole[0]


def _whole(table: Table, columns: tuple[str, ...]) -> Table:
    missing = table.missing(columns)
    if missing:
        column = missing[0]
        raise Untranslatable(f'the export lacks the column "{column.name}", which {column.key} names', "row 1")
    return table

"""The fate of every element of every national table, as codes/fields.csv states it, and the roots that name a table."""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CODES = Path(__file__).parent / "codes"

#: Fates that leave a field out for the written reason standing beside it.
LEFT_OUT = frozenset({"billing", "administrative", "reserve", "secret"})
#: More letters than any text has.
UNLIMITED = sys.maxsize


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the table: ``reason`` is empty unless the field is left out; ``longest`` is a number of letters."""

    fate: str
    reason: str
    longest: int


def rows_of(table: str) -> Iterator[dict[str, str]]:
    """The rows of one code table."""
    with (CODES / f"{table}.csv").open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _read_fields() -> dict[str, dict[str, Field]]:
    tables: dict[str, dict[str, Field]] = {}
    for row in rows_of("fields"):
        reason = row["reason"] if row["fate"] in LEFT_OUT else ""
        field = Field(row["fate"], reason, int(row["max_length"] or UNLIMITED))
        tables.setdefault(row["table"], {})[row["element"]] = field
    return tables


FIELDS = _read_fields()
TABLE_OF_ROOT = {row["root"]: row["table"] for row in rows_of("tables") if row["root"]}
TABLE_OF_ROOT |= {row["row"]: row["table"] for row in rows_of("tables")}
#: Of each table, why a field is left out, and how long one may be.
REASONS = {
    table: {name: field.reason for name, field in fields.items() if field.reason} for table, fields in FIELDS.items()
}
LONGEST = {
    table: {name: field.longest for name, field in fields.items() if field.longest < UNLIMITED}
    for table, fields in FIELDS.items()
}
ROW_OF_TABLE = {row["table"]: row["row"] for row in rows_of("tables")}
ROOTS = frozenset(TABLE_OF_ROOT) | {"GIAMDINHHS"}
EMPTY: dict[str, Field] = {}
NO_REASONS: dict[str, str] = {}
#: An element that its table does not have.
UNKNOWN = Field("", "", UNLIMITED)

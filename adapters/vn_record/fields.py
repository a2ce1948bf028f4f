"""What the fields of a hospital record are called for people, and which are left out for a written reason."""

import csv
from pathlib import Path

CODES = Path(__file__).parent / "codes"


def rows_of(table: str) -> list[dict[str, str]]:
    """The rows of one code table."""
    with (CODES / f"{table}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


#: Field name to the reason it is left out, whichever group it stands in.
LEFT_OUT = {row["field"]: row["reason"] for row in rows_of("ignored")}
#: Label of a field that a section of the record shows in words.
LABELS = {row["field"]: row["label"] for row in rows_of("labels")}
UNITS = {row["text"]: row["ucum"] for row in rows_of("units")}
SIGNS = rows_of("signs")

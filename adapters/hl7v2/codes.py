"""The code tables of the adapter: CSV files with the columns source, system, code, display."""

import csv
from functools import cache
from importlib.resources import files

from adapters.contract import Coding

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """The rows of ``codes/<name>.csv``, read once."""
    text = files(__package__).joinpath("codes", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def table(name: str) -> dict[str, Coding]:
    """The table as source code to standard coding."""
    return {row["source"]: Coding(row["system"], row["code"], row["display"]) for row in rows(name)}


def code(name: str, source: str, default: str = "") -> str:
    """The standard code alone; ``default`` when the table does not know the source code."""
    row = table(name).get(source)
    return row.code if row else default

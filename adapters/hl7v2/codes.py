"""The code tables of the adapter: CSV files with the columns source, system, code, display."""

import csv
from functools import cache
from importlib.resources import files

from adapters.contract import Coding

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
# Fields bound to a table of HL7's that the guide maps, by what the hospital's own list of the field is called.
_TABLES = (7, 9, 62, 69, 80, 92, 162, 163, 165, 217, 276, 277, 364, 371, 430, 443, 482, 487, 488, 493, 912)
BOUND = {f"v2-{number:04}": f"v2-{number:04}" for number in _TABLES} | {
    "religion": "v2-0006",
    "specimen": "v2-0487",
    "collection-method": "v2-0488",
    "body-site": "v2-0163",
    "country": "v2-0399",
}


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


@cache
def folded(name: str) -> dict[str, Coding]:
    """The table by its codes in small letters."""
    return {source.casefold(): row for source, row in table(name).items()}

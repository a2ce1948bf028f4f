"""Code tables as CSV files beside a hospital's own file: one line a code, as its IT keeps them in a spreadsheet."""

import csv
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Any

from adapters.contract import Coding
from fhir_gateway.problem import Problem

COLUMNS = ("local", "system", "code", "display")
Codes = dict[str, dict[str, Coding]]


def code_tables(table: Mapping[str, Any], folder: Traversable, file: str) -> Codes:
    """``[code_files]`` read from CSV, with what ``[codes]`` says itself on top. Raises Problem with file and line."""
    listed = {name: _read(folder / str(path), f"{file} [code_files] {name}") for name, path in _files(table)}
    for name, rows in table.get("codes", {}).items():
        listed[name] = {**listed.get(name, {}), **{local: Coding(**row) for local, row in rows.items()}}
    return listed


def _files(table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(table.get("code_files", {}).items())


def _read(path: Traversable, key: str) -> dict[str, Coding]:
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise Problem(f"{key}: {path.name} cannot be read as UTF-8 CSV", key) from fault
    made = [(row, _coding(row, f"{key}: {path.name} line {n}")) for n, row in enumerate(rows, 2)]
    return {row["local"].strip(): coding for row, coding in made}


def _coding(row: Mapping[str, str], place: str) -> Coding:
    lacking = [name for name in COLUMNS[:3] if not row.get(name)]
    if lacking:
        raise Problem(f"{place} has no {', '.join(lacking)}; a table has {', '.join(COLUMNS)}", place)
    return Coding(row["system"].strip(), row["code"].strip(), (row.get("display") or "").strip())

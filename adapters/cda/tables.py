"""The adapter's code tables, read once from ``codes/*.csv``: data that a hospital's IT can check line by line."""

import csv
from dataclasses import dataclass
from importlib.resources import files

from adapters.cda.node import Node


@dataclass(frozen=True, slots=True)
class IdentifierType:
    """What kind of number an identifier is (HL7 table 0203) and how it is used."""

    code: str
    display: str
    use: str


@dataclass(frozen=True, slots=True)
class SectionKind:
    """What a section holds and the category its observations and conditions get."""

    kind: str = ""
    category: str = ""


def _rows(name: str) -> list[dict[str, str]]:
    text = files("adapters.cda").joinpath(f"codes/{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


SYSTEMS = {row["oid"]: row["uri"] for row in _rows("systems")}
DOCUMENT_TYPES = {row["loinc"]: row for row in _rows("document_types")}
SECTIONS = {row["loinc"]: SectionKind(row["kind"], row["category"]) for row in _rows("sections")}
SECTION_TEMPLATES = {row["root"]: SectionKind(row["kind"], row["category"]) for row in _rows("sections") if row["root"]}
TEMPLATES = {row["root"]: row["kind"] for row in _rows("templates")}
UNITS = {row["text"]: row["ucum"] for row in _rows("units")}
IDENTIFIER_TYPES = {
    row["key"]: IdentifierType(row["code"], row["display"], row["use"]) for row in _rows("identifier_types")
}
_STATEMENTS = {(row["section"], row["element"]): row["kind"] for row in _rows("statements")}
_MAPS = {(row["map"], row["from"]): row["to"] for row in _rows("value_maps")}


def translated(table: str, code: str) -> str:
    """The FHIR code for a CDA one; empty when the table does not have it."""
    return _MAPS.get((table, code), "")


def statement_kind(statement: Node, section: str) -> str:
    """What a statement is: by the first template known, else by its section, else by its element."""
    for template in statement.all("templateId"):
        kind = TEMPLATES.get(template.get("root"))
        if kind:
            return kind
    name = statement.name
    return _STATEMENTS.get((section, name)) or _STATEMENTS.get(("", name), "")

"""Exports as tables (CSV, TSV, JSON, NDJSON): the hospital's own file says which column is what.

https://www.rfc-editor.org/rfc/rfc4180
"""

import re
from collections.abc import Callable, Mapping, Sequence
from email.message import Message as Header

from adapters.contract import Hospital, Message, Piece, Translation
from adapters.draft import Draft
from adapters.tabular.encoding import Text, decoded
from adapters.tabular.line import Export, Line, opened
from adapters.tabular.map_clinical import map_allergy, map_condition, map_document, map_medication, map_procedure
from adapters.tabular.map_people import map_encounter, map_patient
from adapters.tabular.map_results import map_observation
from adapters.tabular.sheet import Row, Sheet, read
from adapters.tabular.spans import spans
from adapters.tabular.table import Table, chosen, tables

__all__ = ["MEDIA_TYPES", "NAME", "divide", "recognises", "spans", "translate"]

NAME = "tabular"
MEDIA_TYPES = frozenset(
    {"text/csv", "text/tab-separated-values", "application/json", "application/x-ndjson", "application/ndjson"}
)
_MAPS: Mapping[str, Callable[[Line], None]] = {
    "patient": map_patient,
    "encounter": map_encounter,
    "condition": map_condition,
    "observation": map_observation,
    "medication": map_medication,
    "procedure": map_procedure,
    "allergy": map_allergy,
    "document": map_document,
}
_OTHERS = (b"<", b"MSH", b"FHS", b"BHS", b"%PDF", b"PK")
_RESOURCE = re.compile(rb'"resourceType"\s*:')
_HEADER = re.compile(r'"?[^\W_][^,;|\t\r\n]*[,;|\t][^\r\n]*', re.UNICODE)


def recognises(body: bytes) -> bool:
    """Whether it starts as a table does: a line of names with a delimiter, or JSON that is not FHIR."""
    start = body[:4096]
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if start.startswith(mark):
            start = start[2:].decode(encoding, "replace").encode("utf-8", "replace")
    start = start.lstrip(b"\xef\xbb\xbf \t\r\n\x0b")
    if start.startswith(_OTHERS) or b"\x00" in start:
        return False
    if start.startswith((b"{", b"[")):
        return not _RESOURCE.search(start)
    return _HEADER.match(start.decode("utf-8", "replace")) is not None


def translate(message: Message) -> Translation:
    """The resources of all rows. Raises Untranslatable with the place of the first row that cannot be used."""
    table, sheet = _read(message)
    export = Export(message.hospital, table, Draft(message.hospital.name))
    for row in sheet.rows:
        _MAPS[table.kind.name](opened(export, row, _offsets(sheet, row)))
    return Translation(export.draft.bundle(), export.tally.close(), tuple(export.notices))


def divide(message: Message, most: int) -> Sequence[Piece]:
    """Pieces of at most ``most`` rows, each with the header and in the encoding of the whole."""
    table, sheet = _read(message)
    if len(sheet.rows) <= most:
        return ()
    parts = [sheet.rows[start : start + most] for start in range(0, len(sheet.rows), most)]
    return [_piece(message, table, sheet, rows) for rows in parts]


def _read(message: Message) -> tuple[Table, Sheet]:
    hospital, parameters = message.hospital, _parameters(message.media_type)
    known = tables(hospital.tables)
    text = decoded(message.body, _encodings(hospital, known, parameters))
    named = parameters.get("table", "")
    sign = next((t.delimiter for t in known if t.name == named), "") or _only({t.delimiter for t in known})
    first = parameters.get("row", "")
    sheet = read(text, "\t" if "tab-separated" in message.media_type else sign, int(first) if first.isdigit() else 0)
    return chosen(known, named, sheet.columns), sheet


def _encodings(hospital: Hospital, known: tuple[Table, ...], parameters: Mapping[str, str]) -> list[str]:
    if "charset" in parameters:
        return [parameters["charset"]]
    own = [table.encoding for table in known if table.name == parameters.get("table", table.name) and table.encoding]
    return ["utf-8", *dict.fromkeys(own)]


def _only(values: set[str]) -> str:
    return values.pop() if len(values) == 1 else ""


def _parameters(media_type: str) -> dict[str, str]:
    header = Header()
    header["content-type"] = media_type
    found = header.get_params() or []
    return {str(name): str(value) for name, value in found[1:]}


def _offsets(sheet: Sheet, row: Row) -> dict[str, int]:
    return {name: sheet.text.ruler.at(cell.span[0]) for name, cell in row.cells.items()}


def _piece(message: Message, table: Table, sheet: Sheet, rows: Sequence[Row]) -> Piece:
    text: Text = sheet.text
    start, end = text.ruler.at(rows[0].span[0]), text.ruler.at(rows[-1].span[1])
    opening, closing = ("[", "]") if sheet.form == "array" else ("", "")
    head = text.mark + text.text[: sheet.head[1]].encode(text.encoding) + opening.encode(text.encoding)
    body = head + message.body[start:end] + closing.encode(text.encoding)
    essence = message.media_type.split(";", 1)[0].strip() or "text/csv"
    kind = f"{essence}; charset={text.encoding}; table={table.name}; row={rows[0].number}"
    place = rows[0].place if len(rows) == 1 else f"rows {rows[0].number}-{rows[-1].number}"
    return Piece(kind, body, place, start - len(head))

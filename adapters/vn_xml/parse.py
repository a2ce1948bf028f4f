"""The GIAMDINHHS file of decisions 130, 4750 and 3176: bytes to dossiers of records. Knows no FHIR.

Elements are found by name, never by position; what is not in the field table stays in the ledger as unmapped.
"""

from collections.abc import Iterable, Iterator
from itertools import compress, filterfalse, repeat
from operator import gt
from unicodedata import normalize

from lxml import etree
from pybase64 import b64decode

from adapters.contract import Untranslatable
from adapters.reading import Reading
from adapters.vn_xml.encoding import looks_legacy, refuse_doctype, utf8
from adapters.vn_xml.fields import (
    EMPTY,
    FIELDS,
    LONGEST,
    NO_REASONS,
    REASONS,
    ROOTS,
    ROW_OF_TABLE,
    TABLE_OF_ROOT,
    UNKNOWN,
    UNLIMITED,
)
from adapters.vn_xml.plain import Plain, plain
from adapters.vn_xml.records import Dossier, Record, Sender

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 32
TOO_DEEP = etree.XPath(f"boolean(/{'/'.join('*' * (MAX_DEPTH + 1))})")
ENVELOPE = "GIAMDINHHS"
SIGNATURE = "CHUKYDONVI"
DOSSIERS = f"/{ENVELOPE}/THONGTINHOSO/DANHSACHHOSO/HOSO"

Element = etree._Element

_OF_ADDRESSES = str.maketrans("-_", "+/")

#: Table, inner file, and the place of the FILEHOSO.
File = tuple[str, Element | Plain, str]


def _legible(body: bytes, where: str) -> bytes:
    """The text in UTF-8, of bounded size."""
    if len(body) > MAX_BYTES:
        raise Untranslatable(f"larger than {MAX_BYTES} bytes", f"{where}byte {MAX_BYTES}")
    return utf8(body, where)


def _tree(body: bytes, where: str) -> Element:
    """One hardened parse: no DTD, no entities, no network, bounded depth."""
    refuse_doctype(body, where)
    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError as fault:
        raise Untranslatable(_malformed(fault), f"{where}{_position(fault)}") from None
    if root.getroottree().docinfo.internalDTD is not None or TOO_DEEP(root):
        raise Untranslatable(f"a DTD, or elements deeper than {MAX_DEPTH}", f"{where}/{root.tag}")
    return root


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _in_capitals(root: Element, place: str, reading: Reading) -> Element:
    """The decisions write every name in capitals; a file that does not is read as if it did, and that is told."""
    if _name(root).upper() not in ROOTS or all(_name(element).isupper() for element in (root, *list(root)[:1])):
        return root
    for element in root.iter():
        element.tag = _name(element).upper()
    reading.note(place or f"/{_name(root)}", "element names that are not in capitals are read as if they were")
    return root


def _malformed(fault: etree.XMLSyntaxError) -> str:
    """The kind of fault without libxml2's own words, which may quote the record."""
    kind = etree.ErrorTypes._getName(fault.code, "ERR_UNKNOWN")  # type: ignore[attr-defined]
    return f"the XML is not well formed or cut off ({kind.removeprefix('ERR_').replace('_', ' ').lower()})"


def _position(fault: etree.XMLSyntaxError) -> str:
    line, column = fault.position
    return f"line {line}, column {column}"


def read_dossiers(body: bytes, reading: Reading) -> list[Dossier]:
    """The dossiers of a file. Raises Untranslatable when it cannot be read at all."""
    root = _in_capitals(_tree(_legible(body, ""), ""), "", reading)
    if _name(root) == ENVELOPE:
        return _envelope(root, reading)
    if _name(root) in TABLE_OF_ROOT:
        table = TABLE_OF_ROOT[_name(root)]
        nothing = Sender("", {}, reading)
        return [_dossier("", [(table, root, "")], nothing, reading)]
    raise Untranslatable("neither a GIAMDINHHS file nor one of its tables", f"/{_name(root)}")


def _envelope(root: Element, reading: Reading) -> list[Dossier]:
    _envelope_fields(root, f"/{ENVELOPE}", reading)
    found = [element for element in root.iter() if _name(element) == "HOSO"]
    if not found:
        raise Untranslatable("no HOSO in the file", f"/{ENVELOPE}")
    _count(root, len(found), reading)
    code = (root.findtext("{*}THONGTINDONVI/{*}MACSKCB") or "").strip()
    place = f"/{ENVELOPE}/THONGTINDONVI"
    sender = Sender(place, {"MACSKCB": code} if code else {}, reading)
    return [
        _dossier(f"{DOSSIERS}[{index}]", _files(hoso, index, reading), sender, reading)
        for index, hoso in enumerate(found, 1)
    ]


def _envelope_fields(element: Element, place: str, reading: Reading) -> None:
    """Account for the envelope's own fields; dossiers and the signature's inside are not walked."""
    for child, path in _children(element, place):
        name = _name(child)
        if name in ("HOSO", "NOIDUNGFILE"):
            continue
        if len(child) and name != SIGNATURE:
            _envelope_fields(child, path, reading)
        elif len(child) or _text(child):
            field = FIELDS[ENVELOPE].get(name, UNKNOWN)
            reading.tally.enter(path, field.reason)
            if field.longest < len(_text(child)):
                _too_long(field.longest, path, reading)


def _count(root: Element, found: int, reading: Reading) -> None:
    stated = (root.findtext("{*}THONGTINHOSO/{*}SOLUONGHOSO") or "").strip()
    if stated and stated.lstrip("0") != str(found):
        told = f"states {int(stated)} dossiers" if stated.isascii() and stated.isdigit() else "states no number"
        reading.note(f"/{ENVELOPE}/THONGTINHOSO/SOLUONGHOSO", f"{told}, the file has {found}")


def _files(hoso: Element, index: int, reading: Reading) -> Iterator[File]:
    """Table, inner root and place of each FILEHOSO; LOAIHOSO names the table, the inner root corrects it."""
    dossier = f"{DOSSIERS}[{index}]"
    files = [child for child in hoso if _name(child) == "FILEHOSO"]
    for number, file in enumerate(files, 1):
        place = f"{dossier}/FILEHOSO[{number}]"
        _envelope_fields(file, place, reading)
        named = (file.findtext("{*}LOAIHOSO") or "").strip().upper()
        inner = _inner(file, f"HOSO[{index}]/FILEHOSO[{number}] ({named or 'no LOAIHOSO'})")
        if inner is None:
            reading.note(f"{place}/NOIDUNGFILE", "the inner file is empty")
            continue
        if isinstance(inner, Plain):
            root = inner.root
        else:
            inner = _in_capitals(inner, f"{place}/NOIDUNGFILE", reading)
            root = _name(inner)
        yield _table(named, root, place, reading), inner, place


def _table(named: str, root: str, place: str, reading: Reading) -> str:
    by_root = TABLE_OF_ROOT.get(root, "")
    if by_root and named and by_root != named:
        reading.note(f"{place}/LOAIHOSO", f"says {named} but the inner root is that of {by_root}; read as {by_root}")
    table = by_root or named
    if table not in FIELDS:
        reading.note(place, "unknown table: its fields are listed as unmapped")
    return table or root


def _inner(file: Element, where: str) -> Element | Plain | None:
    """The inner root: an element as it stands, XML text, or base64 of either."""
    content = next((child for child in file if _name(child) == "NOIDUNGFILE"), None)
    if content is None:
        return None
    if len(content):
        return content[0]
    text = (content.text or "").strip()
    if not text:
        return None
    body = _legible(text.encode() if text.startswith("<") else _decoded(text, where), f"{where}: ")
    return plain(body) or _tree(body, f"{where}: ")


def _decoded(text: str, where: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return _decoded_in_lines(text, where)


def _decoded_in_lines(text: str, where: str) -> bytes:
    """Base64 as mail and web libraries write it: in lines, without padding, with the letters of addresses."""
    one = "".join(text.split()).rstrip("=").translate(_OF_ADDRESSES)
    try:
        return b64decode(one + "=" * (-len(one) % 4), validate=True)
    except ValueError:
        raise Untranslatable("NOIDUNGFILE is neither XML nor base64", where) from None


def _dossier(place: str, files: Iterable[File], sender: Record, reading: Reading) -> Dossier:
    tables: dict[str, list[Record]] = {}
    words: list[str] = []
    for table, inner, prefix in files:
        for record in _records(table, inner, f"{prefix}/{table}", reading):
            tables.setdefault(table, []).append(record)
            words += filterfalse(str.isascii, record.texts())
    if looks_legacy(words):
        reason = "the text reads like TCVN3 or VNI, not Unicode; convert it and send again"
        raise Untranslatable(reason, place or next(iter(tables), "/"))
    return Dossier(place, tables, sender)


def _records(table: str, inner: Element | Plain, place: str, reading: Reading) -> Iterator[Record]:
    if isinstance(inner, Plain):
        yield from _plain_records(table, inner, place, reading)
        return
    row_name = ROW_OF_TABLE.get(table, "")
    rows = list(inner.iter(f"{{*}}{row_name}")) if row_name else []
    rows = rows or _rows_by_shape(inner)
    single = rows == [inner]
    for index, row in enumerate(rows, 1):
        where = place if single else f"{place}/{_name(row)}[{index}]"
        yield _record(table, row, where, reading)
    if not single:
        _strays(inner, place, set(rows), reading)


def _plain_records(table: str, inner: Plain, place: str, reading: Reading) -> Iterator[Record]:
    reasons, longest = REASONS[table], LONGEST[table]
    row = f"{place}/{ROW_OF_TABLE[table]}"
    for index, fields in enumerate(inner.rows, 1):
        record = Record(table, place if inner.single else f"{row}[{index}]", fields, reading, reasons)
        reading.tally.enter_row(record, fields)
        lengths, limits = map(len, fields.values()), map(longest.get, fields, repeat(UNLIMITED))
        for name in compress(fields, map(gt, lengths, limits)):
            _too_long(longest[name], record.place_of(name), reading)
        yield record


def _rows_by_shape(root: Element) -> list[Element]:
    """Rows of a table whose row element is unknown: the outermost elements that have leaves."""
    if any(not len(child) for child in root):
        return [root]
    return [row for child in root for row in _rows_by_shape(child)]


def _strays(element: Element, place: str, rows: set[Element], reading: Reading) -> None:
    """Fields standing outside every row exist too: they are listed as unmapped."""
    for child, path in _children(element, place):
        if child in rows:
            continue
        if _name(child) == SIGNATURE and element.getparent() is None:
            reading.tally.present(path)
            reading.tally.ignore(path, FIELDS[ENVELOPE][SIGNATURE].reason)
        elif len(child):
            _strays(child, path, rows, reading)
        elif _text(child):
            reading.tally.present(path)


def _record(table: str, row: Element, place: str, reading: Reading) -> Record:
    known, fields, names = FIELDS.get(table, EMPTY), dict[str, str](), list[str]()
    record = Record(table, place, fields, reading, REASONS.get(table, NO_REASONS))
    for child in row:
        text, name = _text(child), _name(child)
        field = known.get(name, UNKNOWN)
        is_stray = field is UNKNOWN and len(child)
        if not text:
            continue
        if not is_stray and name not in fields:
            fields[name] = text
            names.append(name)
            if field.longest < len(text):
                _too_long(field.longest, record.place_of(name), reading)
            continue
        # The row's own fields so far come before it in the ledger.
        reading.tally.enter_row(record, names)
        names = []
        if is_stray:
            _strays(child, record.place_of(name), set(), reading)
        else:
            _second(record.place_of(name), reading)
    reading.tally.enter_row(record, names)
    return record


def _second(path: str, reading: Reading) -> None:
    """An element that stands again in one row: each has a place of its own, and none is read."""
    number = 2
    while reading.tally.holds(f"{path}[{number}]"):
        number += 1
    reading.tally.present(f"{path}[{number}]")
    reading.note(f"{path}[{number}]", "the element stands more than once in one row; only the first is read")


def _too_long(longest: int, path: str, reading: Reading) -> None:
    reading.note(path, f"longer than {longest} characters; kept whole")


def _children(element: Element, place: str) -> Iterator[tuple[Element, str]]:
    """The child elements with their places; the second of a name is marked [2]."""
    seen: dict[str, int] = {}
    for child in element:
        name = _name(child)
        seen[name] = number = seen.get(name, 0) + 1
        yield child, f"{place}/{name}" if number == 1 else f"{place}/{name}[{number}]"


def _name(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if tag[0] == "{" else tag


def _text(element: Element) -> str:
    """The text in NFC without outer spaces; markup that a writer forgot to escape gives its words."""
    text = "".join(map(str, element.itertext())) if len(element) else element.text
    if not text:
        return ""
    text = text.strip()
    return text if text.isascii() else normalize("NFC", text)

"""Bytes of a hospital record, JSON or XML, to rows. Both forms give the same places. Knows no FHIR.

A list in JSON is a repeated element in XML: the second of a name is marked [2].
"""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

from lxml import etree

from adapters.contract import Untranslatable
from adapters.reading import Reading
from adapters.vn_record.fields import LEFT_OUT
from adapters.vn_record.rows import Row

ROOT = "HoSoBenhAn"
FIRST_GROUP = "thongtinbenhnhan"
MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 32
LIST_LIMIT = 100_000

Element = etree._Element


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object as they stand: a name may come twice."""


def read_records(body: bytes, reading: Reading) -> list[Row]:
    """The records of a file. Raises Untranslatable when it cannot be read at all."""
    if len(body) > MAX_BYTES:
        raise Untranslatable(f"larger than {MAX_BYTES} bytes", f"byte {MAX_BYTES}")
    text = _utf8(body)
    root = _xml(text) if text.startswith("<") else _json(text)
    found = list(_records(root))
    if not found:
        raise Untranslatable("neither HoSoBenhAn nor its group ThongTinBenhNhan in the file", "/")
    return [
        _row(pairs, f"/{ROOT}" if number == 1 else f"/{ROOT}[{number}]", "", reading)
        for number, pairs in enumerate(found, 1)
    ]


def _utf8(body: bytes) -> str:
    try:
        return unicodedata.normalize("NFC", body.decode("utf-8-sig").strip())
    except UnicodeDecodeError as fault:
        raise Untranslatable("the text is not UTF-8; convert it and send again", f"byte {fault.start}") from None


def _json(text: str) -> Any:
    try:
        root = json.loads(text, object_pairs_hook=_Pairs, parse_float=str, parse_int=str, parse_constant=str)
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise Untranslatable("the JSON is not well formed or cut off", where) from None
    except RecursionError:
        raise Untranslatable("the JSON is nested too deeply", "/") from None
    _check_depth(root)
    return root


def _check_depth(root: Any) -> None:
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > 2 * MAX_DEPTH:
            raise Untranslatable(f"objects are nested deeper than {MAX_DEPTH}", "/")
        level = [inner for value in level for inner in _inside(value)]


def _inside(value: Any) -> list[Any]:
    members = [item for _, item in value] if isinstance(value, _Pairs) else value if isinstance(value, list) else []
    return [item for item in members if isinstance(item, list)]


def _xml(text: str) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as fault:
        line, column = fault.position
        raise Untranslatable("the XML is not well formed or cut off", f"line {line}, column {column}") from None
    if root.getroottree().docinfo.internalDTD is not None or next(root.iter(etree.Entity), None) is not None:
        raise Untranslatable("a DOCTYPE is refused: no DTD and no entities", "line 1: DOCTYPE")
    if etree.XPath(f"boolean(/{'/'.join('*' * (MAX_DEPTH + 1))})")(root):
        raise Untranslatable(f"elements are nested deeper than {MAX_DEPTH}", "/")
    return _Pairs([(_name(root), _content(root))])


def _content(element: Element) -> Any:
    if not len(element):
        return element.text or ""
    return _Pairs([(_name(child), _content(child)) for child in element])


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _records(value: Any) -> Iterator[_Pairs]:
    """The objects that hold the groups, wherever they stand: alone, in HoSoBenhAn, or in a list of either."""
    if isinstance(value, _Pairs):
        if any(name.casefold() == FIRST_GROUP for name, _ in value):
            yield value
        else:
            for _, item in value:
                yield from _records(item)
    elif isinstance(value, list):
        for item in value:
            yield from _records(item)


def _row(pairs: _Pairs, place: str, path: str, reading: Reading) -> Row:
    row = Row(place, path, reading)
    seen: dict[str, int] = {}
    for name, value in pairs:
        for item in value if isinstance(value, list) and not isinstance(value, _Pairs) else [value]:
            seen[name] = number = seen.get(name, 0) + 1
            where = f"{place}/{name}" if number == 1 else f"{place}/{name}[{number}]"
            _member(row, name.casefold(), item, where)
    return row


def _member(row: Row, name: str, item: Any, where: str) -> None:
    inner = f"{row.path}/{name}" if row.path else name
    if isinstance(item, _Pairs):
        row.inner.setdefault(name, []).append(_row(item, where, inner, row.reading))
        return
    if isinstance(item, list):
        for number, part in enumerate(item, 1):
            _member(row, name, part, f"{where}[{number}]")
        return
    text = _text(item)
    if not text:
        return
    row.reading.tally.present(where)
    reason = LEFT_OUT.get(name)
    if reason:
        row.reading.tally.ignore(where, reason)
    if name in row.fields:
        row.reading.note(where, "the field stands more than once; only the first is read")
        return
    row.fields[name], row.places[name] = text, where


def _text(item: Any) -> str:
    if item is None:
        return ""
    return ("true" if item else "false") if isinstance(item, bool) else str(item).strip()

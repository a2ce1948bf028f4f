"""Inner files as software writes them: one element a field in one element a row, cut by a pattern in one pass.

https://www.w3.org/TR/xml/#sec-well-formed

That is a seventh of the price of a tree with an object for each element. What is cut here is well-formed and means the
same as when libxml2 reads it; whatever is not of this plain kind (attributes, comments, entities of its own, one
element in another, a field twice, letters in parts) is left to ``parse``, which also knows how to tell a fault.
"""

import re
from dataclasses import dataclass
from unicodedata import is_normalized, normalize
from xml.sax.saxutils import unescape

from adapters.vn_xml.fields import ROW_OF_TABLE, TABLE_OF_ROOT

#: A text of more bytes than that is refused by libxml2, which is then asked.
MOST_BYTES = 8_000_000
MOST_WRAPPERS = 8

_NAME = "[A-Z][A-Z0-9_]{0,99}"
_XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_XSD = ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
_OPENING = re.compile(
    r'(?:<\?xml version="1\.0"(?: encoding="[uU][tT][fF]-8")?\?>)?\s*'
    rf"<({_NAME})(?:{_XSI}{_XSD}|{_XSD}{_XSI}|{_XSI}|{_XSD})?>",
    re.ASCII,
)
_WRAPPER = re.compile(f"<({_NAME})>", re.ASCII)
_FIELD = re.compile(rf"<({_NAME})(?:>(<!\[CDATA\[[^\]]*\]\]>|[^<]*)</\1>| ?/>)\s*", re.ASCII)
_OWN_ENTITY = re.compile("&(?!(?:lt|gt|amp|quot|apos);)")
_QUOTES = {"&quot;": '"', "&apos;": "'"}
_BLANKS = " \t\n"
#: Control characters, which are no part of XML, and how U+FFFE and U+FFFF begin, which are neither.
_FORBIDDEN = bytes(sorted({*range(32)} - set(b"\t\n\r")))
_NO_LETTERS = b"\xef\xbf"
_CDATA, _CDATA_END = "<![CDATA[", "]]>"


@dataclass(frozen=True, slots=True)
class Plain:
    """A table: its root, and of each row the fields that hold something; ``single`` where the root is the row."""

    root: str
    rows: tuple[dict[str, str], ...]
    single: bool


def plain(body: bytes) -> Plain | None:
    """The rows of a known table in UTF-8; None when the file is not of the plain kind, or not well-formed at all."""
    text = _text(body)
    opening = _OPENING.match(text)
    root = opening[1] if opening else ""
    row = ROW_OF_TABLE.get(TABLE_OF_ROOT.get(root, ""), "")
    end = f"</{root}>"
    text = text.rstrip(_BLANKS)
    if opening is None or not row or not text.endswith(end):
        return None
    inside = text[opening.end() : -len(end)]
    parts = [inside] if root == row else _parted(inside.strip(_BLANKS), row)
    rows = [_fields(part.strip(_BLANKS), row) for part in parts]
    if not rows or None in rows:
        return None
    return Plain(root, tuple(fields for fields in rows if fields is not None), root == row)


def _text(body: bytes) -> str:
    """The text with the ends of its lines as XML has them; empty where a letter needs a closer look."""
    strange = _NO_LETTERS in body or len(body.translate(None, _FORBIDDEN)) != len(body)
    if strange or len(body) > MOST_BYTES:
        return ""
    text = body.decode()
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if is_normalized("NFC", text) and text.count(_CDATA) == text.count(_CDATA_END) else ""


def _parted(inside: str, row: str) -> list[str]:
    """What stands in each row, where nothing but elements around all rows stands outside of them; else nothing."""
    for _ in range(MOST_WRAPPERS):
        wrapper = _WRAPPER.match(inside)
        if wrapper is None or wrapper[1] == row:
            break
        end = f"</{wrapper[1]}>"
        if not inside.endswith(end):
            return []
        inside = inside[wrapper.end() : -len(end)].strip(_BLANKS)
    before, *rows = inside.split(f"<{row}>")
    end = f"</{row}>"
    rows = [part.rstrip(_BLANKS) for part in rows]
    return [part[: -len(end)] for part in rows] if not before and all(part.endswith(end) for part in rows) else []


def _fields(part: str, row: str) -> dict[str, str] | None:
    """Name to text; None where anything but fields stands in the row, one of them twice or by the row's own name."""
    cut = _FIELD.split(part)
    names, texts = cut[1::3], cut[2::3]
    different = set(names)
    if any(cut[::3]) or len(different) < len(names) or row in different:
        return None
    if "&" in part or _CDATA in part:
        if any(text and text[0] != "<" and _OWN_ENTITY.search(text) for text in texts):
            return None
        texts = [text and _meant(text) for text in texts]
    fields = {name: text.strip() for name, text in zip(names, texts, strict=True) if text}
    return fields if all(fields.values()) else {name: text for name, text in fields.items() if text}


def _meant(text: str) -> str:
    """What a field says whose text is set off as CDATA or holds entities."""
    if text.startswith(_CDATA):
        return text[len(_CDATA) : -len(_CDATA_END)]
    return normalize("NFC", unescape(text, _QUOTES)) if "&" in text else text

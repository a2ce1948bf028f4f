"""The bytes of an export as text: byte order marks, the declared character set, UTF-8 else.

https://www.rfc-editor.org/rfc/rfc4180
"""

import codecs
from collections.abc import Iterable
from dataclasses import dataclass

from adapters.contract import Untranslatable
from adapters.ruler import Ruler

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES = {"windows-1258": "cp1258", "utf-8-sig": "utf-8", "utf8": "utf-8", "utf-16": "utf-16-le"}
# The legacy Vietnamese fonts draw letters over Latin bytes: read as anything else they are other words.
FONTS = frozenset({"tcvn3", "vni", "abc"})


@dataclass(frozen=True, slots=True)
class Text:
    """A decoded message, and the way back to its bytes."""

    text: str
    encoding: str
    mark: bytes
    ruler: Ruler


def decoded(body: bytes, declared: Iterable[str]) -> Text:
    """The text by its byte order mark, else by the first declared encoding that fits, else as UTF-8.

    Raises Untranslatable with the offset of the byte that does not belong.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return _text(body, encoding, mark)
    names = [_name(name) for name in declared if name] or ["utf-8"]
    for name in names[:-1]:
        try:
            return _text(body, name, b"")
        except Untranslatable:
            continue
    return _text(body, names[-1], b"")


def _name(declared: str) -> str:
    name = declared.strip().strip('"').lower()
    if name in FONTS:
        raise Untranslatable(f"the character set {name} is a font, not an encoding: export as Unicode", "encoding")
    try:
        return codecs.lookup(_NAMES.get(name, name)).name
    except LookupError as fault:
        raise Untranslatable("the declared encoding is not known", "encoding") from fault


def _text(body: bytes, encoding: str, mark: bytes) -> Text:
    try:
        text = body[len(mark) :].decode(encoding)
    except UnicodeDecodeError as fault:
        place = f"byte {fault.start + len(mark)}"
        raise Untranslatable(
            f"this is not {encoding}: name the encoding in the hospital's file (encoding) or in Content-Type (charset)",
            place,
        ) from fault
    if "\x00" in text:
        at = Ruler(text, encoding, len(mark)).at(text.index("\x00"))
        raise Untranslatable("the text holds a zero character: UTF-16 without a byte order mark?", f"byte {at}")
    return Text(text, encoding, mark, Ruler(text, encoding, len(mark)))

r"""Segments to bytes: the receiver's encoding characters, escapes and character set; knows no FHIR.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading13
"""

import unicodedata
from collections.abc import Mapping
from functools import cache

from adapters.contract import Untranslatable
from adapters.hl7v2.charset import codec_of
from adapters.hl7v2.codes import rows
from adapters.hl7v2.escape import Delimiters, Escapes
from adapters.hl7v2.legacy import KINDS

# A leaf, components of a field, or repetitions of one.
Part = str | tuple[str, ...]
Field = str | tuple[Part, ...] | list["Field"]

_ASCII = b"ASCII"


class Pen:
    """Writes the segments of one message as one receiver reads them."""

    def __init__(self, marks: str = "|^~\\&", charset: str = "UNICODE UTF-8", end: str = "\r") -> None:
        self._d = Delimiters(*marks[:6])
        self._escapes = Escapes.of(self._d, "utf-8")
        self._lines: list[str] = []
        self._end = end
        self.charset = charset
        self.marks = marks

    def row(self, name: str, fields: Mapping[int, Field]) -> None:
        """Add a segment; fields that say nothing are left out, and so is a segment that says nothing."""
        written = {number: text for number, field in fields.items() if (text := self._field(field))}
        if not written:
            return
        cells = [written.get(number, "") for number in range(1, max(written) + 1)]
        self._lines.append(self._d.field.join([name, *cells]))

    def header(self, fields: Mapping[int, Field]) -> None:
        """MSH, whose first two fields are the signs themselves."""
        cells = [self._field(fields.get(number, "")) for number in range(3, max(fields) + 1)]
        self._lines.append(self._d.field.join([f"MSH{self.marks[0]}{self.marks[1:]}", *cells]))

    def message(self) -> bytes:
        """The message in the receiver's character set. Raises Untranslatable where the set cannot hold the text."""
        return encoded("".join(line + self._end for line in self._lines), self.charset)

    def _field(self, field: Field) -> str:
        if isinstance(field, list):
            return self._d.repetition.join(text for one in field if (text := self._field(one)))
        if isinstance(field, tuple):
            parts = [self._part(part) for part in field]
            return self._d.component.join(parts).rstrip(self._d.component)
        return self._leaf(field)

    def _part(self, part: Part) -> str:
        if isinstance(part, tuple):
            return self._d.subcomponent.join(self._leaf(leaf) for leaf in part).rstrip(self._d.subcomponent)
        return self._leaf(part)

    def _leaf(self, text: str) -> str:
        # An empty escape sign in MSH-2 means that nothing can be escaped: the signs themselves are written as blanks.
        lines = "\n".join(text.split("\r\n")).replace("\r", "\n").split("\n")
        mark = self._d.escape
        return f"{mark}.br{mark}".join(self._escapes.escaped(line) for line in lines)


def encoded(text: str, charset: str) -> bytes:
    """The text in the set that MSH-18 names, or in the font encodings TCVN3 and VNI."""
    name = charset.upper()
    if name in KINDS:
        return _in_font(text, name)
    codec = codec_of(charset, _ASCII) if name not in ("", "ASCII") else "ascii"
    plain = _with_tones_apart(text) if codec == "cp1258" else text
    try:
        return plain.encode(codec)
    except UnicodeEncodeError as error:
        reason = f"the character set {charset} cannot hold the text; set charset under [outbound] of the hospital file"
        raise Untranslatable(reason, "MSH-18") from error


def _in_font(text: str, kind: str) -> bytes:
    signs = _signs(kind)
    try:
        return "".join(signs.get(letter, letter) for letter in text).encode("iso8859-1")
    except UnicodeEncodeError as error:
        raise Untranslatable(f"the font encoding {kind} cannot hold the text", "MSH-18") from error


@cache
def _signs(kind: str) -> dict[str, str]:
    """Letter to the sign (VNI: one or two) that shows it. TCVN3 shows capitals with a tone by its small ones."""
    found: dict[str, str] = {}
    for row in rows(kind.lower()):
        found.setdefault(row["text"], "".join(chr(int(sign[2:], 16)) for sign in row["source"].split()))
    small = {letter.upper(): sign for letter, sign in found.items() if letter.upper() not in found}
    return {**small, **found}


def _with_tones_apart(text: str) -> str:
    """Windows-1258 holds the vowels whole and the five tones as marks after them."""
    return "".join(letter if _fits(letter) else _apart(letter) for letter in text)


def _fits(letter: str) -> bool:
    try:
        letter.encode("cp1258")
    except UnicodeEncodeError:
        return False
    return True


def _apart(letter: str) -> str:
    spread = unicodedata.normalize("NFD", letter)
    tone = next((mark for mark in spread if mark in "\u0300\u0301\u0303\u0309\u0323"), "")
    return unicodedata.normalize("NFC", spread.replace(tone, "")) + tone if tone else letter

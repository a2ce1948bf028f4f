"""What the text of one field says: its repetitions and their leaves, by the encoding characters; knows no ledger.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading13
"""

import unicodedata
from functools import lru_cache
from typing import NamedTuple

from adapters.hl7v2.charset import legacy_marks
from adapters.hl7v2.escape import Delimiters, Escapes
from adapters.hl7v2.legacy import converted

NULL = '""'
NULL_REASON = "HL7 null: the sender asks to delete the value; nothing is deleted on the word of one message"
CUT_SHORT = "the sender cut this value short (truncation sign of MSH-2): what follows is not in the message"
NOTHING_LEFT = "nothing remains of the value once its escapes and control characters are read"
# Of a longer text none is kept: what repeats from message to message (codes, places, staff, units) is short.
KEPT_LENGTH = 160
# More would not fit the processor's own memory, and texts of one patient only pass through.
_KEPT = 512

# A first subcomponent, as nearly all are, goes by its component alone: to ask for it costs half then.
Key = int | tuple[int, int]


class Oddity(NamedTuple):
    """What to say of a leaf: why it is no value, a notice, how much speaks for a legacy encoding of ``raw``."""

    reason: str = ""
    notice: str = ""
    marks: int = 0
    raw: str = ""


# A leaf: its key, what its place adds to that of its field, its first byte counted from the field's, its text (empty
# when it is no value), and what is odd about it.
Said = tuple[Key, str, int, str, Oddity | None]
# How many bytes the field has, and the leaves of each repetition.
Cut = tuple[int, tuple[tuple[Said, ...], ...]]

_NULL = Oddity(NULL_REASON, NULL_REASON)


class Cutter:
    """Cuts fields for one set of encoding characters, one codec and one legacy font (or none)."""

    def __init__(self, delimiters: Delimiters, codec: str, legacy: str = "") -> None:
        d = delimiters
        self._component, self._repetition, self._sub = d.component, d.repetition, d.subcomponent
        self._mark, self._cut_short = d.escape or "\x00", d.truncation
        self._escapes = Escapes.of(delimiters, codec)
        self._codec, self._legacy = codec, legacy
        self._unit = 2 if codec.startswith("utf-16") else 1
        # Two thirds of the fields that are no plain words stood in a message before; cutting one costs 3 to 15 µs.
        self.kept = lru_cache(maxsize=_KEPT)(self.cut)
        self.whole = lru_cache(maxsize=16)(self._whole)

    @staticmethod
    @lru_cache(maxsize=16)
    def of(delimiters: Delimiters, codec: str, legacy: str = "") -> "Cutter":
        """The one for these signs, kept with what it has cut."""
        return Cutter(delimiters, codec, legacy)

    def cut(self, raw: str) -> Cut:
        """The field in its leaves; ``kept`` answers the same from memory and is for short texts."""
        texts = raw.split(self._repetition) if self._repetition and self._repetition in raw else (raw,)
        made, shift = [], 0
        for number, text in enumerate(texts, 1):
            made.append(tuple(self._leaves(f"[{number}]", text, shift)))
            shift += self._width(text) + 1
        return shift - 1, tuple(made)

    def _whole(self, raw: str) -> Cut:
        """A field that holds the signs themselves and is not parted by them."""
        leaf = self._leaf(1, "[1]", 0, raw)
        return self._width(raw), ((leaf,) if leaf else (),)

    def text(self, raw: str) -> str:
        """The leaf as it is meant: unescaped, trimmed, NFC."""
        plain = self._escapes.plain(raw).strip()
        if self._legacy:
            plain = converted(plain, self._legacy)
        return plain if plain.isascii() else unicodedata.normalize("NFC", plain)

    def _width(self, text: str) -> int:
        """How many bytes the text was, in units of two in UTF-16."""
        if text.isascii():
            return len(text)
        return len(text.encode(self._codec, "replace")) // self._unit

    def _leaves(self, place: str, raw: str, shift: int) -> list[Said]:
        """The leaves of one repetition."""
        parts = raw.split(self._component)
        made: list[Said | None] = []
        for number, text in enumerate(parts, 1):
            inside = f"{place}.{number}"
            if self._sub and self._sub in text:
                made += self._subcomponents(inside, number, text, shift)
            elif text:
                made.append(self._leaf(number, inside if len(parts) > 1 else place, shift, text))
            shift += self._width(text) + 1
        return [leaf for leaf in made if leaf]

    def _subcomponents(self, place: str, number: int, raw: str, shift: int) -> list[Said | None]:
        made: list[Said | None] = []
        for index, text in enumerate(raw.split(self._sub), 1):
            key = number if index == 1 else (number, index)
            made.append(self._leaf(key, f"{place}.{index}", shift, text))
            shift += self._width(text) + 1
        return made

    def _leaf(self, key: Key, place: str, shift: int, raw: str) -> Said | None:
        """One leaf; None for a blank one."""
        if raw.isalnum() and raw.isascii():
            return key, place, shift, raw, None
        if not raw or raw.isspace():
            return None
        if raw == NULL:
            return key, place, shift, "", _NULL
        notice = ""
        if self._cut_short and raw.endswith(self._cut_short):
            notice, raw = CUT_SHORT, raw[:-1]
        if raw.isascii() and self._mark not in raw and raw.isprintable():
            text, marks = raw.strip(), 0
        else:
            text, marks = self.text(raw), 0 if self._legacy or raw.isascii() else legacy_marks(raw)
        if text and not notice and not marks:
            return key, place, shift, text, None
        return key, place, shift, text, Oddity("" if text else NOTHING_LEFT, notice, marks, raw if marks else "")

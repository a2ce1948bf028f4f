"""The reader that remembers: every non-empty leaf is in the ledger from the start; what is taken is marked."""

import unicodedata
from collections.abc import Callable

from adapters.contract import Account, Notice, Untranslatable
from adapters.hl7v2.charset import legacy_marks
from adapters.hl7v2.codes import rows
from adapters.hl7v2.escape import Delimiters, Escapes
from adapters.hl7v2.legacy import converted, is_unicode, kind_of
from adapters.hl7v2.parse import HEADERS, Line, Source
from adapters.tally import Tally

# What a leaf says, with its line of the ledger.
Leaf = tuple[Account, str]
# The leaves of one repetition by component and subcomponent.
Leaves = dict[tuple[int, int], Leaf]

NULL = '""'
NULL_REASON = "HL7 null: the sender asks to delete the value; nothing is deleted on the word of one message"
_IGNORED_FIELDS = {(row["segment"], int(row["field"])): row["reason"] for row in rows("ignored") if row["field"]}
IGNORED_SEGMENTS = {row["segment"]: row["reason"] for row in rows("ignored") if not row["field"]}
CUT_SHORT = "the sender cut this value short (truncation sign of MSH-2): what follows is not in the message"
_LEGACY_LIMIT = 2
_SETTING = (
    "the text is in a legacy Vietnamese encoding (TCVN3, VNI) or was encoded twice; send Unicode, "
    'or set legacy_text = "TCVN3" or "VNI" under [quirks] of the hospital file'
)
_NAMED = 'the text is in the font encoding {kind}; send Unicode, or set legacy_text = "{kind}" under [quirks]'
_REFUSALS = {
    "TCVN3": f"{_NAMED} of the hospital file",
    "VNI": f"{_NAMED} of the hospital file",
    "twice": "the text is UTF-8 that was read as Windows-1252 and encoded again; send it once encoded",
}


class Margin:
    """Where segments and values note what is odd; they hold no Reading, which would keep a message in a circle."""

    __slots__ = ("delimiters", "notices")

    def __init__(self, delimiters: Delimiters) -> None:
        self.delimiters = delimiters
        self.notices: dict[Notice, None] = {}

    def notice(self, place: str, text: str) -> None:
        self.notices.setdefault(Notice(place, text))


class Reading:
    """One reading of one message: its ledger, its notices, its way to unescape."""

    def __init__(self, source: Source, legacy: str = "") -> None:
        self.source = source
        # A message that has begun to send Unicode is not converted, whatever the hospital's file says.
        self._legacy = "" if legacy and any(is_unicode(t) for line in source.lines for t in line.fields) else legacy
        self.tally = Tally()
        self.margin = Margin(source.delimiters)
        self.notices, self.notice = self.margin.notices, self.margin.notice
        self.escapes = Escapes.of(source.delimiters, source.codec)
        self._suspects: list[str] = []
        self._suspected: list[str] = []
        self.segments = [Segment(self, line) for line in source.lines]
        for place in source.continued:
            self.notice(place, "a line break inside a field is not escaped; the segment was put together again")
        self._refuse_legacy_text()

    def text(self, raw: str) -> str:
        """The leaf as it is meant: unescaped, trimmed, NFC."""
        plain = self.escapes.plain(raw).strip()
        if self._legacy:
            plain = converted(plain, self._legacy)
        return plain if plain.isascii() else unicodedata.normalize("NFC", plain)

    def suspect(self, place: str, raw: str) -> None:
        """Remember the place of text that looks like a legacy Vietnamese encoding."""
        if not self._legacy and (marks := legacy_marks(raw)):
            self._suspects.extend([place] * marks)
            self._suspected.append(raw)

    def _refuse_legacy_text(self) -> None:
        if len(self._suspects) >= _LEGACY_LIMIT:
            reason = _REFUSALS.get(kind := kind_of(self._suspected), _SETTING)
            raise Untranslatable(reason.format(kind=kind), self._suspects[0])
        for place in self._suspects:
            self.notice(place, "the text may be in a legacy Vietnamese encoding")


class Value:
    """One repetition of a field. ``take`` reads a leaf and writes into the ledger where it went."""

    __slots__ = ("_leaves", "_margin", "place")

    def __init__(self, margin: Margin, place: str, leaves: Leaves) -> None:
        self._margin = margin
        self._leaves = leaves
        self.place = place

    def __bool__(self) -> bool:
        return bool(self._leaves)

    def peek(self, component: int = 1, sub: int = 1) -> str:
        """The leaf's text, without taking it."""
        leaf = self._leaves.get((component, sub))
        return leaf[1] if leaf else ""

    def beyond(self, component: int) -> bool:
        """Whether anything stands after that component: spares the usual short value the search for the rest."""
        return any(number > component for number, _ in self._leaves)

    def take(self, component: int, target: str, sub: int = 1) -> str:
        """The leaf's text, entered in the ledger as mapped to ``target``; empty when there is none."""
        leaf = self._leaves.get((component, sub))
        if leaf is None:
            return ""
        leaf[0].take(target)
        return leaf[1]

    def take_all(self, target: str) -> list[str]:
        """Every leaf's text in order, all mapped to ``target``."""
        return [self.take(component, target, sub) for component, sub in self._leaves]

    def take_text(self, target: str) -> str:
        """All that the repetition says, as one text; a component sign that was not escaped stands in it again."""
        taken = self.take_all(target)
        if len(taken) < 2:
            return "".join(taken)
        d = self._margin.delimiters
        parts: dict[int, dict[int, str]] = {}
        for (component, sub), text in zip(self._leaves, taken, strict=True):
            parts.setdefault(component, {})[sub] = text
        return d.component.join(_spaced(parts.get(n, {}), d.subcomponent) for n in range(1, max(parts) + 1))

    def took(self, component: int, target: str, sub: int = 1) -> None:
        """Enter a leaf as mapped that was read with ``peek``."""
        leaf = self._leaves.get((component, sub))
        if leaf:
            leaf[0].take(target)

    def notice(self, text: str, component: int = 1) -> None:
        leaf = self._leaves.get((component, 1))
        self._margin.notice(leaf[0].place if leaf else self.place, text)


def _spaced(subs: dict[int, str], sign: str) -> str:
    return sign.join(subs.get(n, "") for n in range(1, max(subs, default=0) + 1))


class Segment:
    """One segment with its fields by number."""

    def __init__(self, reading: Reading, line: Line) -> None:
        self.name = line.name
        self.place = line.place
        self.known = False
        self._margin = reading.margin
        self._empty = Value(reading.margin, line.place, {})
        self._fields: dict[int, list[Value]] = {}
        self._cut(_Cutter(reading, line), line)

    def value(self, number: int) -> Value:
        """The first repetition of the field, an empty one if there is none."""
        values = self._fields.get(number)
        return values[0] if values else self._empty

    def values(self, number: int) -> list[Value]:
        """The repetitions of the field that hold something."""
        values = self._fields.get(number)
        return [value for value in values if value] if values else []

    def peek(self, number: int, component: int = 1) -> str:
        values = self._fields.get(number)
        return values[0].peek(component) if values else ""

    def take(self, number: int, target: str) -> str:
        """The first component of the field's first repetition, mapped to ``target``."""
        values = self._fields.get(number)
        return values[0].take(1, target) if values else ""

    def says(self, numbers: frozenset[int]) -> bool:
        """Whether any of those fields was sent: spares a message that says little the search for what it omits."""
        return not numbers.isdisjoint(self._fields)

    def notice(self, number: int, text: str) -> None:
        self._margin.notice(f"{self.place}-{number}", text)

    def _cut(self, cutter: "_Cutter", line: Line) -> None:
        position = line.offset + len(line.name)
        for number, raw in enumerate(line.fields[1:], 1):
            if number == 1 and line.name in HEADERS:
                self._fields[1] = cutter.separator(raw, position)
                continue
            position += 1
            if raw:
                self._fields[number] = cutter.field(number, raw, position)
                position += cutter.width(raw)


def _width(text: str, codec: str) -> int:
    return len(text) if text.isascii() else len(text.encode(codec, "replace"))


class _Cutter:
    """Cuts the fields of one segment into leaves and enters each into the ledger with its first byte."""

    def __init__(self, reading: Reading, line: Line) -> None:
        d = reading.source.delimiters
        codec = reading.source.codec
        present = reading.tally.present
        self._reading, self._margin, self._present = reading, reading.margin, present
        self.width: Callable[[str], int] = len if line.ascii else lambda text: _width(text, codec)
        if codec.startswith("utf-16"):
            self.width = lambda text: len(text.encode(codec)) // 2
            self._present = lambda place, offset=None: present(place, 2 * (offset or 0))
        self._mark = d.escape or "\x00"
        self._cut_short = d.truncation if line.name not in HEADERS else ""
        self._line = line
        self._place = line.place
        self._component, self._repetition, self._sub = d.component, d.repetition, d.subcomponent
        self._segment_reason = IGNORED_SEGMENTS.get(line.name)
        self._reason: str | None = None

    def separator(self, raw: str, position: int) -> list[Value]:
        """MSH-1 (FHS-1, BHS-1) is the sign that parts the fields, so no sign stands before it."""
        self._reason = self._segment_reason or _IGNORED_FIELDS.get(("MSH", 1))
        return [self._simple(f"{self._place}-1[1]", raw, position)]

    def field(self, number: int, raw: str, position: int) -> list[Value]:
        self._reason = self._segment_reason or _IGNORED_FIELDS.get((self._line.name, number))
        prefix = f"{self._place}-{number}"
        if raw.isalnum() and raw.isascii():
            return [self._word(f"{prefix}[1]", raw, position)]
        if number == 2 and self._line.name in HEADERS:
            return [self._simple(f"{prefix}[1]", raw, position)]
        if not (self._repetition and self._repetition in raw):
            return [self._value(f"{prefix}[1]", raw, position)]
        values = []
        for index, text in enumerate(raw.split(self._repetition), 1):
            values.append(self._value(f"{prefix}[{index}]", text, position))
            position += self.width(text) + 1
        return values

    def _word(self, place: str, raw: str, position: int) -> Value:
        """A field of letters and digits alone, as half of them are: no sign of HL7 is one, so nothing is parted."""
        account = self._present(place, position)
        if self._reason:
            account.ignore(self._reason)
        return Value(self._margin, place, {(1, 1): (account, raw)})

    def leaf(self, place: str, raw: str, position: int) -> Leaf | None:
        """Enter the leaf; None for one that is blank or the HL7 null."""
        simple = raw.isalnum() and raw.isascii()
        if not simple and (not raw or raw.isspace()):
            return None
        account = self._present(place, position)
        if raw == NULL:
            account.ignore(NULL_REASON)
            self._margin.notice(place, NULL_REASON)
            return None
        if self._reason:
            account.ignore(self._reason)
        return account, raw if simple else self._text(place, raw)

    def _text(self, place: str, raw: str) -> str:
        """The leaf as it is meant, its signs read."""
        if self._cut_short and raw.endswith(self._cut_short):
            self._margin.notice(place, CUT_SHORT)
            raw = raw[:-1]
        if not raw.isascii():
            self._reading.suspect(place, raw)
        elif self._mark not in raw and raw.isprintable():
            return raw.strip()
        return self._reading.text(raw)

    def _value(self, place: str, raw: str, position: int) -> Value:
        if self._component in raw:
            return self._composite(place, raw, position)
        if self._sub and self._sub in raw:
            leaves: Leaves = {}
            self._subcomponents(f"{place}.1", (1, raw, position), leaves)
            return Value(self._margin, place, leaves)
        return self._simple(place, raw, position)

    def _simple(self, place: str, raw: str, position: int) -> Value:
        leaf = self.leaf(place, raw, position)
        return Value(self._margin, place, {(1, 1): leaf} if leaf else {})

    def _composite(self, place: str, raw: str, position: int) -> Value:
        leaves: Leaves = {}
        for number, text in enumerate(raw.split(self._component), 1):
            if not text:
                position += 1
                continue
            if self._sub and self._sub in text:
                self._subcomponents(f"{place}.{number}", (number, text, position), leaves)
            elif leaf := self.leaf(f"{place}.{number}", text, position):
                leaves[number, 1] = leaf
            position += self.width(text) + 1
        return Value(self._margin, place, leaves)

    def _subcomponents(self, place: str, part: tuple[int, str, int], leaves: Leaves) -> None:
        number, raw, position = part
        for index, text in enumerate(raw.split(self._sub), 1):
            if leaf := self.leaf(f"{place}.{index}", text, position):
                leaves[number, index] = leaf
            position += self.width(text) + 1

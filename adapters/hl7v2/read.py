"""The reader that remembers: every non-empty leaf is in the ledger from the start; what is taken is marked."""

from dataclasses import replace

from adapters.contract import Account, Fate, Move, Notice, Untranslatable
from adapters.hl7v2.codes import rows
from adapters.hl7v2.escape import Delimiters
from adapters.hl7v2.leaves import KEPT_LENGTH, NULL_REASON, Cut, Cutter, Key, Oddity
from adapters.hl7v2.legacy import explains, is_unicode, kind_of
from adapters.hl7v2.parse import HEADERS, Line, Source

__all__ = ["IGNORED_SEGMENTS", "NULL_REASON", "Margin", "Reading", "Segment", "Value"]

# What a leaf says, with its line of the ledger.
Leaf = tuple[Account, str]

_UNMAPPED, _IGNORED = Fate.UNMAPPED, Fate.IGNORED
_NONE: dict[int, str] = {}
_bare = object.__new__
_IGNORED_FIELDS: dict[str, dict[int, str]] = {}
for _row in rows("ignored"):
    if _row["field"]:
        _IGNORED_FIELDS.setdefault(_row["segment"], {})[int(_row["field"])] = _row["reason"]
IGNORED_SEGMENTS = {row["segment"]: row["reason"] for row in rows("ignored") if not row["field"]}
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


class Ledger:
    """The lines of the ledger as the leaves stand in the message; each leaf keeps its own, so none is looked up."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: list[Account] = []

    def close(self) -> tuple[Account, ...]:
        """The finished ledger."""
        return tuple(self.lines)


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
        self.tally = Ledger()
        self.moves: list[Move] = []
        self.margin = Margin(source.delimiters)
        self.notices, self.notice = self.margin.notices, self.margin.notice
        self.cutter = Cutter.of(source.delimiters, source.codec, self._legacy)
        self._suspects: list[str] = []
        self._suspected: list[str] = []
        self.segments = [Segment(self, line) for line in source.lines]
        if source.codec.startswith("utf-16"):
            self._count_bytes()
        for place in source.continued:
            self.notice(place, "a line break inside a field is not escaped; the segment was put together again")
        self._refuse_legacy_text()

    def text(self, raw: str) -> str:
        """The leaf as it is meant: unescaped, trimmed, NFC."""
        return self.cutter.text(raw)

    def header_cutter(self) -> Cutter:
        """How headers are cut: the sign of a value cut short is one of the signs that they declare."""
        d = self.source.delimiters
        if not d.truncation:
            return self.cutter
        return Cutter.of(replace(d, truncation=""), self.source.codec, self._legacy)

    def remark(self, account: Account, odd: Oddity) -> None:
        """Write down what is odd about a leaf: the reason why it is no value, a notice, a doubt of its encoding."""
        if odd.reason == NULL_REASON:
            # The null says more than the reason why its field would be left out.
            account.fate, account.reason = _IGNORED, NULL_REASON
        elif odd.reason:
            account.ignore(odd.reason)
        if odd.notice:
            self.notice(account.place, odd.notice)
        if odd.marks:
            self._suspects.extend([account.place] * odd.marks)
            self._suspected.append(odd.raw)

    def _count_bytes(self) -> None:
        """A message in UTF-16 was counted in units of two bytes."""
        for account in self.tally.lines:
            account.offset = 2 * (account.offset or 0)

    def _refuse_legacy_text(self) -> None:
        if len(self._suspects) >= _LEGACY_LIMIT and explains(self._suspected):
            reason = _REFUSALS.get(kind := kind_of(self._suspected), _SETTING)
            raise Untranslatable(reason.format(kind=kind), self._suspects[0])
        for place in self._suspects:
            self.notice(place, "the text may be in a legacy Vietnamese encoding")


class Value(dict[Key, Leaf]):
    """One repetition of a field: its leaves. ``take`` reads one and writes into the ledger where it went."""

    # A dict itself, so that to ask whether it holds anything, or for a leaf, is no call of Python.
    __slots__ = ("margin", "place")
    margin: Margin
    place: str

    def peek(self, component: int = 1, sub: int = 1) -> str:
        """The leaf's text, without taking it."""
        leaf = self.get(component if sub == 1 else (component, sub))
        return leaf[1] if leaf else ""

    def beyond(self, component: int) -> bool:
        """Whether anything stands after that component: spares the usual short value the search for the rest."""
        last = next(reversed(self), 0)
        return (last if isinstance(last, int) else last[0]) > component

    def take(self, component: int, target: str, sub: int = 1) -> str:
        """The leaf's text, entered in the ledger as mapped to ``target``; empty when there is none."""
        leaf = self.get(component if sub == 1 else (component, sub))
        if leaf is None:
            return ""
        leaf[0].take(target)
        return leaf[1]

    def take_all(self, target: str) -> list[str]:
        """Every leaf's text in order, all mapped to ``target``."""
        for account, _ in self.values():
            account.take(target)
        return [text for _, text in self.values()]

    def take_text(self, target: str) -> str:
        """All that the repetition says, as one text; a component sign that was not escaped stands in it again."""
        taken = self.take_all(target)
        if len(taken) < 2:
            return "".join(taken)
        d = self.margin.delimiters
        parts: dict[int, dict[int, str]] = {}
        for key, text in zip(self, taken, strict=True):
            component, sub = (key, 1) if isinstance(key, int) else key
            parts.setdefault(component, {})[sub] = text
        return d.component.join(_spaced(parts.get(n, {}), d.subcomponent) for n in range(1, max(parts) + 1))

    def took(self, component: int, target: str, sub: int = 1) -> None:
        """Enter a leaf as mapped that was read with ``peek``."""
        leaf = self.get(component if sub == 1 else (component, sub))
        if leaf:
            leaf[0].take(target)

    def notice(self, text: str, component: int = 1) -> None:
        leaf = self.get(component)
        self.margin.notice(leaf[0].place if leaf else self.place, text)


def _spaced(subs: dict[int, str], sign: str) -> str:
    return sign.join(subs.get(n, "") for n in range(1, max(subs, default=0) + 1))


class Segment:
    """One segment with its fields by number."""

    def __init__(self, reading: Reading, line: Line) -> None:
        self.name = line.name
        self.place = line.place
        self._margin = reading.margin
        self._empty = Value()
        self._empty.margin, self._empty.place = reading.margin, line.place
        # The first repetition of each field that was sent; all of them where there are several.
        self.sent: dict[int, Value] = {}
        self._repeated: dict[int, list[Value]] = {}
        self._fill(reading, line)

    def value(self, number: int) -> Value:
        """The first repetition of the field, an empty one if there is none."""
        value = self.sent.get(number)
        return self._empty if value is None else value

    def values(self, number: int) -> list[Value]:
        """The repetitions of the field that hold something."""
        if number in self._repeated:
            return [value for value in self._repeated[number] if value]
        value = self.sent.get(number)
        return [value] if value else []

    def peek(self, number: int, component: int = 1) -> str:
        value = self.sent.get(number)
        leaf = value.get(component) if value else None
        return leaf[1] if leaf else ""

    def take(self, number: int, target: str) -> str:
        """The first component of the field's first repetition, mapped to ``target``."""
        value = self.sent.get(number)
        leaf = value.get(1) if value else None
        if leaf is None:
            return ""
        leaf[0].take(target)
        return leaf[1]

    def says(self, numbers: frozenset[int]) -> bool:
        """Whether any of those fields was sent: spares a message that says little the search for what it omits."""
        return not numbers.isdisjoint(self.sent)

    def notice(self, number: int, text: str) -> None:
        self._margin.notice(f"{self.place}-{number}", text)

    def _fill(self, reading: Reading, line: Line) -> None:
        """Cut the fields and enter each leaf into the ledger with its first byte."""
        ledger, margin, fields = reading.tally.lines, reading.margin, self.sent
        whole = IGNORED_SEGMENTS.get(line.name, "")
        reasons = _NONE if whole else _IGNORED_FIELDS.get(line.name, _NONE)
        cutter, first, position = reading.cutter, 1, line.offset + len(line.name) + 1
        before = f"{line.place}-"
        if line.name in HEADERS and len(line.fields) > 1:
            cutter, first = reading.header_cutter(), 3
            position = self._signs(reading, line, position)
        for number, raw in enumerate(line.fields[first:], first):
            if not raw:
                position += 1
                continue
            reason = reasons.get(number, "") if reasons else whole
            if raw.isalnum() and raw.isascii():
                # Half of all fields are letters and digits alone, which are no signs: nothing is parted or cut.
                place = f"{before}{number}[1]"
                account = _bare(Account)
                ledger.append(account)
                account.place, account.offset, account.targets = place, position, ()
                account.fate, account.reason = _IGNORED if reason else _UNMAPPED, reason
                value = fields[number] = Value()
                value.margin, value.place = margin, place
                value[1] = account, raw
                position += len(raw) + 1
                continue
            cut = cutter.kept(raw) if len(raw) <= KEPT_LENGTH else cutter.cut(raw)
            self._enter(reading, (number, position), cut, reason)
            position += cut[0] + 1

    def _signs(self, reading: Reading, line: Line, position: int) -> int:
        """MSH-1, the sign that parts the fields, and MSH-2, the other signs; the first byte after them."""
        reasons = _IGNORED_FIELDS.get("MSH", _NONE)
        for number, raw in enumerate(line.fields[1:3], 1):
            cut = reading.header_cutter().whole(raw)
            # No sign stands before MSH-1, which is the first itself.
            reason = IGNORED_SEGMENTS.get(line.name) or reasons.get(number, "")
            self._enter(reading, (number, position - (number == 1)), cut, reason)
            position += cut[0] if number == 2 else 0
        return position + 1

    def _enter(self, reading: Reading, at: tuple[int, int], cut: Cut, reason: str) -> None:
        """Put a field down: its repetitions, their leaves, and a line of the ledger for each leaf."""
        number, position = at
        ledger, field, values = reading.tally.lines, f"{self.place}-{number}", []
        fate = _IGNORED if reason else _UNMAPPED
        for repetition, leaves in enumerate(cut[1], 1):
            value = Value()
            value.margin, value.place = reading.margin, f"{field}[{repetition}]"
            values.append(value)
            for key, inside, shift, text, odd in leaves:
                account = _bare(Account)
                ledger.append(account)
                account.place, account.offset, account.targets = field + inside, position + shift, ()
                account.fate, account.reason = fate, reason
                if text:
                    value[key] = account, text
                if odd is not None:
                    reading.remark(account, odd)
        self.sent[number] = values[0]
        if len(values) > 1:
            self._repeated[number] = values

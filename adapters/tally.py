"""The ledger while it is being written: which source fields exist, and what became of each."""

from collections.abc import Iterable, Iterator, Mapping

from adapters.contract import Account, Fate

_MAPPED, _IGNORED, _UNMAPPED = Fate.MAPPED, Fate.IGNORED, Fate.UNMAPPED
_bare = object.__new__


class Row:
    """The fields of one row of a table, name to text, and where each went: the lines of the ledger as columns.

    ``reasons`` are of those that are left out unless somebody takes them. What is not taken costs nothing until the
    ledger is closed.
    """

    __slots__ = ("_left", "_reasons", "_taken", "fields", "place")

    def __init__(self, place: str, fields: dict[str, str], reasons: Mapping[str, str]) -> None:
        self.place = place
        self.fields = fields
        self._reasons = reasons
        self._taken: dict[str, tuple[str, ...]] = {}
        self._left: dict[str, str] = {}

    def text(self, name: str) -> str:
        """The field's text, without taking it; empty when the row has no such field."""
        return self.fields.get(name, "")

    def place_of(self, name: str) -> str:
        return f"{self.place}/{name}"

    def take(self, name: str, target: str) -> str:
        """The field's text, recorded as gone into ``target``; that wins over a reason to leave it out."""
        text = self.fields.get(name)
        if not text:
            return ""
        taken = self._taken
        if name not in taken:
            taken[name] = (target,)
        elif target not in taken[name]:
            taken[name] = (*taken[name], target)
        return text

    def targets(self, name: str) -> tuple[str, ...]:
        """Where the field went so far."""
        return self._taken.get(name, ())

    def ignore(self, name: str, reason: str) -> None:
        """The field, if it holds something, is left out for ``reason``; the first reason stands, a mapping wins."""
        if name in self.fields:
            self._left.setdefault(name, reason)

    def ignore_rest(self, reason: str) -> None:
        """Every field of the row that nobody took is left out for one reason."""
        for name in self.fields:
            self._left.setdefault(name, reason)

    def lines(self, names: Iterable[str]) -> Iterator[Account]:
        """The lines of these fields, each that holds something."""
        taken, left, reasons = self._taken, self._left, self._reasons
        for name in names:
            account = _bare(Account)
            account.place, account.offset = f"{self.place}/{name}", None
            account.targets = targets = taken.get(name, ())
            if targets:
                account.fate, account.reason = _MAPPED, ""
            else:
                account.reason = reason = reasons.get(name) or left.get(name, "")
                account.fate = _IGNORED if reason else _UNMAPPED
            yield account


class Tally:
    """Starts every field as unmapped; taking or ignoring it is recorded. What nobody touched stays unmapped."""

    def __init__(self) -> None:
        self._lines: list[Account] = []
        self._by_place: dict[str, Account] = {}
        self._ordered = 0
        # After how many lines the fields of a row come.
        self._rows: list[tuple[int, Row, Iterable[str]]] = []

    def present(self, place: str, offset: int | None = None) -> Account:
        """A source field that holds something exists at ``place``; who keeps its line needs no place to write in it."""
        account = self._at(place)
        if account is None:
            account = self._by_place[place] = self.enter(place)
            self._ordered += 1
            account.offset = offset
        return account

    def enter(self, place: str, reason: str = "") -> Account:
        """As ``present`` of a place that no other field has, which is not looked up; left out where it has a reason."""
        # Without a call of __init__ a line costs half, and a message has thousands of them.
        account = _bare(Account)
        self._lines.append(account)
        account.place, account.targets, account.offset = place, (), None
        account.fate, account.reason = (_IGNORED if reason else _UNMAPPED), reason
        return account

    def enter_each(
        self, before: str, names: Iterable[str], reasons: Mapping[str, str], reason: str = ""
    ) -> dict[str, Account]:
        """As ``enter`` of all fields of one element at once; the place of each is ``before`` and its name.

        With ``reason`` all are left out for it, else those that ``reasons`` names.
        """
        lines, append = {}, self._lines.append
        for name in names:
            why = reason or reasons.get(name, "")
            lines[name] = account = _bare(Account)
            append(account)
            account.place, account.targets, account.offset = f"{before}{name}", (), None
            account.fate, account.reason = (_IGNORED if why else _UNMAPPED), why
        return lines

    def enter_row(self, row: Row, names: Iterable[str]) -> None:
        """Fields of a row come next in the message; the row keeps their lines itself, so that no place finds them."""
        self._rows.append((len(self._lines), row, names))

    def _at(self, place: str) -> Account | None:
        """The line of a place; places are gone through only when one is asked for: most readers keep their lines."""
        if self._ordered < len(self._lines):
            self._by_place.update((account.place, account) for account in self._lines[self._ordered :])
            self._ordered = len(self._lines)
        return self._by_place.get(place)

    def holds(self, place: str) -> bool:
        """Whether a source field was seen at ``place``."""
        return self._at(place) is not None

    def taken(self, place: str) -> bool:
        """Whether the field at ``place`` went somewhere."""
        account = self._at(place)
        return account is not None and bool(account.targets)

    def take(self, place: str, target: str) -> None:
        """The field went into ``target`` (``Type/id#path``); a field may go to several places."""
        self.present(place).take(target)

    def ignore(self, place: str, reason: str) -> None:
        """The field was left out on purpose; a mapping recorded for the same field wins."""
        self.present(place).ignore(reason)

    def close(self) -> tuple[Account, ...]:
        """The finished ledger, in the order the fields stand in the message."""
        if not self._rows:
            return tuple(self._lines)
        ledger: list[Account] = []
        written = 0
        for place, row, names in self._rows:
            ledger += self._lines[written:place]
            ledger += row.lines(names)
            written = place
        return (*ledger, *self._lines[written:])

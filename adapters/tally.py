"""The ledger while it is being written: which source fields exist, and what became of each."""

from collections.abc import Iterable, Mapping

from adapters.contract import Account, Fate

_IGNORED, _UNMAPPED = Fate.IGNORED, Fate.UNMAPPED
_bare = object.__new__


class Tally:
    """Starts every field as unmapped; taking or ignoring it is recorded. What nobody touched stays unmapped."""

    def __init__(self) -> None:
        self._lines: list[Account] = []
        self._by_place: dict[str, Account] = {}
        self._ordered = 0

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
        return tuple(self._lines)

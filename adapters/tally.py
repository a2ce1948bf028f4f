"""The ledger while it is being written: which source fields exist, and what became of each."""

from collections.abc import Iterable, Mapping

from adapters.contract import Account, Fate

_IGNORED, _UNMAPPED = Fate.IGNORED, Fate.UNMAPPED
_bare = object.__new__


class Tally:
    """Starts every field as unmapped; taking or ignoring it is recorded. What nobody touched stays unmapped."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    def present(self, place: str, offset: int | None = None) -> Account:
        """A source field that holds something exists at ``place``; who keeps its line needs no place to write in it."""
        account = self.accounts.get(place)
        if account is None:
            # Without a call of __init__ a line costs half, and a message has thousands of them.
            account = self.accounts[place] = _bare(Account)
            account.place, account.fate, account.targets = place, _UNMAPPED, ()
            account.reason, account.offset = "", offset
        return account

    def enter(self, place: str, reason: str = "") -> Account:
        """As ``present`` of a place that no other field has, which is not looked up; left out where it has a reason."""
        account = self.accounts[place] = _bare(Account)
        account.place, account.targets, account.offset = place, (), None
        account.fate, account.reason = (_IGNORED if reason else _UNMAPPED), reason
        return account

    def enter_each(self, before: str, names: Iterable[str], reasons: Mapping[str, str]) -> dict[str, Account]:
        """As ``enter`` of all fields of one element at once; the place of each is ``before`` and its name."""
        lines, accounts = {}, self.accounts
        for name in names:
            place, reason = f"{before}{name}", reasons.get(name, "")
            lines[name] = accounts[place] = account = _bare(Account)
            account.place, account.targets, account.offset = place, (), None
            account.fate, account.reason = (_IGNORED if reason else _UNMAPPED), reason
        return lines

    def holds(self, place: str) -> bool:
        """Whether a source field was seen at ``place``."""
        return place in self.accounts

    def taken(self, place: str) -> bool:
        """Whether the field at ``place`` went somewhere."""
        return place in self.accounts and bool(self.accounts[place].targets)

    def take(self, place: str, target: str) -> None:
        """The field went into ``target`` (``Type/id#path``); a field may go to several places."""
        self.present(place).take(target)

    def ignore(self, place: str, reason: str) -> None:
        """The field was left out on purpose; a mapping recorded for the same field wins."""
        self.present(place).ignore(reason)

    def close(self) -> tuple[Account, ...]:
        """The finished ledger, in the order the fields stand in the message."""
        return tuple(self.accounts.values())

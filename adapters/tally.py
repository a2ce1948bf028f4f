"""The ledger while it is being written: which source fields exist, and what became of each."""

from adapters.contract import Account, Fate


class Tally:
    """Starts every field as unmapped; taking or ignoring it is recorded. What nobody touched stays unmapped."""

    def __init__(self) -> None:
        self._offsets: dict[str, int | None] = {}
        self._targets: dict[str, list[str]] = {}
        self._reasons: dict[str, str] = {}

    def present(self, place: str, offset: int | None = None) -> None:
        """A source field that holds something exists at ``place``."""
        self._offsets.setdefault(place, offset)

    def holds(self, place: str) -> bool:
        """Whether a source field was seen at ``place``."""
        return place in self._offsets

    def take(self, place: str, target: str) -> None:
        """The field went into ``target`` (``Type/id#path``); a field may go to several places."""
        self._offsets.setdefault(place, None)
        targets = self._targets.setdefault(place, [])
        if target not in targets:
            targets.append(target)

    def ignore(self, place: str, reason: str) -> None:
        """The field was left out on purpose; a mapping recorded for the same field wins."""
        self._offsets.setdefault(place, None)
        self._reasons.setdefault(place, reason)

    def close(self) -> tuple[Account, ...]:
        """The finished ledger, in the order the fields stand in the message."""
        return tuple(self._account(place) for place in self._offsets)

    def _account(self, place: str) -> Account:
        offset = self._offsets[place]
        if place in self._targets:
            return Account(place, Fate.MAPPED, targets=tuple(self._targets[place]), offset=offset)
        if place in self._reasons:
            return Account(place, Fate.IGNORED, reason=self._reasons[place], offset=offset)
        return Account(place, Fate.UNMAPPED, offset=offset)

"""The ledger while it is being written: which source fields exist, and what became of each."""

from adapters.contract import Account, Fate


class Tally:
    """Starts every field as unmapped; taking or ignoring it is recorded. What nobody touched stays unmapped."""

    def __init__(self) -> None:
        self._offsets: dict[str, int | None] = {}
        self._targets: dict[str, tuple[str, ...]] = {}
        self._reasons: dict[str, str] = {}

    def present(self, place: str, offset: int | None = None) -> None:
        """A source field that holds something exists at ``place``."""
        self._offsets.setdefault(place, offset)

    def holds(self, place: str) -> bool:
        """Whether a source field was seen at ``place``."""
        return place in self._offsets

    def taken(self, place: str) -> bool:
        """Whether the field at ``place`` went somewhere."""
        return place in self._targets

    def take(self, place: str, target: str) -> None:
        """The field went into ``target`` (``Type/id#path``); a field may go to several places."""
        targets = self._targets.get(place)
        if targets is None:
            self._offsets.setdefault(place, None)
            self._targets[place] = (target,)
        elif target not in targets:
            self._targets[place] = (*targets, target)

    def ignore(self, place: str, reason: str) -> None:
        """The field was left out on purpose; a mapping recorded for the same field wins."""
        self._offsets.setdefault(place, None)
        self._reasons.setdefault(place, reason)

    def close(self) -> tuple[Account, ...]:
        """The finished ledger, in the order the fields stand in the message."""
        targets, reasons = self._targets, self._reasons
        mapped, ignored, unmapped = Fate.MAPPED, Fate.IGNORED, Fate.UNMAPPED
        return tuple(
            [
                Account(place, mapped, targets[place], "", offset)
                if place in targets
                else Account(place, ignored, (), reasons[place], offset)
                if place in reasons
                else Account(place, unmapped, (), "", offset)
                for place, offset in self._offsets.items()
            ]
        )

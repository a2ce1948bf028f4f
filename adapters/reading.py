"""What is written down while one message is read: its ledger, its notices, and what it states whole."""

from dataclasses import dataclass, field

from adapters.contract import Notice, Unit
from adapters.tally import Tally


@dataclass(slots=True)
class Reading:
    """Of one message; whatever reads a part of it writes here."""

    tally: Tally = field(default_factory=Tally)
    notices: list[Notice] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)

    def note(self, where: str, text: str) -> None:
        """Tell the sender about a place, in words that hold no patient data; the same thing is said once."""
        notice = Notice(where, text)
        if notice not in self.notices:
            self.notices.append(notice)

"""Source records of the national XML: a dossier of tables, rows that remember which of their fields were taken."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from adapters.contract import Account
from adapters.reading import Reading

Take = Callable[[str, str], str]


class Record:
    """One row of one table: element name to text, and to the field's line of the ledger."""

    __slots__ = ("_fields", "_lines", "_reading", "place", "table")

    def __init__(
        self, table: str, place: str, fields: dict[str, str], reading: Reading, lines: dict[str, Account]
    ) -> None:
        self.table = table
        self.place = place
        self._fields = fields
        self._lines = lines
        self._reading = reading

    def text(self, name: str) -> str:
        """The field's text, without taking it; empty when the row has no such field."""
        return self._fields.get(name, "")

    def many(self, name: str) -> list[str]:
        """The parts of a ``;`` list, empty ones kept so that parallel lists stay in step."""
        text = self._fields.get(name, "")
        return [part.strip() for part in text.split(";")] if text else []

    def texts(self) -> Iterable[str]:
        """What the filled fields hold."""
        return self._fields.values()

    def place_of(self, name: str) -> str:
        return f"{self.place}/{name}"

    def take(self, name: str, target: str) -> str:
        """The field's text, recorded as gone into ``target``."""
        text = self._fields.get(name)
        if not text:
            return ""
        self._lines[name].take(target)
        return text

    def targets(self, name: str) -> tuple[str, ...]:
        """Where the field went so far."""
        return self._lines[name].targets if name in self._lines else ()

    def into(self, resource: str) -> Take:
        """A taker of fields for one resource: ``take("HO_TEN", "name[0].text")``."""

        def take(name: str, path: str) -> str:
            return self.take(name, f"{resource}#{path}")

        return take

    def ignore(self, name: str, reason: str) -> None:
        """The field, if it holds something, is left out for ``reason``; a mapping recorded for it wins."""
        if name in self._lines:
            self._lines[name].ignore(reason)

    def ignore_rest(self, reason: str) -> None:
        """Every field of the row that nobody took is left out for one reason."""
        for line in self._lines.values():
            line.ignore(reason)

    def note(self, name: str, text: str) -> None:
        self._reading.note(self.place_of(name), text)


@dataclass(frozen=True, slots=True)
class Dossier:
    """One HOSO: the tables of one episode of care, and the envelope that names the sending facility."""

    place: str
    tables: dict[str, list[Record]]
    envelope: Record

    def rows(self, table: str) -> list[Record]:
        return self.tables.get(table, [])

    def first(self, *tables: str) -> Record | None:
        """The first row of the first of these tables that the dossier has."""
        return next((self.tables[table][0] for table in tables if self.tables.get(table)), None)

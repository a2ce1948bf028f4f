"""Source records of the national XML: a dossier of tables, rows that remember which of their fields were taken."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from adapters.contract import Account
from adapters.reading import Reading
from adapters.tally import Row

Take = Callable[[str, str], str]


class Record(Row):
    """One row of one table: element name to text, and where each field went."""

    __slots__ = ("_reading", "table")

    def __init__(
        self, table: str, place: str, fields: dict[str, str], reading: Reading, reasons: Mapping[str, str]
    ) -> None:
        super().__init__(place, fields, reasons)
        self.table = table
        self._reading = reading

    def many(self, name: str) -> list[str]:
        """The parts of a ``;`` list, empty ones kept so that parallel lists stay in step."""
        text = self.fields.get(name, "")
        return [part.strip() for part in text.split(";")] if text else []

    def texts(self) -> Iterable[str]:
        """What the filled fields hold."""
        return self.fields.values()

    def into(self, resource: str) -> Take:
        """A taker of fields for one resource: ``take("HO_TEN", "name[0].text")``."""

        def take(name: str, path: str) -> str:
            return self.take(name, f"{resource}#{path}")

        return take

    def note(self, name: str, text: str) -> None:
        self._reading.note(self.place_of(name), text)


class Sender(Record):
    """The facility that the envelope names; its field stands in the ledger among the envelope's own."""

    __slots__ = ("_lines",)

    def __init__(self, place: str, fields: dict[str, str], reading: Reading) -> None:
        super().__init__("GIAMDINHHS", place, fields, reading, {})
        self._lines: dict[str, Account] = {name: reading.tally.present(self.place_of(name)) for name in fields}

    def take(self, name: str, target: str) -> str:
        if name in self._lines:
            self._lines[name].take(target)
        return self.text(name)

    def ignore(self, name: str, reason: str) -> None:
        if name in self._lines:
            self._lines[name].ignore(reason)


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

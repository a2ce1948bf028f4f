"""Rows of a hospital record: the fields of one object, the objects inside it, and where each field went."""

from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.reading import Reading

Take = Callable[[str, str], str]


@dataclass(slots=True)
class Row:
    """One object. Names are compared without regard to case; ``path`` is its place without numbers."""

    place: str
    path: str
    reading: Reading
    fields: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    inner: dict[str, list["Row"]] = field(default_factory=dict)

    def text(self, *names: str) -> str:
        """The first of these fields that holds something, without taking it."""
        return next((self.fields[name] for name in names if name in self.fields), "")

    def take(self, name: str, target: str) -> str:
        """The field's text, recorded as gone into ``target``."""
        if name in self.fields:
            self.reading.tally.take(self.places[name], target)
        return self.fields.get(name, "")

    def into(self, resource: str) -> Take:
        def take(name: str, path: str) -> str:
            return self.take(name, f"{resource}#{path}")

        return take

    def rows(self, *path: str) -> list["Row"]:
        """The objects under a path of names."""
        found = [self]
        for name in path:
            found = [row for outer in found for row in outer.inner.get(name.casefold(), [])]
        return found

    def row(self, *path: str) -> "Row":
        """The first of them, or an empty one."""
        return next(iter(self.rows(*path)), Row(self.place, self.path, self.reading))

    def note(self, name: str, text: str) -> None:
        self.reading.note(self.places.get(name, self.place), text)

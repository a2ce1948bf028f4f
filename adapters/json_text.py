"""JSON read so that each value keeps its text and its place: ``7.20`` stays ``7.20`` and a fault has a line.

https://www.rfc-editor.org/rfc/rfc8259
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from adapters.contract import Untranslatable
from adapters.ruler import line_and_column

DEEPEST = 64
_SPACE = re.compile(r"[ \t\n\r]*")
_TEXT = re.compile(r'"((?:[^"\\\x00-\x1f]|\\.)*)"')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORDS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_LONGEST_NUMBER = 400


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that holds no other: its path (``entry[0].resource.id``), itself, its first and last character."""

    path: str
    value: Any
    start: int
    end: int


@dataclass(slots=True)
class Reading:
    """A JSON text while it is read; ``leaves`` come in the order they stand.

    ``spans`` are the first character and the one after the last of each object that is an element of a list.
    """

    text: str
    leaves: list[Leaf] = field(default_factory=list)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)

    def value(self, position: int, path: str = "", depth: int = 0) -> tuple[Any, int]:
        """The value that starts at ``position`` and where it ends. Raises Untranslatable with line and column."""
        if depth > DEEPEST:
            raise self._fault(f"values are nested deeper than {DEEPEST}", position)
        start = self.skip(position)
        first = self.text[start : start + 1]
        if first == "{":
            found, end = self._object(start, path, depth)
            if path.endswith("]"):
                self.spans[path] = (start, end)
            return found, end
        if first == "[":
            return self._array(start, path, depth)
        value, end = self._simple(start, first)
        self.leaves.append(Leaf(path, value, start, end))
        return value, end

    def skip(self, position: int) -> int:
        """The next character that is no white space."""
        found = _SPACE.match(self.text, position)
        return found.end() if found else position

    def _object(self, start: int, path: str, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        position = self.skip(start + 1)
        if self.text[position : position + 1] == "}":
            return found, position + 1
        while True:
            at = self.skip(position)
            name, position = self._string(at)
            if name in found:
                raise self._fault("the object names the same member twice", at)
            position = self._expect(":", position)
            found[name], position = self.value(position, f"{path}.{name}" if path else name, depth + 1)
            position = self.skip(position)
            if self.text[position : position + 1] == "}":
                return found, position + 1
            position = self._expect(",", position)

    def _array(self, start: int, path: str, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        position = self.skip(start + 1)
        if self.text[position : position + 1] == "]":
            return found, position + 1
        while True:
            value, position = self.value(position, f"{path}[{len(found)}]", depth + 1)
            found.append(value)
            position = self.skip(position)
            if self.text[position : position + 1] == "]":
                return found, position + 1
            position = self._expect(",", position)

    def _simple(self, start: int, first: str) -> tuple[Any, int]:
        if first == '"':
            return self._string(start)
        word, value = _WORDS.get(first, ("", None))
        if word and self.text.startswith(word, start):
            return value, start + len(word)
        number = _NUMBER.match(self.text, start)
        if number is None or number.end() - start > _LONGEST_NUMBER:
            raise self._fault("the JSON is not well formed or cut off", start)
        text = number[0]
        return int(text) if text.lstrip("-").isdigit() else Decimal(text), number.end()

    def _string(self, start: int) -> tuple[str, int]:
        found = _TEXT.match(self.text, start)
        if found is None:
            raise self._fault("the JSON is not well formed or cut off: a text or name is expected", start)
        if "\\" not in found[1]:
            return found[1], found.end()
        try:
            value = json.loads(found[0])
            value.encode()
        except ValueError as fault:
            raise self._fault("the text holds an escape that is no character", start) from fault
        return value, found.end()

    def _expect(self, sign: str, position: int) -> int:
        at = self.skip(position)
        if self.text[at : at + 1] != sign:
            raise self._fault(f"the JSON is not well formed or cut off: {sign!r} is expected", at)
        return at + 1

    def _fault(self, reason: str, position: int) -> Untranslatable:
        return Untranslatable(reason, line_and_column(self.text, position))


@dataclass(frozen=True, slots=True)
class Value:
    """One top-level value of a text: where it starts and ends, and its leaves."""

    value: Any
    start: int
    end: int
    leaves: tuple[Leaf, ...]
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)


def values(text: str) -> Iterator[Value]:
    """The values of a text one after the other: one of plain JSON, one a line of NDJSON."""
    position, end = Reading(text).skip(0), len(text)
    while position < end:
        reading = Reading(text)
        value, after = reading.value(position)
        yield Value(value, position, after, tuple(reading.leaves), reading.spans)
        position = reading.skip(after)


def elements(text: str, start: int) -> Iterator[Value]:
    """The elements of the array that starts at ``start``, which must be all of the text."""
    position, reading = start + 1, Reading(text)
    if text[reading.skip(position) : reading.skip(position) + 1] == "]":
        return
    while True:
        reading = Reading(text)
        begin = reading.skip(position)
        value, after = reading.value(begin, depth=1)
        yield Value(value, begin, after, tuple(reading.leaves))
        position = reading.skip(after)
        if text[position : position + 1] == "]":
            break
        position = reading._expect(",", position)
    if reading.skip(position + 1) != len(text):
        raise reading._fault("something follows the end of the array", position + 1)

"""Where a character of a decoded message stands among its bytes, asked from front to back."""

from bisect import bisect_right


class Ruler:
    """Byte offsets of characters. Cheap while the asked positions grow, right in any order."""

    def __init__(self, text: str, encoding: str = "utf-8", start: int = 0) -> None:
        self._text, self._encoding = text, encoding
        self._marks, self._bytes = [0], [start]
        self._plain = encoding == "utf-8" and text.isascii()

    def at(self, position: int) -> int:
        """The offset of the first byte of the character at ``position``."""
        if self._plain:
            return self._bytes[0] + position
        near = bisect_right(self._marks, position) - 1
        mark, offset = self._marks[near], self._bytes[near]
        found = offset + len(self._text[mark:position].encode(self._encoding, "surrogatepass"))
        if near == len(self._marks) - 1 and position > mark:
            self._marks.append(position)
            self._bytes.append(found)
        return found


def line_and_column(text: str, position: int) -> str:
    """The place of a character as an editor shows it."""
    before = text.rfind("\n", 0, position)
    return f"line {text.count(chr(10), 0, position) + 1}, column {position - before}"

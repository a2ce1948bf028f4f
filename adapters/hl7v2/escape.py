r"""Escape sequences: ``\F\`` and its kin, line breaks, hexadecimal bytes, switches of character set.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading50
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from adapters.hl7v2.codes import rows

# Final bytes of the ISO 2022 sequences that \Cxxyy\ carries. ASCII is in every set, so it means: back to our own.
SWITCHES = {row["switch"]: row["codec"] for row in rows("charsets") if row["switch"]}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE_BREAKS = ("br", "sp", "ce")


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The encoding characters that MSH-1 and MSH-2 declare."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    # Empty where MSH-2 does not declare it: since version 2.7 the fifth sign ends a value that was cut short.
    truncation: str = ""


class Escapes:
    """Turns escaped text into plain text and back, for one message's encoding characters and character set."""

    def __init__(self, delimiters: Delimiters, charset: str = "utf-8") -> None:
        d = delimiters
        self.mark = d.escape
        self.charset = charset
        self.letters = {"F": d.field, "S": d.component, "R": d.repetition, "E": d.escape, "T": d.subcomponent}
        self._written = dict(self.letters) | ({"P": d.truncation} if d.truncation else {})
        self.letters["P"] = d.truncation or "#"
        mark = re.escape(self.mark)
        self._hexadecimal = re.compile(f"{mark}X((?:[0-9A-Fa-f]{{2}})+){mark}")
        self._known = re.compile(
            f"(?P<bytes>(?:{mark}X(?:[0-9A-Fa-f]{{2}})+{mark})+)"
            f"|{mark}(?:(?P<letter>[FSRETP])|[HN]"
            # Two digits at most: \.sp999999999\ would be a gigabyte of line breaks.
            f"|\\.(?P<layout>br|sp|ce|fi|nf|sk|in|ti)(?P<count>[ +-]?\\d{{0,2}})){mark}"
        )
        self._switch = re.compile(f"{mark}([CM](?:[0-9A-Fa-f]{{2}}){{2,3}}){mark}")

    @staticmethod
    @lru_cache(maxsize=64)
    def of(delimiters: Delimiters, charset: str) -> "Escapes":
        """The one for these signs, kept: its patterns cost more than reading a short message."""
        return Escapes(delimiters, charset)

    def plain(self, text: str) -> str:
        """The text with every known escape carried out; an unknown one stays as it stands, never lost."""
        if self.mark and self.mark in text:
            text = self._switched(text)
        return text if text.isprintable() else _CONTROL.sub("", text)

    def escaped(self, text: str) -> str:
        """The text as a sender writes it, its encoding characters escaped."""
        names = {char: self.mark + letter + self.mark for letter, char in self._written.items()}
        return "".join(names.get(char, char) for char in text)

    def _switched(self, text: str) -> str:
        first, *rest = self._switch.split(text)
        out = [self._known.sub(self._meaning, first)]
        for sequence, part in zip(rest[::2], rest[1::2], strict=True):
            plain = self._known.sub(self._meaning, part)
            out.append(self._recoded(plain, sequence.upper()))
        return "".join(out)

    def _recoded(self, text: str, sequence: str) -> str:
        """Read again, in the set switched to, what was read in the message's own; kept as it came if it cannot be."""
        if sequence[0] == "M":
            return self._multi_byte(text, sequence)
        codec = SWITCHES.get(sequence[1:])
        if codec == "ascii" or (codec and text.isascii()):
            return text
        try:
            return text.encode(self.charset).decode(codec or "")
        except (UnicodeError, LookupError):
            return f"{self.mark}{sequence}{self.mark}{text}"

    def _multi_byte(self, text: str, sequence: str) -> str:
        r"""A set whose letters are several bytes: what ``\Mxxyyzz\`` carries is the end of an ISO 2022 sequence."""
        switch = b"\x1b" + bytes.fromhex(sequence[1:])
        try:
            return (switch + text.encode(self.charset)).decode("iso2022_jp_2")
        except UnicodeError:
            return f"{self.mark}{sequence}{self.mark}{text}"

    def _meaning(self, found: re.Match[str]) -> str:
        if found["letter"]:
            return self.letters[found["letter"]]
        if found["bytes"]:
            return self._from_bytes(found["bytes"])
        if found["layout"] in _LINE_BREAKS:
            return "\n" * int(found["count"].strip(" +-") or 1)
        return " " * int(found["count"].strip(" +-") or 0) if found["layout"] == "sk" else ""

    def _from_bytes(self, sequences: str) -> str:
        # One UTF-8 letter may come as several sequences: \XC3\\XA1\ is á.
        raw = bytes.fromhex("".join(self._hexadecimal.findall(sequences)))
        try:
            return raw.decode(self.charset)
        except UnicodeDecodeError:
            return sequences

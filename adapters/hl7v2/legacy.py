"""Vietnamese text written for the fonts of the nineties, TCVN3 (ABC) and VNI: told apart, and turned into Unicode.

https://vi.wikipedia.org/wiki/TCVN_3
Both are legal Latin-1, so nothing else notices them: "NguyÔn V¨n Hoµ" and "Nguyeãn Vaên Hoaø" are both Nguyễn Văn Hoà.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from adapters.hl7v2.codes import rows, table

KINDS = ("TCVN3", "VNI")
# A kind is named when it explains this many words more than any other does.
_MARGIN = 2
_WORD = re.compile(r"[^\W\d_]+")
_TONES = re.compile("[\u0300\u0301\u0303\u0309\u0323]")
_SYLLABLE = re.compile(
    "(?:ngh|ng|nh|gh|gi|kh|ch|ph|qu|th|tr|[bcdđghklmnpqrstvx])?[aăâeêioôơuưy]{1,3}(?:ng|nh|ch|[cmnpt])?"
)
# Letters that only Unicode has: one of them, and the message was never written for a font.
_UNICODE_ONLY = re.compile("[\u0102\u0103\u0110\u0111\u0128\u0129\u0168\u0169\u01a0\u01a1\u01af\u01b0\u1ea0-\u1ef9]")


def is_unicode(text: str) -> bool:
    """Whether the text holds Vietnamese letters that neither font encoding can be mistaken for."""
    return _UNICODE_ONLY.search(text) is not None


def converted(text: str, kind: str) -> str:
    """The text in Unicode. Units (µmol/L, °C) look like letters of a font and stay; so does what is Unicode already."""
    if text.isascii() or text in table("units") or is_unicode(text):
        return text
    pattern, letters = _letters(kind)
    plain = pattern.sub(lambda found: letters[found[0]], text)
    return _WORD.sub(_in_capitals, plain) if kind == "TCVN3" else plain


def kind_of(texts: Iterable[str]) -> str:
    """Which encoding explains the words, with a margin; ``twice`` for UTF-8 read as Latin-1; empty where none does."""
    found = _scores(list(texts))
    best, second = sorted(found, key=lambda kind: -found[kind])[:2]
    return best if found[best] - found[second] >= _MARGIN else ""


def explains(texts: Iterable[str]) -> bool:
    """Whether a font makes more words of the texts Vietnamese than not: foreign names (Noël, Raphaël) are none."""
    return any(score > 0 for score in _scores(list(texts)).values())


def _scores(texts: list[str]) -> dict[str, int]:
    """How many words each way of reading explains, less those that it does not."""
    found = {kind: sum(_explained(converted(text, kind)) for text in texts) for kind in KINDS}
    return {**found, "twice": sum(_explained(_once(text)) for text in texts)}


@cache
def _letters(kind: str) -> tuple[re.Pattern[str], dict[str, str]]:
    letters = {_spelled(row["source"]): row["text"] for row in rows(kind.lower())}
    longest_first = sorted(letters, key=lambda source: -len(source))
    return re.compile("|".join(longest_first)), letters


def _spelled(source: str) -> str:
    return "".join(chr(int(sign[2:], 16)) for sign in source.split())


def _in_capitals(found: re.Match[str]) -> str:
    """TCVN3 has no capitals with a tone: its capital font shows the small ones. The word's other letters tell."""
    plain = [letter for letter in found[0] if letter.isascii()]
    return found[0].upper() if len(plain) > 1 and all(letter.isupper() for letter in plain) else found[0]


def _once(text: str) -> str:
    """The text whose UTF-8 was read as Windows-1252, read rightly; as it stands where it was not."""
    try:
        return text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text


def _explained(text: str) -> int:
    """Words with Vietnamese letters that are Vietnamese syllables, less those that are none."""
    words = [word for word in _WORD.findall(text.lower()) if not word.isascii()]
    good = sum(1 for word in words if _is_syllable(word))
    return 2 * good - len(words)


def _is_syllable(word: str) -> bool:
    spread = unicodedata.normalize("NFD", word)
    bare = unicodedata.normalize("NFC", _TONES.sub("", spread))
    return len(_TONES.findall(spread)) <= 1 and _SYLLABLE.fullmatch(bare) is not None

"""Character sets: what MSH-18 declares, and Vietnamese text in an encoding that only looks like it.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading183
"""

import re

from adapters.contract import Untranslatable
from adapters.hl7v2.codes import rows

_CODECS = {row["source"]: row["codec"] for row in rows("charsets")}

_FONTS = {"TCVN3": "TCVN3", "TCVN-3": "TCVN3", "ABC": "TCVN3", "TCVN 5712": "TCVN3", "VNI": "VNI", "VNI-WIN": "VNI"}

# Each row: the letter before, the sign that gives the encoding away, the letter after.
# TCVN3 fonts put letters on Latin-1 symbols and capitals, so words hold a sign or a capital inside ("NguyÔn V¨n Hoµ").
_TCVN3 = (
    ("A-Za-z®", "¨©®ª«¬\xad¯°±µ¶·¸¹»¼½¾×", "a-zß-ÿ"),
    ("a-z", "ÆÇÈÉÊËÌÎÏÑÒÓÔÕÖØÙÚÛÜÝÞ", "a-z"),
    ("A-Za-z", "µ¸¶", ""),
    ("a-z", "Þ", ""),
    ("®", "µ¶·¸¹×êéèëíïòóõ", ""),
)
# VNI puts the tone in a second character after the vowel ("Nguyeãn Vaên"): these pairs are no Vietnamese spelling.
_VNI = (("aeiouyAEIOUY", "øûïëäåüöØÛÏËÄÅÜÖ", ""), ("aA", "êâñÊÂ", ""), ("eE", "ãâåÃÂ", ""), ("oO", "ãâåÃÂ", ""))
# UTF-8 that was read as Latin-1 or Windows-1252 and written again.
_TWICE = (("á", "º»", "^\n"), ("ÄÆ", "\x80-¿‘’“”•–—˜™š›œžŸƒ„…†‡ˆ‰Š‹Œ", ""), ("Ã", "\xa0-¿", ""))
_LEGACY = (_TCVN3, _VNI, _TWICE)
_MARKS = [
    re.compile("|".join(f"[{before}][{sign}]" + (f"[{after}]" if after else "") for before, sign, after in font))
    for font in _LEGACY
]
# Begins with the signs: to look for one of many letters is the fastest that a pattern can do.
_ANY = re.compile(
    f"[{''.join(sign for font in _LEGACY for _, sign, _ in font)}]"
    f"(?:{'|'.join(f'(?<=[{before}][{sign}])' for font in _LEGACY for before, sign, _ in font)})"
)


def codec_of(declared: str, body: bytes, legacy: str = "") -> str:
    """The Python codec for MSH-18. Raises Untranslatable for a set that is not known.

    Of several sets the first that fits the bytes; ``legacy`` is the font encoding the hospital's file names.
    """
    names = [name for name in declared.split("~") if name.strip()] or [""]
    if len(names) > 1:
        for name in names:
            codec = _codec_of(name, body, legacy) if name.strip().upper() in _CODECS else ""
            if codec and fits(body, codec):
                return codec
    return _codec_of(names[0], body, legacy)


def fits(body: bytes, codec: str) -> bool:
    """Whether the bytes can be read with that codec."""
    try:
        body.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _codec_of(declared: str, body: bytes, legacy: str) -> str:
    name = declared.strip().upper()
    if legacy and name in ("", "ASCII", *_FONTS):
        # Font encodings lie in the upper half of Latin-1; who has begun to send Unicode is read as such.
        return "utf-8" if fits(body, "utf-8") else "iso8859-1"
    if name in ("", "ASCII"):
        # ASCII is a part of UTF-8: who declares it and sends Vietnamese means UTF-8, or is refused in decoding.
        return "ascii" if body.isascii() else "utf-8"
    if name in _FONTS:
        setting = f'set legacy_text = "{_FONTS[name]}" under [quirks] of the hospital file'
        raise Untranslatable(f"{_FONTS[name]} is a font encoding: send Unicode, or {setting}", "MSH-18")
    if name not in _CODECS:
        raise Untranslatable("the declared character set is not known", "MSH-18")
    return _CODECS[name]


def legacy_marks(text: str) -> int:
    """How many letter pairs speak for TCVN3, VNI or twice-encoded UTF-8 and against Unicode Vietnamese."""
    return sum(len(marks.findall(text)) for marks in _MARKS) if _ANY.search(text) else 0

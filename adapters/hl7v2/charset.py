"""Character sets: what MSH-18 declares, and Vietnamese text in an encoding that only looks like it.

https://www.hl7.eu/HL7v2x/v251/std251/ch02.html#Heading183
"""

import re

from adapters.contract import Untranslatable
from adapters.hl7v2.codes import rows

_CODECS = {row["source"]: row["codec"] for row in rows("charsets")}

# TCVN3 fonts put letters on Latin-1 symbols and capitals, so words hold a sign or a capital inside ("NguyÔn V¨n Hoµ").
_TCVN3 = re.compile(
    "[A-Za-z®][¨©®ª«¬\xad¯°±µ¶·¸¹»¼½¾×][a-zß-ÿ]"
    "|[a-z][ÆÇÈÉÊËÌÎÏÑÒÓÔÕÖØÙÚÛÜÝÞ][a-z]|[A-Za-z][µ¸¶]|[a-z]Þ|®[µ¶·¸¹×êéèëíïòóõ]"
)
# VNI puts the tone in a second character after the vowel ("Nguyeãn Vaên"): these pairs are no Vietnamese spelling.
_VNI = re.compile("[aeiouyAEIOUY][øûïëäåüöØÛÏËÄÅÜÖ]|[aA][êâñÊÂ]|[eE][ãâåÃÂ]|[oO][ãâåÃÂ]")
# UTF-8 that was read as Latin-1 or Windows-1252 and written again.
_TWICE = re.compile("á[º»].|[ÄÆ][\x80-¿‘’“”•–—˜™š›œžŸƒ„…†‡ˆ‰Š‹Œ]|Ã[\xa0-¿]")


def codec_of(declared: str, body: bytes) -> str:
    """The Python codec for MSH-18. Raises Untranslatable for a set that is not known."""
    name = declared.strip().upper()
    if name in ("", "ASCII"):
        # ASCII is a part of UTF-8: who declares it and sends Vietnamese means UTF-8, or is refused in decoding.
        return "ascii" if body.isascii() else "utf-8"
    if name not in _CODECS:
        raise Untranslatable("the declared character set is not known", "MSH-18")
    return _CODECS[name]


def decoded(line: bytes, codec: str) -> str:
    """The line as text. Raises Untranslatable where bytes are not of the declared character set."""
    try:
        return line.decode(codec)
    except UnicodeDecodeError as error:
        raise Untranslatable("bytes that are not of the declared character set", "MSH-18") from error


def legacy_marks(text: str) -> int:
    """How many letter pairs speak for TCVN3, VNI or twice-encoded UTF-8 and against Unicode Vietnamese."""
    return sum(len(pattern.findall(text)) for pattern in (_TCVN3, _VNI, _TWICE))

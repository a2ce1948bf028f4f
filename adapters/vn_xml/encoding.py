"""Bytes to text: UTF-8 or nothing. Legacy Vietnamese fonts are refused, because stored once they cannot be told apart.

TCVN3 and VNI text is legal Latin-1, so a careless converter turns it into valid UTF-8 that reads "NguyÔn V¨n A".
"""

import re
from collections.abc import Collection

from adapters.contract import Untranslatable

DECLARATION = re.compile(rb"\s*<\?xml[^>]*?\?>")
ENCODING = re.compile(rb"encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
PROLOG = re.compile(rb"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
READABLE = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})

# Each pattern begins with its rare letters, not with a look behind it, because the engine then skips all others: a
# fifth of the time. For the same reason they are asked one by one before anything is counted.
#: TCVN3 in a word: signs of Latin-1, and capitals with accents after a small letter.
_TCVN3 = r"[¨-®µ-¹»-¾À-Þ÷](?:(?<=[A-Za-z][¨©ª«¬\xad®¸µ¶·¹¾¼½×÷])|(?<=[¨©ª¬®¸¹»×÷])(?=[A-Za-z])|(?<=[a-z][À-ÖØ-Þ]))"
#: VNI in a word: a vowel and, after it, the letter that stands for its mark.
_VNI = (
    r"[aAeEoOuUöÖôÔ](?:(?<=[aA])[ùøûõïâêéèúüëäåáàãÙØÛÕÂÊÉÈÚËÄÅÁÀÃ]|(?<=[eE])[ùøûõïâáàåãäÙØÛÕÂÁÀÅÃÄ]"
    r"|(?<=[oO])[ùøûõïâåäÙØÛÕÂÅÄ]|(?<=[uU])[øûõïØÛÕÏ]|(?<=[öÖôÔ])[ùøûõïÙØÛÕÏ])"
)
#: Letters of other languages, which both fonts also use: they count, but alone they are only a foreign name.
FOREIGN = re.compile(r"[ÆÇËÎÏÑÖÛÜßäåæçëîïñöûüþÿ]")
FONTS = (re.compile(_TCVN3), re.compile(_VNI))
LEGACY = re.compile(f"{_TCVN3}|{_VNI}")
#: So many marks in a field without one Vietnamese letter are no foreign name.
SURELY = 3
VIETNAMESE = re.compile(r"[Ă-ăĐ-đĨ-ĩŨ-ũƠ-ơƯ-ưẠ-ỹ]")


def utf8(body: bytes, where: str = "") -> bytes:
    """The body without byte order mark, known to be UTF-8. Raises Untranslatable for anything else."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Untranslatable("the text is UTF-16; decision 130 asks for UTF-8", f"{where}byte 1")
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise Untranslatable(_not_utf8(body), f"{where}{_position(body, fault.start)}") from None
    return _without_false_declaration(body, where)


def _not_utf8(body: bytes) -> str:
    declared = ENCODING.search(body[:200])
    name = declared.group(1).decode("ascii") if declared else "TCVN3, VNI or Windows-1258"
    return f"the text is not UTF-8 (a legacy encoding: {name}?); convert it to UTF-8 and send again"


def _without_false_declaration(body: bytes, where: str) -> bytes:
    declaration = DECLARATION.match(body)
    declared = ENCODING.search(declaration.group()) if declaration else None
    if declaration is None or declared is None:
        return body.lstrip()
    name = declared.group(1).lower()
    if name.startswith(b"utf-16"):  # .NET string writers say utf-16 over text that is then saved as UTF-8
        return b" " * declaration.end() + body[declaration.end() :]
    if name not in READABLE:
        raise Untranslatable(
            f"the file declares encoding {name.decode('ascii')}, not UTF-8", f"{where}line 1: encoding"
        )
    return body.lstrip()


def refuse_doctype(body: bytes, where: str = "") -> None:
    """Raise Untranslatable when the prolog holds a DOCTYPE: no entity of any kind is ever expanded."""
    prolog = PROLOG.match(body)
    end = prolog.end() if prolog else 0
    if body[end : end + 9].upper() == b"<!DOCTYPE":
        line = body.count(b"\n", 0, end) + 1
        raise Untranslatable("a DOCTYPE is refused: no DTD and no entities", f"{where}line {line}: DOCTYPE")


def looks_legacy(texts: Collection[str]) -> bool:
    """Whether the texts of a record, or one of them, read like TCVN3 or VNI that passed through a Latin-1 converter."""
    different = set(texts)
    joined = " ".join(different)
    if not any(font.search(joined) for font in FONTS):
        return False
    if any(_wholly_legacy(text) for text in different):
        return True
    text = " ".join(texts)
    odd = len(LEGACY.findall(text)) + len(FOREIGN.findall(text))
    return odd >= 2 and odd > len(VIETNAMESE.findall(text))


def _wholly_legacy(text: str) -> bool:
    """One field from an older table among fields in Unicode: many marks of the fonts, and no letter of Vietnamese."""
    return len(LEGACY.findall(text)) >= SURELY and not VIETNAMESE.search(text)


def _position(body: bytes, offset: int) -> str:
    line = body.count(b"\n", 0, offset) + 1
    column = offset - body.rfind(b"\n", 0, offset)
    return f"line {line}, column {column}"

"""The one XML parser of the FHIR side: no DTD, no entities, no network, bounded depth and size.

https://hl7.org/fhir/R4/security.html#5.8
"""

import re

from lxml import etree

from fhir_gateway.problem import Malformed

# JSON may nest 64 levels; a narrative at the bottom brings as many of its own.
DEPTH_LIMIT = 128

_PROLOG = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_TOO_DEEP = etree.XPath(f"boolean({'/*' * (DEPTH_LIMIT + 1)})")


def parse(body: bytes) -> etree._Element:
    """The root element, without comments and processing instructions. Malformed names line and column."""
    if b"\x00" in body[:4] or body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Malformed("the XML is not UTF-8", "line 1, column 1")
    start = _prolog_end(body)
    if body[start : start + 9].upper() == b"<!DOCTYPE":
        raise Malformed("a document type declaration is refused: no DTD, no entities", _place(body, start))
    root = _parsed(body)
    if root.getroottree().docinfo.internalDTD is not None:
        raise Malformed("a document type declaration is refused: no DTD, no entities", "line 1, column 1")
    if _TOO_DEEP(root):
        raise Malformed(f"elements are nested deeper than {DEPTH_LIMIT}")
    return root


def _parsed(body: bytes) -> etree._Element:
    """A parser for each text: lxml's default parser is shared between threads and keeps state."""
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise Malformed(f"not XML: {_kind(error)}", f"line {line}, column {column}") from None


def _kind(error: etree.XMLSyntaxError) -> str:
    """The kind of fault without libxml2's own words, which may quote the record."""
    name = etree.ErrorTypes._getName(error.code, "ERR_UNKNOWN")  # type: ignore[attr-defined]
    return str(name).removeprefix("ERR_").replace("_", " ").lower()


def _prolog_end(body: bytes) -> int:
    found = _PROLOG.match(body)
    return found.end() if found else 0


def _place(body: bytes, offset: int) -> str:
    before = body[:offset]
    return f"line {before.count(10) + 1}, column {offset - before.rfind(10)}"

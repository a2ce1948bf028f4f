"""The narrative of a CDA section as safe XHTML: built from an allow-list, so what is not known never gets through.

https://hl7.org/fhir/R4/narrative.html
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape

from lxml import etree

XHTML = "http://www.w3.org/1999/xhtml"

# CDA's own narrative words and their XHTML ones; words that XHTML shares keep their name.
_TAGS = {
    "paragraph": "p", "content": "span", "item": "li", "caption": "caption", "linkHtml": "a", "br": "br", "sub": "sub",
    "sup": "sup", "table": "table", "thead": "thead", "tbody": "tbody", "tfoot": "tfoot", "tr": "tr", "th": "th",
    "td": "td", "col": "col", "colgroup": "colgroup", "footnote": "span", "footnoteRef": "sup",
    "p": "p", "div": "div", "span": "span", "b": "b", "i": "i", "u": "span", "ul": "ul", "ol": "ol", "li": "li",
    "strong": "strong", "em": "em", "pre": "pre", "a": "a", "h1": "h1", "h2": "h2", "h3": "h3", "h4": "h4",
}  # fmt: skip
_DROPPED_WHOLE = frozenset({"script", "style", "object", "embed", "iframe", "form", "svg", "math"})
_PART_OF = {"ul": "li", "ol": "li", "tr": "td"}
_PARTS = {"li": ("li",), "td": ("td", "th")}
_EMPTY = frozenset({"br", "col"})
_STYLES = {"Bold": "font-weight: bold", "Italics": "font-style: italic", "Underline": "text-decoration: underline"}
_SAFE_LINK = re.compile(r"(?:https?://|#)[^\s\"'<>]*\Z", re.IGNORECASE)
_SAFE_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")
_SPAN = re.compile(r"[1-9][0-9]{0,2}\Z")
# Deeper than anybody reads; browsers and validators stop at 64. What is below loses its markup, never its words.
_DEEPEST = 40
_WITHIN = frozenset({"caption", "thead", "tbody", "tfoot", "tr", "th", "td", "col", "colgroup", "li"})


def xhtml(text: etree._Element) -> str:
    """The ``div`` of one section text, or an empty string when it shows nothing."""
    if not any(words and not words.isspace() for words in _words(text)):
        return ""
    return f'<div xmlns="{XHTML}">{_inner(text).strip()}</div>'


def plain(element: etree._Element) -> str:
    """The words of an element on one line."""
    return " ".join("".join(_words(element)).split())


def anchors(text: etree._Element) -> Iterator[tuple[str, str]]:
    """Every narrative ID with the words it stands for; an empty marker stands for the words of its cell."""
    for element in text.iter(etree.Element):
        name = element.get("ID")
        if name:
            parent = element.getparent()
            words = plain(element) or (plain(parent) if parent is not None and parent is not text else "")
            yield name, words


def escaped(words: str) -> str:
    """A ``div`` that holds plain words."""
    return f'<div xmlns="{XHTML}"><p>{escape(words, quote=False)}</p></div>'


def _words(element: etree._Element) -> Iterator[str]:
    if _local(element) in _DROPPED_WHOLE:
        return
    yield element.text or ""
    for child in element:
        yield from _words(child)
        # Cells and lines are words apart even where the markup has no blank between them.
        yield " " if _local(child) in {"td", "th", "br", "item", "paragraph", "tr"} else ""
        yield child.tail or ""


def _local(element: etree._Element) -> str:
    return _bare_name(str(element.tag))


@lru_cache(maxsize=256)
def _bare_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _inner(element: etree._Element, depth: int = 1, part: str = "") -> str:
    """The words and elements inside an element; what is no ``part`` of a list or row becomes one."""
    made = [escape(element.text, quote=False)] if element.text else []
    for child in element:
        made.append(_element(child, depth))
        if child.tail:
            made.append(escape(child.tail, quote=False))
    return "".join(_as_part(one, part) for one in made) if part else "".join(made)


def _as_part(made: str, part: str) -> str:
    allowed = tuple(f"<{tag}" for tag in _PARTS[part])
    return made if not made or made.isspace() or made.startswith(allowed) else f"<{part}>{made}</{part}>"


def _element(element: etree._Element, depth: int) -> str:
    name = _local(element)
    if name in _DROPPED_WHOLE:
        return ""
    tag = _list_tag(element) if name == "list" else _TAGS.get(name, "")
    if depth > _DEEPEST and tag not in _WITHIN:
        return escape(plain(element), quote=False)
    if not tag or (tag == "caption" and _local_parent(element) != "table"):
        return _inner(element, depth)
    if tag in _EMPTY:
        return f"<{tag}/>"
    return f"<{tag}{_attributes(element, tag)}>{_inner(element, depth + 1, _PART_OF.get(tag, ''))}</{tag}>"


def _local_parent(element: etree._Element) -> str:
    parent = element.getparent()
    return _local(parent) if parent is not None else ""


def _list_tag(element: etree._Element) -> str:
    return "ol" if element.get("listType") == "ordered" else "ul"


def _attributes(element: etree._Element, tag: str) -> str:
    if not element.attrib:
        return ""
    kept = {
        "id": _if(_SAFE_ID, element.get("ID")),
        "href": _if(_SAFE_LINK, element.get("href")) if tag == "a" else "",
        "colspan": _if(_SPAN, element.get("colspan")),
        "rowspan": _if(_SPAN, element.get("rowspan")),
        "style": _style(element.get("styleCode", "")),
    }
    return "".join(f' {name}="{escape(value)}"' for name, value in kept.items() if value)


def _if(pattern: re.Pattern[str], value: str | None) -> str:
    return value if value and pattern.match(value) else ""


def _style(codes: str) -> str:
    return "; ".join(_STYLES[code] for code in codes.split() if code in _STYLES)

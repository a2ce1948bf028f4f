"""Narrative: an XHTML div of text, lists, tables and images, with nothing in it that acts.

https://hl7.org/fhir/R4/narrative.html#Narrative
"""

from xml.parsers import expat

_NAMESPACE = "http://www.w3.org/1999/xhtml"
_ELEMENTS = frozenset(
    "a abbr acronym address b bdo big blockquote br caption cite code col colgroup dd del dfn div dl dt em "  # noqa: SIM905
    "h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q samp small span strong sub sup table tbody td tfoot th "
    "thead tr tt ul var".split()
)
_ATTRIBUTES = frozenset(
    "abbr accesskey align alt axis bgcolor border cellpadding cellspacing char charoff cite class clear colspan "  # noqa: SIM905
    "compact coords datetime dir frame headers height href hspace id lang longdesc name noshade nowrap rel rev "
    "rowspan rules scope shape size span src start style summary tabindex target title type usemap valign value "
    "vspace width xml:lang xml:space xmlns".split()
)
_DEPTH_LIMIT = 64
_ACTIVE = ("javascript:", "vbscript:", "data:text/html")


class _Unsafe(Exception):  # noqa: N818 - it never leaves this module
    """What the narrative must not hold."""


def fault(div: str) -> str | None:
    """Why a div is no narrative, None when it is one."""
    reader = _Reader()
    try:
        reader.read(div)
    except _Unsafe as unsafe:
        return str(unsafe)
    except expat.ExpatError:
        return "is not well-formed XHTML (txt-1)"
    return None if reader.has_content else "has no content (txt-2)"


class _Reader:
    """Walks the markup once. No entity but XML's own five exists, because a DOCTYPE is refused."""

    def __init__(self) -> None:
        self.has_content = False
        self._depth = 0

    def read(self, div: str) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.ProcessingInstructionHandler = self._instruction
        parser.Parse(div, True)

    def _doctype(self, *_: object) -> None:
        raise _Unsafe("must not have a DOCTYPE (txt-1)")

    def _instruction(self, *_: object) -> None:
        raise _Unsafe("must not have processing instructions (txt-1)")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1 and (name != "div" or attributes.get("xmlns") != _NAMESPACE):
            raise _Unsafe("must be a div in the XHTML namespace (txt-1)")
        if self._depth > _DEPTH_LIMIT:
            raise _Unsafe(f"is nested deeper than {_DEPTH_LIMIT} (txt-1)")
        if name not in _ELEMENTS:
            raise _Unsafe("has an element that narrative does not allow (txt-1)")
        for attribute, value in attributes.items():
            _refuse_active(attribute, value)
        self.has_content |= name == "img"

    def _end(self, _: str) -> None:
        self._depth -= 1

    def _text(self, text: str) -> None:
        self.has_content = self.has_content or not text.isspace()


def _refuse_active(attribute: str, value: str) -> None:
    if attribute not in _ATTRIBUTES:
        raise _Unsafe("has an attribute that narrative does not allow (txt-1)")
    if attribute in ("href", "src", "style") and any(word in _squeezed(value) for word in _ACTIVE):
        raise _Unsafe("has a link that acts (txt-1)")


def _squeezed(value: str) -> str:
    """Without the white space and control characters that browsers skip in a scheme."""
    return "".join(value.split()).translate(dict.fromkeys(range(33))).casefold()

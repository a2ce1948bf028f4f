"""A CDA document from bytes to elements, each field of it entered in the ledger; nothing here knows FHIR.

https://hl7.org/cda/stds/core/2.0.0-sd/
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from adapters.cda import narrative
from adapters.cda.node import NOTHING, Node
from adapters.contract import Untranslatable
from adapters.tally import Tally

HL7 = "urn:hl7-org:v3"
MAX_BYTES = 32 * 1024 * 1024
MAX_DEPTH = 200

PREFIXES = {HL7: "", "urn:hl7-org:sdtc": "sdtc:", "http://www.w3.org/2001/XMLSchema-instance": "xsi:"}
_STRUCTURE = "part of the model's structure: says which kind of statement this is, not what it states"
_STRUCTURAL_ATTRIBUTES = {
    **dict.fromkeys(
        ("classCode", "moodCode", "typeCode", "determinerCode", "contextConductionInd", "contextControlCode",
         "inversionInd", "institutionSpecified", "operator", "partType", "xsi:type", "xsi:schemaLocation"),
        _STRUCTURE,
    ),
    "ID": "an anchor for links inside the document",
    "qualifier": "says of what kind a part of the name is; the part itself is mapped",
    "codeSystemName": "a name for the code system that @codeSystem already identifies",
    "nullFlavor": "the sender states that it has no value here: the element is left out",
}  # fmt: skip
_STRUCTURAL_ELEMENTS = {
    "templateId": "says which template the sender followed",
    "sdtc:templateId": "says which template the sender followed",
    "typeId": "fixed by the standard: this is CDA release 2",
    "realmCode": "says which national rules the sender followed",
    "seperatableInd": "says whether the statement may be read alone; FHIR resources always may",
    "sequenceNumber": "order inside the message, kept by the order of the result",
}

ACTIVE_CONTENT = "active content, which no reader is meant to see"


@dataclass(slots=True)
class Document:
    """The whole document: its root, the words its narrative anchors stand for, and the open ledger."""

    root: Node
    anchors: dict[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)


def safe_parse(body: bytes) -> etree._Element:
    """The root element. Raises Untranslatable on a document type declaration, an entity, bad or oversized XML."""
    if len(body) > MAX_BYTES:
        raise Untranslatable(f"the document is larger than {MAX_BYTES} bytes", "/")
    start = _prolog_end(body)
    if body[start : start + 9].upper() == b"<!DOCTYPE":
        raise Untranslatable("a document type declaration is refused: no DTD, no entities", _position(body, start))
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as fault:
        raise Untranslatable(_fault(fault), f"line {fault.lineno or 1}, column {fault.offset or 1}") from None
    # A declaration in an encoding whose bytes do not show it, such as UTF-16.
    if root.getroottree().docinfo.internalDTD is not None:
        raise Untranslatable("a document type declaration is refused: no DTD, no entities", "line 1, column 1")
    return root


def parse(body: bytes) -> Document:
    """The document as elements. Raises Untranslatable when it is not a readable clinical document."""
    root = safe_parse(body)
    if root.tag != f"{{{HL7}}}ClinicalDocument":
        raise Untranslatable("the root element is not ClinicalDocument of urn:hl7-org:v3", "/")
    document = Document(NOTHING)
    reading = _Reading(document)
    document.root = reading.element(root, "ClinicalDocument", "", 1)
    reading.enter(document.root, "/ClinicalDocument")
    return document


def looks_like_cda(body: bytes) -> bool:
    """Whether the first element is a ClinicalDocument, judged by the first bytes alone."""
    start = _prolog_end(body[:65536])
    tag = body[start : start + 4096].partition(b">")[0]
    name = tag[1:].split(maxsplit=1)[0].rpartition(b":")[2] if tag[1:].strip() else b""
    return tag[:1] == b"<" and name.rstrip(b"/") == b"ClinicalDocument" and HL7.encode() in tag


def _prolog_end(body: bytes) -> int:
    """Where the XML declaration, comments and instructions before the first element or DOCTYPE end."""
    at = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    while True:
        while body[at : at + 1].isspace():
            at += 1
        closing = b"?>" if body.startswith(b"<?", at) else b"-->" if body.startswith(b"<!--", at) else b""
        end = body.find(closing, at) if closing else -1
        if end < 0:
            return at
        at = end + len(closing)


def _position(body: bytes, at: int) -> str:
    line = body.count(b"\n", 0, at) + 1
    column = at - body.rfind(b"\n", 0, at)
    return f"line {line}, column {column}"


def _fault(fault: etree.XMLSyntaxError) -> str:
    """The parser's own name for the fault: its full sentence may quote the document."""
    last = fault.error_log.last_error  # type: ignore[attr-defined]
    kind = last.type_name if last is not None else "ERR_DOCUMENT_EMPTY"
    return f"the XML is not well formed or cut off ({kind.removeprefix('ERR_').replace('_', ' ').lower()})"


class _Lines(dict[str, str]):
    """Each text of one document on one line in composed Unicode: a document says its codes many times over."""

    def __missing__(self, text: str) -> str:
        words = text.split()
        line = words[0] if len(words) == 1 else " ".join(words)
        self[text] = line = line if line.isascii() else unicodedata.normalize("NFC", line)
        return line


class _Names(dict[object, str]):
    """Names with a known prefix, or with their namespace spelt out as XPath 3.1 does; empty for what is no element.

    ``unbound`` stands before those without a namespace.
    """

    def __init__(self, unbound: str) -> None:
        super().__init__()
        self._unbound = unbound

    def __missing__(self, tag: object) -> str:
        if not isinstance(tag, str):
            return ""
        namespace, _, local = tag.rpartition("}")
        prefix = PREFIXES.get(namespace[1:], f"Q{namespace}}}" if namespace else self._unbound)
        self[tag] = name = prefix + local
        return name


class _Reading:
    """Turns lxml elements into nodes, then enters every field into the ledger.

    Two walks, because lxml makes its elements anew each time they are looked at: the first looks once at each, and the
    place of an element is known only when its next ones were seen.
    """

    def __init__(self, document: Document) -> None:
        self._anchors = document.anchors
        self._tally = document.tally
        self._elements, self._attributes = _Names("Q{}"), _Names("")
        self._lines = _Lines()
        self._active: list[Node] = []

    def element(self, element: etree._Element, name: str, outer: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise Untranslatable(f"elements are nested deeper than {MAX_DEPTH}", f"line {element.sourceline}")
        lines, names = self._lines, self._attributes
        attributes: dict[str, str] = {}
        for key, raw in element.items():
            if line := lines[raw]:  # type: ignore[index]
                attributes[names[key]] = line
        if name == "text" and outer == "section":
            return self._narrative(element, attributes)
        text = element.text
        words = lines[text] if text else ""
        # Two of three have none inside.
        if not len(element):
            return Node(name, "", attributes, words)
        children: list[Node] = []
        for child in element:
            inner = self._elements[child.tag]
            if inner:
                children.append(self.element(child, inner, name, depth + 1))
            tail = child.tail
            if tail and (line := lines[tail]):
                words = f"{words} {line}" if words else line
        return Node(name, "", attributes, words, children)

    def _narrative(self, element: etree._Element, attributes: Mapping[str, str]) -> Node:
        node = Node("text", "", attributes)
        node.narrative = unicodedata.normalize("NFC", narrative.xhtml(element))
        self._anchors.update((name, self._lines[words]) for name, words in narrative.anchors(element))
        if not node.narrative and "".join(map(str, element.itertext())).strip():
            self._active.append(node)
        return node

    def enter(self, node: Node, place: str) -> None:
        """Give an element and all below it their places, and their fields lines of the ledger.

        A narrative is one field: its words are one statement to a reader, however many cells they fill.
        """
        node.place = place
        reason = _STRUCTURAL_ELEMENTS.get(node.name, "")
        tally, lines = self._tally, node.lines
        if node.attributes:
            node.lines = lines = tally.enter_each(f"{place}/@", node.attributes, _STRUCTURAL_ATTRIBUTES, reason)
        if node.text or node.narrative:
            node.lines = {**lines, "": tally.enter(place, reason)}
        elif self._active and node in self._active:
            tally.enter(place, ACTIVE_CONTENT)
        if node.is_plural:
            self._enter_numbered(node.children, place)
            return
        for child in node.children:
            self.enter(child, f"{place}/{child.name}")

    def _enter_numbered(self, children: Sequence[Node], place: str) -> None:
        """Those of a name that stands more than once are counted from one."""
        alike = Counter([child.name for child in children])
        seen = dict.fromkeys(alike, 0)
        for child in children:
            name = child.name
            seen[name] += 1
            self.enter(child, f"{place}/{name}[{seen[name]}]" if alike[name] > 1 else f"{place}/{name}")

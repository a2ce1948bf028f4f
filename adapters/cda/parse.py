"""A CDA document from bytes to elements, each field of it entered in the ledger; nothing here knows FHIR.

https://hl7.org/cda/stds/core/2.0.0-sd/
"""

import unicodedata
from dataclasses import dataclass, field

from lxml import etree

from adapters.cda import narrative
from adapters.cda.node import Node
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
    document = Document(Node())
    document.root = _Reading(document).element(root, "ClinicalDocument", "/ClinicalDocument", 1)
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
    name = last.type_name if last is not None else "ERR_DOCUMENT_EMPTY"
    return f"the XML is cut off or not well-formed ({name})"


def _clean(text: str | None) -> str:
    """One line, composed Unicode: the same letters always as the same code points."""
    words = text.split() if text else ()
    line = words[0] if len(words) == 1 else " ".join(words)
    return line if line.isascii() else unicodedata.normalize("NFC", line)


class _Reading:
    """Turns lxml elements into nodes and enters every field met into the ledger."""

    def __init__(self, document: Document) -> None:
        self._anchors = document.anchors
        self._tally = document.tally
        self._names: dict[str, str] = {}

    def element(self, element: etree._Element, name: str, place: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise Untranslatable(f"elements are nested deeper than {MAX_DEPTH}", f"line {element.sourceline}")
        reason = _STRUCTURAL_ELEMENTS.get(name)
        node = Node(name, place, self._attributes(element, place, reason))
        if name == "text" and _parent_is_section(element):
            self._narrative(element, node)
            return node
        # Asked for once: lxml makes its elements anew each time they are looked at.
        below = list(element)
        node.text = _own_text(element, below)
        if node.text:
            self._enter(place, reason)
        if below:
            node.children = self._children(below, place, depth + 1)
        return node

    def _children(self, below: list[etree._Element], place: str, depth: int) -> list[Node]:
        children = [(child, self._name(child.tag)) for child in below if isinstance(child.tag, str)]
        alike: dict[str, int] = {}
        for _, name in children:
            alike[name] = alike.get(name, 0) + 1
        if len(alike) == len(children):
            return [self.element(child, name, f"{place}/{name}", depth) for child, name in children]
        seen = dict.fromkeys(alike, 0)
        nodes = []
        for child, name in children:
            seen[name] += 1
            where = f"{place}/{name}[{seen[name]}]" if alike[name] > 1 else f"{place}/{name}"
            nodes.append(self.element(child, name, where, depth))
        return nodes

    def _attributes(self, element: etree._Element, place: str, reason: str | None) -> dict[str, str]:
        kept = {}
        for key, raw in element.items():
            value, attribute = _clean(str(raw)), str(key)
            if value:
                if "{" in attribute:
                    attribute = self._name(attribute)
                kept[attribute] = value
                self._enter(f"{place}/@{attribute}", reason or _STRUCTURAL_ATTRIBUTES.get(attribute))
        return kept

    def _narrative(self, element: etree._Element, node: Node) -> None:
        """One field a section: its words are one statement to a reader, however many cells they fill."""
        node.narrative = unicodedata.normalize("NFC", narrative.xhtml(element))
        self._anchors.update((name, _clean(words)) for name, words in narrative.anchors(element))
        if node.narrative:
            self._tally.present(node.place)
        elif "".join(map(str, element.itertext())).strip():
            self._tally.ignore(node.place, "active content, which no reader is meant to see")

    def _enter(self, place: str, reason: str | None) -> None:
        if reason:
            self._tally.ignore(place, reason)
        else:
            self._tally.present(place)

    def _name(self, tag: str) -> str:
        """The name with a known prefix, or with its namespace spelt out as XPath 3.1 does."""
        if tag not in self._names:
            namespace, _, local = tag.rpartition("}")
            prefix = PREFIXES.get(namespace[1:], f"Q{namespace}}}" if namespace else "Q{}")
            self._names[tag] = prefix + local
        return self._names[tag]


def _own_text(element: etree._Element, below: list[etree._Element]) -> str:
    """The words that stand in the element itself, between its children."""
    if not below:
        return _clean(element.text)
    return _clean(" ".join([text for text in (element.text, *[child.tail for child in below]) if text]))


def _parent_is_section(element: etree._Element) -> bool:
    parent = element.getparent()
    return parent is not None and parent.tag == f"{{{HL7}}}section"

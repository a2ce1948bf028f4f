"""The XHTML of a narrative: markup inside FHIR XML, one string inside FHIR JSON.

https://hl7.org/fhir/R4/narrative.html#Narrative
"""

from lxml import etree

from fhir_gateway.fhir.xml.safe import parse

XHTML = "http://www.w3.org/1999/xhtml"


def markup(text: str) -> etree._Element:
    """The div of a JSON string. Malformed when it is not well-formed."""
    return parse(text.encode())


def text(div: etree._Element) -> str:
    """The JSON string of a div; XHTML becomes its default namespace whatever prefix the sender gave it."""
    return etree.tostring(_plain(div, None), encoding="unicode", with_tail=False)


def _plain(source: etree._Element, parent: etree._Element | None) -> etree._Element:
    tag = str(source.tag)
    attributes = {str(name): str(value) for name, value in source.attrib.items()}
    if parent is None:
        copy = etree.Element(tag, attributes, nsmap={None: XHTML})  # type: ignore[arg-type,dict-item,unused-ignore]
    else:
        copy = etree.SubElement(parent, tag, attributes)
    copy.text, copy.tail = source.text, source.tail
    for child in source:
        _plain(child, copy)
    return copy

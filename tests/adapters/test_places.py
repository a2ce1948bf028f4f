"""From a ledger's places to the bytes of the message: XML of three kinds, files inside files, what is no XML."""

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Span
from adapters.outline import Unlocatable, attribute_of, content_of, outline
from adapters.places import Finder, carried

HL7 = {"urn:hl7-org:v3": "", "urn:x-sdtc": "sdtc:"}


def bytes_at(body, span):
    if span.outer is not None:
        body = carried(body[span.outer.offset : span.outer.offset + span.outer.length])
    return body[span.offset : span.offset + span.length]


def test_an_element_and_an_attribute_are_found_by_their_path():
    body = b'<a xmlns="urn:hl7-org:v3"><b x=\'1\'/><b  y = "2" x="3"> text </b></a>'
    finder = Finder(body, names=HL7)
    spans = finder.spans(["/a/b[1]/@x", "/a/b[2]/@x", "/a/b[2]"])
    assert [bytes_at(body, span) for span in spans.values()] == [b"1", b"3", b"text"]


def test_namespaces_are_told_apart_as_places_write_them():
    body = b'<a xmlns="urn:hl7-org:v3" xmlns:s="urn:x-sdtc"><b>1</b><s:b s:k="2">3</s:b><b xmlns="urn:y/z">4</b></a>'
    spans = Finder(body, names=HL7).spans(["/a/b", "/a/sdtc:b/@sdtc:k", "/a/sdtc:b", "/a/Q{urn:y/z}b"])
    assert [bytes_at(body, span) for span in spans.values()] == [b"1", b"2", b"3", b"4"]


def test_a_place_that_is_not_there_has_no_bytes():
    assert Finder(b"<a><b/></a>").spans(["/a/c", "/a/b[2]", "nonsense", ""]) == {}


def national(inner: str) -> bytes:
    return (
        "\ufeff<?xml version='1.0' encoding='utf-16'?>\n<GIAMDINHHS><THONGTINHOSO><DANHSACHHOSO><HOSO><FILEHOSO>"
        f"<LOAIHOSO>XML2</LOAIHOSO><NOIDUNGFILE>{inner}</NOIDUNGFILE></FILEHOSO></HOSO></DANHSACHHOSO>"
        "</THONGTINHOSO></GIAMDINHHS>"
    ).encode()


TABLE = "<CHI><DS><R><MA>một</MA></R><R><MA>hai</MA><MA>ba</MA></R></DS></CHI>"
PREFIX = "/GIAMDINHHS/THONGTINHOSO/DANHSACHHOSO/HOSO[1]/FILEHOSO[1]"


@pytest.mark.parametrize(
    "inner",
    [
        b64encode(TABLE.encode()).decode(),
        "\n" + b64encode(b"\xef\xbb\xbf<?xml version='1.0'?>\n" + TABLE.encode()).decode(),
        f"<![CDATA[{TABLE}]]>",
        TABLE.replace("<", "&lt;").replace(">", "&gt;"),
        TABLE,
    ],
)
def test_a_field_of_an_inner_file_is_found_however_the_file_is_carried(inner):
    body = national(inner)
    finder = Finder(body, encoding="utf-8", carries="NOIDUNGFILE")
    places = [f"{PREFIX}/LOAIHOSO", f"{PREFIX}/XML2/R[1]/MA", f"{PREFIX}/XML2/R[2]/MA", f"{PREFIX}/XML2/R[2]/MA[2]"]
    spans = finder.spans(places)
    assert [bytes_at(body, span).decode() for span in spans.values()] == ["XML2", "một", "hai", "ba"]
    carriers = {span.carrier for span in spans.values()} - {""}
    numbered = "/GIAMDINHHS/THONGTINHOSO[1]/DANHSACHHOSO[1]/HOSO[1]/FILEHOSO[1]/NOIDUNGFILE"
    assert carriers <= {numbered}
    assert bool(carriers) is (inner != TABLE)


def test_a_field_in_cdata_is_the_text_inside():
    body = "<a><b><![CDATA[tên <x>]]></b></a>".encode()
    (span,) = Finder(body).spans(["/a/b"]).values()
    assert bytes_at(body, span).decode() == "tên <x>"


@pytest.mark.parametrize("body", [b"", b"no xml", b"<a><b></a>", b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"])
def test_what_is_no_xml_or_brings_a_doctype_has_no_outline(body):
    with pytest.raises(Unlocatable):
        outline(body)
    assert Finder(body).spans(["/a"]) == {}


def test_an_attribute_whose_bytes_do_not_show_it_is_its_tag():
    body = '<?xml version="1.0" encoding="utf-16"?><a><b k="v"/></a>'.encode("utf-16")
    root = outline(body)
    first, length = attribute_of(body, root.children[0], "k")
    assert "b" in body[first : first + length].decode("utf-16-le")


NAMES = st.sampled_from(["A", "B", "TÊN"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8).filter(
    lambda text: "\ufffe" not in text and "\uffff" not in text
)
TREES = st.recursive(TEXTS, lambda inner: st.lists(st.tuples(NAMES, inner), max_size=3), max_leaves=12)


def xml(tree) -> str:
    if isinstance(tree, str):
        return tree.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"<{name}>{xml(inner)}</{name}>" for name, inner in tree)


def contents(tree, path=""):
    if isinstance(tree, str):
        return
    seen = {}
    for name, inner in tree:
        seen[name] = seen.get(name, 0) + 1
        place = f"{path}/{name}[{seen[name]}]"
        yield place, xml(inner)
        yield from contents(inner, place)


@settings(deadline=None, max_examples=80)
@given(tree=st.lists(st.tuples(NAMES, TREES), max_size=4), white=st.sampled_from(["", "\n  "]))
def test_every_place_of_any_document_leads_to_what_stands_there(tree, white):
    body = f"{white}<ROOT>{xml(tree)}</ROOT>".encode()
    expected = {f"/ROOT{place}": text for place, text in contents(tree)}
    spans = Finder(body).spans(expected)
    assert {place: bytes_at(body, span).strip() for place, span in spans.items()} == {
        place: text.encode().strip() for place, text in expected.items()
    }


def test_a_span_without_a_carrier_is_of_the_message_itself():
    body = b"<a><b>1</b></a>"
    assert Finder(body).spans(["/a/b"]) == {"/a/b": Span(6, 1)}
    assert content_of(body, outline(body)) == (3, 8)

import pytest

from fhir_gateway.fhir.xml.safe import DEPTH_LIMIT, parse
from fhir_gateway.problem import Malformed


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<?xml version="1.0"?>\n<!-- c --><!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><a/>',
        b"\xef\xbb\xbf <!doctype a><a/>",
    ],
)
def test_a_document_type_declaration_is_refused_before_it_is_read(body):
    with pytest.raises(Malformed, match="document type"):
        parse(body)


def test_other_encodings_than_utf8_are_refused():
    with pytest.raises(Malformed):
        parse("<a/>".encode("utf-16"))
    with pytest.raises(Malformed):
        parse('<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16-be"))


def test_a_declared_encoding_does_not_outrank_utf8():
    assert parse("<?xml version='1.0' encoding='ISO-8859-1'?><a b='Hạ Long'/>".encode()).get("b") == "Hạ Long"


def test_elements_nested_too_deep_are_refused():
    assert parse(b"<a>" * DEPTH_LIMIT + b"</a>" * DEPTH_LIMIT) is not None
    with pytest.raises(Malformed, match="nested"):
        parse(b"<a>" * (DEPTH_LIMIT + 1) + b"</a>" * (DEPTH_LIMIT + 1))
    with pytest.raises(Malformed):
        parse(b"<a>" * 100_000)


def test_a_fault_names_its_line_and_never_quotes_the_text():
    with pytest.raises(Malformed) as caught:
        parse(b"<a>\n<b>Nguyen</c></a>")
    assert (caught.value.issues[0].where or "").startswith("line 2")
    assert "Nguyen" not in caught.value.text


def test_comments_and_instructions_are_dropped():
    assert [child.tag for child in parse(b"<a><!-- x --><?y z?><b/></a>")] == ["b"]

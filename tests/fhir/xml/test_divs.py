from fhir_gateway.fhir.xml import divs
from fhir_gateway.fhir.xml.safe import parse

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">Sốt <b xml:lang="vi">cao</b> &lt;39&gt;<br/> độ</div>'


def test_a_div_comes_back_as_it_went_in():
    assert divs.text(divs.markup(DIV)) == DIV


def test_a_prefixed_div_gets_xhtml_as_its_default_namespace():
    inside = b'<h:div xmlns:h="http://www.w3.org/1999/xhtml" xmlns:x="urn:x">a<h:b>c</h:b>d</h:div>'
    assert divs.text(parse(inside)) == '<div xmlns="http://www.w3.org/1999/xhtml">a<b>c</b>d</div>'


def test_the_text_behind_a_div_is_none_of_its_own():
    outer = parse(f"<text>{DIV}  \n</text>".encode())
    assert divs.text(outer[0]) == DIV

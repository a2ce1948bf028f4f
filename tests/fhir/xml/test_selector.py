import pytest

from fhir_gateway.fhir.xml.safe import parse
from fhir_gateway.fhir.xml.selector import LENGTH_LIMIT, select
from fhir_gateway.problem import BadRequest, Unprocessable

ROOT = parse(b"""<P xmlns="urn:f"><n id="a"><use value="x"/></n><n id="b"><use value="y"/></n><t>one<u/></t></P>""")
SPACES = {None: "urn:f", "f": "urn:f"}


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("P/n[1]", "a"),
        ("/f:P/f:n[2]", "b"),
        ("P/n[@id='b']", "b"),
        ("P/n[use/@value='y']", "b"),
        ("P/*[2]", "b"),
        ("P/n[use/@value='x'][1]", "a"),
    ],
)
def test_a_path_finds_the_one_element_it_names(path, identity):
    assert select(ROOT, path, SPACES, "sel").element.get("id") == identity


def test_a_path_may_end_at_an_attribute_or_a_text():
    assert select(ROOT, "P/n[1]/@id", SPACES, "sel").attribute == "id"
    assert select(ROOT, "P/t/text()", SPACES, "sel").is_text
    assert select(ROOT, "P/t[.='one']", SPACES, "sel").element.tag == "{urn:f}t"


@pytest.mark.parametrize("path", ["P/n", "P/x", "P/n[3]", "P/n[1]/@value", "P/n[0]", "Q"])
def test_a_path_to_nothing_or_to_several_cannot_be_used(path):
    with pytest.raises(Unprocessable):
        select(ROOT, path, SPACES, "sel")


@pytest.mark.parametrize("path", ["", "//n", "P/n[position()=1]", "P/n[", "g:P", "P/..", "P n", "P/" * LENGTH_LIMIT])
def test_what_is_no_path_of_rfc_5261_is_refused(path):
    with pytest.raises(BadRequest):
        select(ROOT, path, SPACES, "sel")

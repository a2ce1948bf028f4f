"""Narrative that is read and never acts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.narrative import fault

START = '<div xmlns="http://www.w3.org/1999/xhtml"'


@pytest.mark.parametrize(
    "inner",
    [
        "Bệnh nhân",
        "<p>a &lt; b &#160; &amp; c</p>",
        '<table border="1"><tr><td colspan="2">K</td></tr></table>',
        '<a href="Patient/1">x</a>',
        '<img src="#i" alt="x"/>',
        '<p style="color: red" class="x">x</p>',
        "<!-- note -->x",
    ],
)
def test_text_tables_links_and_images_pass(inner: str) -> None:
    assert fault(f"{START}>{inner}</div>") is None


@pytest.mark.parametrize(
    ("div", "word"),
    [
        ("<div>x</div>", "namespace"),
        ('<p xmlns="http://www.w3.org/1999/xhtml">x</p>', "namespace"),
        (f"{START}><p>x</div>", "well-formed"),
        (f"{START}>a &nbsp; b</div>", "well-formed"),
        (f"{START}>x</div><div/>", "well-formed"),
        ("x", "well-formed"),
        (f"{START}> \n </div>", "content"),
        (f"{START}/>", "content"),
        (f"{START}><script>x</script></div>", "element"),
        (f"{START}><iframe/>x</div>", "element"),
        (f"{START}><form>x</form></div>", "element"),
        (f'{START}><p onclick="x">x</p></div>', "attribute"),
        (f'{START}><a href="javascript:x">x</a></div>', "acts"),
        (f'{START}><a href=" java&#10;script:x">x</a></div>', "acts"),
        (f'{START}><img src="data:text/html;base64,x"/></div>', "acts"),
        (f"<!DOCTYPE div>{START}>x</div>", "DOCTYPE"),
        (f'<!DOCTYPE div [<!ENTITY a "b">]>{START}>&a;</div>', "DOCTYPE"),
        (f"{START}><?php x?>x</div>", "instructions"),
        (f"{START}>{'<b>' * 100}x{'</b>' * 100}</div>", "deeper"),
    ],
)
def test_what_acts_or_is_no_xhtml_is_refused(div: str, word: str) -> None:
    assert word in str(fault(div))


@settings(deadline=None, max_examples=200)
@given(st.text("<>/&;#!?[]\"'= divxmlnsahrefp:\x00", max_size=60))
def test_any_text_gets_an_answer(inner: str) -> None:
    fault(f"{START}>{inner}</div>")
    fault(inner)

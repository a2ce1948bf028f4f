"""The narrative is safe XHTML that keeps every word."""

import re
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.cda.narrative import XHTML, anchors, plain, xhtml
from adapters.contract import Untranslatable

ALLOWED = {"id", "href", "colspan", "rowspan", "style"}


def text(content: str) -> etree._Element:
    return etree.fromstring(f'<text xmlns="urn:hl7-org:v3">{content}</text>')


def test_the_words_of_cda_become_those_of_xhtml():
    div = xhtml(
        text(
            '<list listType="ordered"><item>a</item></list>'
            '<paragraph>b <content styleCode="Bold">c</content></paragraph>'
        )
    )

    assert div == (f'<div xmlns="{XHTML}"><ol><li>a</li></ol><p>b <span style="font-weight: bold">c</span></p></div>')


def test_active_content_never_gets_through():
    div = xhtml(
        text(
            '<script>alert(1)</script><style>p{}</style><paragraph onclick="a()" style="x:expression(1)">ok</paragraph>'
            '<linkHtml href="javascript:alert(1)">x</linkHtml><linkHtml href=" JaVaScRiPt:a">y</linkHtml>'
            '<linkHtml href="data:text/html,x">z</linkHtml><iframe src="http://e/">t</iframe>'
            '<img src="x" onerror="a()"/>'
        )
    )

    assert div == f'<div xmlns="{XHTML}"><p>ok</p><a>x</a><a>y</a><a>z</a></div>'


def test_a_safe_link_is_kept():
    assert '<a href="https://example.org/a?b=1&amp;c=2">x</a>' in xhtml(
        text('<linkHtml href="https://example.org/a?b=1&amp;c=2">x</linkHtml>')
    )


def test_unknown_markup_keeps_its_words():
    assert xhtml(text("<marquee>a<b>c</b></marquee>")) == f'<div xmlns="{XHTML}">a<b>c</b></div>'


def test_a_text_that_shows_nothing_has_no_narrative():
    assert xhtml(text(" <paragraph/> <script>x</script>")) == ""


def test_an_empty_marker_stands_for_the_words_of_its_cell():
    found = dict(
        anchors(
            text('<table><tr><td><content ID="m"/> Vắc xin cúm </td></tr><tr ID="r"><td>a</td><td>b</td></tr></table>')
        )
    )

    assert found == {"m": "Vắc xin cúm", "r": "a b"}


NAMES = st.sampled_from(
    ["paragraph", "content", "script", "linkHtml", "table", "td", "item", "caption", "svg", "br", "x"]
)
KEYS = st.sampled_from(["href", "onclick", "ID", "styleCode", "style", "src", "colspan", "class"])
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)


@st.composite
def markup(draw, depth=3):
    element = etree.Element(draw(NAMES), dict(draw(st.lists(st.tuples(KEYS, WORDS), max_size=3))))
    element.text = draw(WORDS)
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        element.append(draw(markup(depth - 1)))
        element[-1].tail = draw(WORDS)
    return element


@settings(deadline=None, max_examples=150)
@given(element=markup())
def test_any_markup_becomes_well_formed_xhtml_of_the_allow_list(element):
    root = etree.Element("text")
    root.append(element)
    div = xhtml(root)

    if not div:
        assert plain(root) == ""
        return
    for found in etree.fromstring(div).iter():
        assert etree.QName(found).namespace == XHTML
        assert etree.QName(found).localname not in {"script", "svg", "x", "linkHtml"}
        assert set(found.attrib) <= ALLOWED
        assert not found.get("href", "#").lower().lstrip().startswith(("javascript", "data", "vbscript"))


HOSTILE = (
    '<paragraph onclick="a()" onmouseover="b()" styleCode="Bold;background:url(x)">x</paragraph>',
    '<linkHtml href="java&#10;script:alert(1)">x</linkHtml>',
    '<linkHtml href="vbscript:x">x</linkHtml><linkHtml href="//e.example/x">x</linkHtml>',
    '<linkHtml href="mailto:a@e.example">x</linkHtml><linkHtml href="file:///etc/passwd">x</linkHtml>',
    '<content ID="a&quot; onload=&quot;x">x</content>',
    '<table><tr><td colspan="9999999" onclick="x">x</td></tr></table>',
    '<svg xmlns="http://www.w3.org/2000/svg" onload="x"><script>x</script></svg><paragraph>x</paragraph>',
    '<h:script xmlns:h="http://www.w3.org/1999/xhtml">bad</h:script><paragraph>x</paragraph>',
    '<h:a xmlns:h="http://www.w3.org/1999/xhtml" href="javascript:x" target="_top">x</h:a>',
    "<base href='http://e.example/'/><meta http-equiv='refresh' content='0'/><paragraph>x</paragraph>",
    "<paragraph>&lt;script&gt;x&lt;/script&gt;</paragraph>",
    "<renderMultiMedia referencedObject='javascript:x'><caption>x</caption></renderMultiMedia>",
)


@pytest.mark.parametrize("content", HOSTILE)
def test_hostile_markup_keeps_its_words_and_nothing_else(content):
    div = xhtml(text(content))
    root = etree.fromstring(div)
    elements = list(root.iter())

    assert {name for element in elements for name in element.attrib} <= ALLOWED
    assert all(re.match(r"https?://|#", element.get("href", "#")) for element in elements)
    assert not {etree.QName(element).localname for element in elements} & {"script", "svg", "base", "meta", "img"}
    assert "x" in "".join(root.itertext())
    assert "bad" not in "".join(root.itertext())


def test_the_caption_of_a_picture_is_kept_and_a_style_of_a_list():
    div = xhtml(
        text(
            '<renderMultiMedia referencedObject="M1"><caption>X-quang phổi</caption></renderMultiMedia>'
            '<list listType="ordered"><caption>Thuốc</caption><item>a</item></list>'
        )
    )

    assert "X-quang phổi" in div
    assert "<ol>" in div
    assert "Thuốc" in div


def test_markup_nested_as_deep_as_the_parser_allows_is_still_read(document, translate, made):
    deep = "<content>" * 200 + "sâu" + "</content>" * 200

    section = made(translate(document(text=deep)), "Composition")[0]["section"][0]
    assert "sâu" in section["text"]["div"]


def test_markup_nested_deeper_is_refused_with_its_place(document, translate):
    deep = "<content>" * 5000 + "sâu" + "</content>" * 5000

    with pytest.raises(Untranslatable) as refusal:
        translate(document(text=deep))
    assert refusal.value.where.startswith("line ")


def test_a_wide_narrative_takes_time_in_step_with_its_size():
    def seconds(rows: int) -> float:
        table = text(f"<table>{'<tr><td><content>a</content></td></tr>' * rows}</table>")
        began = process_time()
        xhtml(table)
        return process_time() - began

    seconds(100)
    assert seconds(20_000) < max(seconds(2_000), 0.005) * 60


@pytest.mark.parametrize(("opened", "closed"), [("<content>", "</content>"), ("<list><item>", "</item></list>")])
def test_what_is_nested_too_deep_keeps_its_words_and_loses_its_markup(opened, closed):
    div = etree.fromstring(xhtml(text(opened * 100 + "đáy" + closed * 100)))

    assert plain(div) == "đáy"
    assert max(sum(1 for _ in element.iterancestors()) for element in div.iter()) < 60


def test_what_is_no_item_of_a_list_becomes_one():
    div = xhtml(text("<list><caption>Smoking</caption><item>never</item> since 2001</list>"))

    assert div == f'<div xmlns="{XHTML}"><ul><li>Smoking</li><li>never</li><li> since 2001</li></ul></div>'

"""Pages: what is shown is escaped, and only who wants a page gets one."""

from fhir_gateway.api.pages import Markup, facts, link, page, table, tag, together


def test_what_is_no_markup_is_escaped_everywhere():
    bad = "<b a='1'>&\""
    made = (
        tag("p", bad),
        tag("p", title=bad),
        link(bad, bad),
        facts(name=bad),
        table((bad,), tag("tr", tag("td", bad))),
    )
    answer = page(bad, *made)
    assert bad not in answer.body.decode()
    assert "<b a=" not in answer.body.decode()
    assert answer.body.count(b"&lt;b a=") == 9


def test_markup_inside_markup_stays_what_it_is():
    assert tag("p", tag("b", "x"), "y") == "<p><b>x</b>y</p>"
    assert isinstance(together(tag("b"), tag("i")), Markup)


def test_facts_without_a_value_are_left_out():
    assert facts(one="1", none="") == "<dl><dt>one</dt><dd>1</dd></dl>"


def test_a_page_allows_no_script_and_is_not_kept():
    headers = dict(page("title").headers)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"

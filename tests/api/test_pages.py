"""Pages: what is shown is escaped, and only who wants a page gets one."""

import pytest
from starlette.datastructures import Headers

from fhir_gateway.api.pages import (
    Markup,
    counted,
    facts,
    link,
    local,
    page,
    steps,
    table,
    tag,
    time,
    together,
    wants_page,
)


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
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(headers["content-security-policy"].split("; "))
    assert headers["cache-control"] == "no-store"


def test_a_moment_is_shown_as_the_clock_of_the_hospital_has_it():
    assert local("2026-11-23T18:34:22.123+00:00", "+07:00") == "2026-11-24 01:34:22"
    assert 'datetime="2026-11-23T18:34:22.123+00:00"' in time("2026-11-23T18:34:22.123+00:00", "+07:00")
    assert local("", "+07:00") == time("", "+07:00") == ""


def test_a_long_path_may_break_after_each_step_and_stays_escaped():
    assert steps("/A/B<i>") == "/<wbr>A/<wbr>B&lt;i&gt;"


def test_a_count_begins_with_the_whole():
    assert counted({"mapped": 95, "unmapped": 1, "fields": 96}) == "96: 95 mapped, 1 unmapped"


def test_an_element_without_content_has_no_end():
    assert tag("input", name="place", value="PID") == '<input name="place" value="PID">'


def test_a_table_scrolls_by_itself_or_becomes_cards():
    assert 'class="wide" tabindex="0"' in table(("#one",))
    assert '<th class="number">one</th>' in table(("#one",))
    assert table(("one",), class_="cards").startswith('<table class="cards">')


class Wish:
    """What a request says of the form it wants."""

    def __init__(self, accept="", **pairs):
        self.headers = Headers({"accept": accept})
        self.pairs = list(pairs.items())


@pytest.mark.parametrize(
    ("wish", "page_wanted"),
    [
        (Wish("text/html,application/xml;q=0.9"), True),
        (Wish("application/json, text/html"), False),
        (Wish("*/*"), False),
        (Wish("application/json", _format="html"), True),
        (Wish("text/html", _format="json"), False),
    ],
)
def test_only_who_asks_for_a_page_gets_one(wish, page_wanted):
    assert wants_page(wish) is page_wanted

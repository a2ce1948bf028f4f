"""The statement of completeness as a page that prints on one sheet, and the feeds of all hospitals on another."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.pages import Markup, counted, facts, link, local, page, table, tag, time, together

STATES = (
    ("stored", "in the records"),
    ("quarantined", "kept, waiting for a correction"),
    ("received", "kept, waiting for their translation"),
    ("divided", "kept, living on as their pieces"),
    ("corrected", "kept, a corrected message stands in their place"),
)


def statement_page(told: Mapping[str, Any], silent: Mapping[str, Any] | None) -> Answer:
    """``silent`` is the alarm of the feed, where there is one today."""
    offset = told["from"][-6:]
    return page(
        f"Completeness: {told['title']}, {told['date']}",
        _alarm(silent, offset),
        _navigation(told),
        _counts(told),
        _states(told),
        _reasons(told),
        _sequences(told),
        tag("h2", "Signature"),
        tag("p", f"Made by the gateway {told['gateway']} at {local(told['made'], offset)}, signed over the JSON form."),
        tag("pre", told["signature"]),
    )


def feeds_page(feeds: Sequence[Mapping[str, Any]]) -> Answer:
    numbers = ("#today", "#stored", "#quarantined", "#waiting", "#duplicates", "#missing")
    heads = ("hospital", *numbers, "last seen", "alarm")
    return page("Feeds", table(heads, *map(_feed, feeds)))


def _address(hospital: str, when: str) -> str:
    return f"/ingest/{quote(hospital)}/completeness?date={when}&_format=html"


def _alarm(silent: Mapping[str, Any] | None, offset: str) -> Markup:
    if not silent:
        return Markup()
    since, missed = local(silent["since"], offset), silent["missed"]
    text = f"Silent since {since}: about {missed} messages would have come by the feed's habit."
    return tag("p", text, class_="quarantined")


def _navigation(told: Mapping[str, Any]) -> Markup:
    when = date.fromisoformat(told["date"])
    days = [(when - timedelta(days=1), "the day before"), (when + timedelta(days=1), "the day after")]
    begun = [day for day in days if day[0].isoformat() <= local(told["made"], told["from"][-6:])[:10]]
    links = [link(_address(told["hospital"], day.isoformat()), text) for day, text in begun]
    there = f"/ingest/{quote(told['hospital'])}"
    links.append(link(f"{there}?date={told['date']}&_format=html", "messages of the day"))
    links.append(link(f"{there}?state=quarantined&_format=html", "quarantine"))
    return tag("nav", *links, link("/exchange/feeds?_format=html", "all feeds"))


def _counts(told: Mapping[str, Any]) -> Markup:
    offset = told["from"][-6:]
    return facts(
        facility=told["facility"],
        day=f"{local(told['from'], offset)} to {local(told['until'], offset)} ({offset})",
        received=str(told["received"]),
        duplicates=f"{told['duplicates']} (the same bytes again; answered with the first receipt)",
        corrections=str(told["corrections"] or ""),
        pieces=str(told["pieces"] or ""),
        first_seen=local(told["first_seen"], offset),
        last_seen=local(told["last_seen"], offset),
        fields=counted(told["fields"]),
    )


def _states(told: Mapping[str, Any]) -> Markup:
    rows = [_line(state, str(told["states"][state]), meaning) for state, meaning in STATES]
    return together(
        tag("h2", f"What became of {told['messages']} messages"),
        table(("state", "#messages", ""), *rows, _line("in all", str(told["messages"]), "")),
    )


def _line(state: str, number: str, meaning: str) -> Markup:
    return tag("tr", tag("td", state, class_=state), tag("td", number, class_="number"), tag("td", meaning))


def _reasons(told: Mapping[str, Any]) -> Markup:
    if not told["quarantined"]:
        return Markup()
    rows = [
        tag("tr", tag("td", row["reason"]), tag("td", str(row["messages"]), class_="number"))
        for row in told["quarantined"]
    ]
    return together(tag("h2", "Quarantined, by reason"), table(("reason", "#messages"), *rows))


def _sequences(told: Mapping[str, Any]) -> Markup:
    if not told["sequences"]:
        return Markup()
    return together(
        tag("h2", "The sender's own count (MSH-13)"),
        table(("stream", "from", "to", "numbers", "missing", "begun anew"), *map(_stream, told["sequences"])),
    )


def _stream(row: Mapping[str, Any]) -> Markup:
    gaps = ", ".join(str(start) if start == end else f"{start}-{end}" for start, end in row["gaps"])
    missing = f"{row['missing']}: {gaps}" if row["missing"] else "none"
    cells = (row["stream"], str(row["first"]), str(row["last"]), str(row["numbers"]), missing, str(row["restarts"]))
    return tag("tr", *(tag("td", cell) for cell in cells))


def _feed(feed: Mapping[str, Any]) -> Markup:
    states = feed["states"]
    numbers = [feed["messages"], states["stored"], states["quarantined"], states["received"], feed["duplicates"]]
    quiet = feed["silent"]
    offset = feed["offset"]
    silent = tag("span", f"silent since {local(quiet['since'], offset)}", class_="quarantined") if quiet else Markup()
    return tag(
        "tr",
        tag("td", link(_address(feed["hospital"], feed["date"]), feed["title"])),
        *(tag("td", str(number), class_="number") for number in (*numbers, feed["missing"])),
        tag("td", time(feed["last_seen"], offset)),
        tag("td", silent),
    )

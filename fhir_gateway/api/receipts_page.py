"""The receipts of a hospital as a page: what came, what became of it, what was wrong first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote, urlencode

from adapters.contract import Hospital
from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import without_presentation
from fhir_gateway.api.pages import Markup, link, page, steps, table, tag, time
from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.problem import BadRequest

FILTERS = ("date", "state", "whole", "after")
HEADS = ("received", "message", "state", "format", "what was wrong")


@dataclass(frozen=True, slots=True)
class Shown:
    """What is on the page: ``asked`` is the filter in force, ``after`` where the next page begins, empty on the last.

    ``today`` is the day at the hospital.
    """

    receipts: Sequence[Receipt]
    asked: Mapping[str, str]
    after: str
    today: date


def receipt_filters(asked: Asked) -> dict[str, str]:
    """The filters of a list of receipts. Raises BadRequest for a name or a state there is not."""
    given = {name: value for name, value in without_presentation(asked.pairs) if value}
    unknown = next((name for name in given if name not in FILTERS), None)
    if unknown is not None:
        raise BadRequest(f"receipts are filtered by {', '.join(FILTERS)}", unknown[:60])
    if given.get("state", State.STORED) not in set(State):
        raise BadRequest(f"a state is one of {', '.join(State)}", "state")
    return given


def receipts_page(hospital: Hospital, shown: Shown) -> Answer:
    """Those of a day, of a state, or the pieces of one message."""
    lines = [_line(receipt, hospital.offset) for receipt in shown.receipts]
    onward = link(_query(shown.asked, after=shown.after), "more") if shown.after else Markup()
    return page(
        f"Messages of {hospital.title}{_what(shown.asked)}",
        _navigation(hospital, shown),
        tag("p", f"{len(lines)} messages, newest first; times are {hospital.offset}." if lines else "There is none."),
        table(HEADS, *lines, class_="cards") if lines else Markup(),
        tag("nav", onward),
    )


def _what(asked: Mapping[str, str]) -> str:
    parts = [asked.get("date", ""), asked.get("state", ""), "pieces of one message" if "whole" in asked else ""]
    return "".join(f", {part}" for part in parts if part)


def _navigation(hospital: Hospital, shown: Shown) -> Markup:
    when = date.fromisoformat(shown.asked["date"]) if "date" in shown.asked else shown.today
    days = [(when - timedelta(days=1), "the day before"), (when + timedelta(days=1), "the day after")]
    links = [link(_query({}, date=day.isoformat()), text) for day, text in days if day <= shown.today]
    links.append(link(_query({}, date=shown.today.isoformat()), "today"))
    links += [link(_query({"date": when.isoformat()}, state=state), state) for state in ("stored", "quarantined")]
    links.append(link(_query({}, state="quarantined"), "quarantined on any day"))
    links.append(link(f"/ingest/{quote(hospital.name)}/completeness?date={when}&_format=html", "statement of the day"))
    return tag("nav", *links)


def _query(asked: Mapping[str, str], **changed: str) -> str:
    return "?" + urlencode({**asked, **changed, "_format": "html"})


def _line(receipt: Receipt, offset: str) -> Markup:
    first = receipt.problems[0] if receipt.problems else None
    more = f" (and {len(receipt.problems) - 1} more)" if len(receipt.problems) > 1 else ""
    why = (tag("code", steps(first["where"])), f": {first['text']}{more}") if first else ()
    return tag(
        "tr",
        tag("td", time(receipt.received, offset)),
        tag("td", link(f"/ingest/{quote(receipt.key)}?_format=html", receipt.receipt), class_="place"),
        tag("td", tag("span", receipt.state, class_=receipt.state)),
        tag("td", receipt.adapter),
        tag("td", *why),
    )

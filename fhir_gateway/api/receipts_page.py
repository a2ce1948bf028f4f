"""The receipts of a hospital as a page: what came, what became of it, what was wrong first."""

from collections.abc import Sequence
from urllib.parse import quote

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import without_presentation
from fhir_gateway.api.pages import Markup, link, page, table, tag
from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.problem import BadRequest

FILTERS = ("state", "whole", "after")
HEADS = ("received", "message", "state", "format", "what was wrong")


def receipt_filters(asked: Asked) -> dict[str, str]:
    """The filters of a list of receipts. Raises BadRequest for a name or a state there is not."""
    given = {name: value for name, value in without_presentation(asked.pairs) if value}
    unknown = next((name for name in given if name not in FILTERS), None)
    if unknown is not None:
        raise BadRequest(f"receipts are filtered by {', '.join(FILTERS)}", unknown[:60])
    if given.get("state", State.STORED) not in set(State):
        raise BadRequest(f"a state is one of {', '.join(State)}", "state")
    return given


def receipts_page(hospital: str, receipts: Sequence[Receipt], following: str) -> Answer:
    """``following`` is the address of the next page, empty on the last."""
    onward = tag("nav", link(following, "more")) if following else Markup()
    told = f"{len(receipts)} messages" if receipts else "There is none."
    return page(f"Messages of {hospital}", tag("p", told), table(HEADS, *map(_line, receipts)), onward)


def _line(receipt: Receipt) -> Markup:
    first = receipt.problems[0] if receipt.problems else None
    return tag(
        "tr",
        tag("td", receipt.received),
        tag("td", link(f"/ingest/{quote(receipt.key)}?_format=html", receipt.receipt), class_="place"),
        tag("td", tag("span", receipt.state, class_=receipt.state)),
        tag("td", receipt.adapter),
        tag("td", f"{first['where']}: {first['text']}" if first else ""),
    )

"""A receipt as a page, for whoever is woken by it: what was wrong, where, and what to do."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.ledger_page import bytes_of
from fhir_gateway.api.pages import Markup, facts, link, page, table, tag, together
from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.exchange.ledgers import Row

MEANINGS = {
    State.RECEIVED: "The message is kept. It waits for its translation.",
    State.STORED: "The message is kept and in the records. There is nothing to do.",
    State.QUARANTINED: "The message is kept, and nothing of it is in the records: it waits for a correction.",
    State.CORRECTED: "The message is kept as it came; a corrected one stands in its place.",
    State.DIVIDED: "The message is kept as it came; it holds several, and each lives on as a message of its own.",
}
ADVICE = {
    "structure": "The message cannot be read at this place. Correct it where it is made and send it again.",
    "exception": "The fault is the gateway's, not the message's. Try it again; if it stays, tell its operators.",
    "too-long": "One message makes more than one commit can hold. Send it in parts.",
}
OTHERWISE = (
    "What the message says here would not be valid FHIR. Correct it where it is made, or teach the hospital's file "
    "the local code."
)
PROBLEMS = ("place", "what was wrong", "what to do", "bytes")


def receipt_page(receipt: Receipt, rows: Sequence[Row]) -> Answer:
    """``rows`` are the lines of its ledger, which give the bytes of a problem's place."""
    return page(
        f"Message {receipt.receipt}",
        tag("p", tag("span", receipt.state, class_=receipt.state), ": ", MEANINGS[receipt.state]),
        _links(receipt),
        _problems(receipt, rows),
        _ways(receipt) if receipt.state is State.QUARANTINED else Markup(),
        _about(receipt),
        _notices(receipt),
        _resources(receipt),
    )


def _there(receipt: Receipt) -> str:
    return f"/ingest/{quote(receipt.key)}"


def _links(receipt: Receipt) -> Markup:
    links = [link(f"{_there(receipt)}/original", "original")]
    if receipt.ledger:
        links.append(link(f"{_there(receipt)}/ledger?_format=html", "ledger"))
        links.append(link(f"{_there(receipt)}/ledger?_format=html&fate=unmapped", "unmapped fields"))
    others = (
        (receipt.corrected_by, "the corrected message"),
        (receipt.corrects, "the message it corrects"),
        (receipt.whole, "the message it is a piece of"),
    )
    for other, name in others:
        if other:
            links.append(link(f"/ingest/{quote(receipt.hospital)}/{other}?_format=html", name))
    if receipt.pieces:
        pieces = f"/ingest/{quote(receipt.hospital)}?whole={receipt.receipt}&_format=html"
        links.append(link(pieces, f"its {receipt.pieces} pieces"))
    return tag("nav", *links)


def _about(receipt: Receipt) -> Markup:
    counted = receipt.ledger
    return facts(
        hospital=receipt.hospital,
        received=receipt.received,
        settled=receipt.settled,
        media_type=receipt.media_type,
        size=f"{receipt.size} bytes",
        sha256=receipt.sha256,
        format=receipt.adapter,
        mapping=receipt.mapping,
        mapped_again=", ".join(receipt.remapped),
        fields=", ".join(f"{number} {name}" for name, number in counted.items()),
    )


def _problems(receipt: Receipt, rows: Sequence[Row]) -> Markup:
    if not receipt.problems:
        return Markup()
    lines = [_problem(receipt, problem, rows) for problem in receipt.problems]
    return together(tag("h2", "What was wrong"), table(PROBLEMS, *lines))


def _problem(receipt: Receipt, problem: Mapping[str, str], rows: Sequence[Row]) -> Markup:
    place = problem["where"]
    there = next((row for row in rows if row["place"] == place or row["place"].startswith(f"{place}[")), None)
    target = f"{_there(receipt)}/ledger?_format=html#{quote(there['place'])}" if there else ""
    return tag(
        "tr",
        tag("td", link(target, place) if target else place, class_="place"),
        tag("td", problem["text"]),
        tag("td", ADVICE.get(problem.get("code", ""), OTHERWISE)),
        tag("td", bytes_of(there) if there else "", class_="number"),
    )


def _ways(receipt: Receipt) -> Markup:
    """The three ways out, as they are typed."""
    bearer = '-H "Authorization: Bearer $TOKEN"'
    here = f"$GATEWAY{_there(receipt)}"
    ways = (
        ("Corrected where it is made: send it again as any message. This one stays here as it came.", ""),
        (
            "Corrected in the hospital's file or by a new version of the gateway: translate these bytes again.",
            f"curl -X POST {bearer} {here}/retry",
        ),
        (
            "Corrected by hand: fetch the original, correct it, and hand it in as the correction. Both are kept.",
            f"curl {bearer} -o message {here}/original\n"
            f"curl {bearer} -H 'Content-Type: {receipt.media_type}' --data-binary @message {here}/corrected",
        ),
    )
    steps = [tag("li", text, tag("pre", command) if command else Markup()) for text, command in ways]
    return together(tag("h2", "What to do"), tag("ol", *steps))


def _notices(receipt: Receipt) -> Markup:
    if not receipt.notices:
        return Markup()
    lines = [
        tag("tr", tag("td", notice["where"], class_="place"), tag("td", notice["text"])) for notice in receipt.notices
    ]
    return together(tag("h2", "Notices that did not stop it"), table(("place", "notice"), *lines))


def _resources(receipt: Receipt) -> Markup:
    if not receipt.resources:
        return Markup()
    made = [tag("li", link(f"/fhir/{ref}", ref)) for ref in receipt.resources]
    return together(tag("h2", f"{len(made)} resources made or completed"), tag("ul", *made))

"""A receipt as a page, for whoever is woken by it: what was wrong, where, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote as as_word
from urllib.parse import quote

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.ledger_page import AS_TEXT, bytes_of
from fhir_gateway.api.pages import Markup, counted, facts, link, local, page, steps, table, tag, together
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
PROBLEMS = ("place", "what was wrong", "what to do", "#bytes")


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Where the page is looked at: the hospital's own time, and the address of this gateway."""

    offset: str
    gateway: str


def receipt_page(receipt: Receipt, rows: Sequence[Row], here: Viewpoint) -> Answer:
    """``rows`` are the lines of its ledger, which give the bytes of a problem's place."""
    return page(
        f"Message {receipt.receipt}",
        tag("p", tag("span", receipt.state, class_=receipt.state), ": ", MEANINGS[receipt.state]),
        _links(receipt),
        _problems(receipt, rows),
        _ways(receipt, here.gateway) if receipt.state is State.QUARANTINED else Markup(),
        _about(receipt, here.offset),
        _notices(receipt),
        _resources(receipt),
    )


def _there(receipt: Receipt) -> str:
    return f"/ingest/{quote(receipt.key)}"


def _links(receipt: Receipt) -> Markup:
    house = f"/ingest/{quote(receipt.hospital)}"
    links = [
        link(f"{house}?_format=html", f"messages of {receipt.hospital}"),
        link(f"{house}?state=quarantined&_format=html", "quarantine"),
        link(f"{_there(receipt)}/original", "original"),
    ]
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
            links.append(link(f"{house}/{other}?_format=html", name))
    if receipt.pieces:
        pieces = f"{house}?whole={receipt.receipt}&_format=html"
        links.append(link(pieces, f"its {receipt.pieces} pieces"))
    return tag("nav", *links)


def _about(receipt: Receipt, offset: str) -> Markup:
    return facts(
        hospital=receipt.hospital,
        received=f"{local(receipt.received, offset)} ({offset})",
        settled=local(receipt.settled, offset),
        media_type=receipt.media_type,
        size=f"{receipt.size} bytes",
        sha256=receipt.sha256,
        format=receipt.adapter,
        mapping=receipt.mapping,
        mapped_again=", ".join(local(when, offset) for when in receipt.remapped),
        fields=counted(receipt.ledger),
    )


def _problems(receipt: Receipt, rows: Sequence[Row]) -> Markup:
    if not receipt.problems:
        return Markup()
    lines = [_problem(receipt, problem, rows) for problem in receipt.problems]
    return together(tag("h2", "What was wrong"), table(PROBLEMS, *lines, class_="cards"))


def _problem(receipt: Receipt, problem: Mapping[str, str], rows: Sequence[Row]) -> Markup:
    place = problem["where"]
    there = next((row for row in rows if row["place"] == place or row["place"].startswith(f"{place}[")), None)
    target = f"{_there(receipt)}/ledger?_format=html#{quote(there['place'])}" if there else ""
    return tag(
        "tr",
        tag("td", link(target, steps(place)) if target else steps(place), class_="place"),
        tag("td", problem["text"]),
        tag("td", ADVICE.get(problem.get("code", ""), OTHERWISE)),
        tag("td", bytes_of(there) if there else "", class_="number"),
    )


def _ways(receipt: Receipt, gateway: str) -> Markup:
    """The ways out, as they are typed."""
    bearer = '-H "Authorization: Bearer $TOKEN"'
    # The sender chose it, and it is pasted into a shell.
    kind = as_word(f"Content-Type: {receipt.media_type}")
    here = f"{gateway}{_there(receipt)}"
    ways = (
        ("Corrected where it is made: send it again as any message. This one stays here as it came.", ""),
        (
            "Corrected in the hospital's file or by a new version of the gateway: translate these bytes again.",
            f"curl -X POST {bearer} {here}/retry",
        ),
        (
            "The same for all of this hospital with a fault of this kind: counted first, then without --dry-run.",
            f"fhir-gateway replay --hospital {receipt.hospital} --code {receipt.problems[0].get('code', '')} --dry-run",
        ),
        (
            "Corrected by hand: fetch the original, correct it, and hand it in as the correction. Both are kept.",
            f"curl {bearer} -o message {here}/original\n"
            f"curl {bearer} -H {kind} --data-binary @message {here}/corrected",
        ),
    )
    listed = [tag("li", text, tag("pre", command) if command else Markup()) for text, command in ways]
    token = tag("p", "TOKEN stands for an access token, as the one you signed in with.", class_="quiet")
    return together(tag("h2", "What to do"), tag("ol", *listed), token)


def _notices(receipt: Receipt) -> Markup:
    if not receipt.notices:
        return Markup()
    lines = [
        tag("tr", tag("td", steps(notice["where"]), class_="place"), tag("td", notice["text"]))
        for notice in receipt.notices
    ]
    return together(tag("h2", "Notices that did not stop it"), table(("place", "notice"), *lines, class_="cards"))


def _resources(receipt: Receipt) -> Markup:
    if not receipt.resources:
        return Markup()
    made = [tag("li", link(f"/fhir/{ref}?{AS_TEXT}", ref)) for ref in receipt.resources]
    return together(tag("h2", f"{len(made)} resources made or completed"), tag("ul", *made))

"""The ledger of a message as a page: counts on top, then each source field, its fate, and where it went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.pages import Markup, facts, link, local, page, steps, table, tag
from fhir_gateway.exchange.inbox import Receipt
from fhir_gateway.exchange.ledgers import FATES, Row

ROWS = 5000
AS_TEXT = "_format=json&_pretty=true"
HEADS = ("source field", "fate", "went to, or why not", "#bytes")
LEGEND = (
    "Bytes: the first byte and how many; of an inner file (base64), within it and where it stands itself. "
    "A resource leads to the record, an element to where its value came from."
)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines that are shown of a ledger: ``asked`` is the filter in force, ``fate``, ``place`` and ``start``."""

    counts: Mapping[str, int]
    rows: Sequence[Row]
    asked: dict[str, str]


def ledger_page(receipt: Receipt, lines: Lines, offset: str) -> Answer:
    """``offset`` is the hospital's own time."""
    rows, asked = lines.rows, lines.asked
    start = int(asked.get("start", "0"))
    shown = rows[start : start + ROWS]
    return page(
        f"Ledger of message {receipt.receipt}",
        facts(
            hospital=receipt.hospital,
            received=local(receipt.received, offset),
            format=receipt.adapter,
            mapping=receipt.mapping,
            state=receipt.state,
        ),
        _navigation(receipt, lines.counts, asked),
        _place_filter(asked),
        tag("p", LEGEND, class_="quiet"),
        table(HEADS, *map(_row, shown), class_="cards") if shown else tag("p", "No field is listed here."),
        _more(asked, start, len(rows)),
    )


def _navigation(receipt: Receipt, counts: Mapping[str, int], asked: dict[str, str]) -> Markup:
    kept = {name: value for name, value in asked.items() if name not in ("fate", "start")}
    fates = [_filter(f"{counts[fate]} {fate}", kept | {"fate": fate}) for fate in FATES]
    every = _filter(f"{counts['fields']} fields", kept)
    there = f"/ingest/{quote(receipt.key)}"
    return tag("nav", every, *fates, link(f"{there}?_format=html", "receipt"), link(f"{there}/original", "original"))


def _place_filter(asked: dict[str, str]) -> Markup:
    """A form without a script: what is typed goes into the address."""
    kept = {**asked, "_format": "html"}
    hidden = [_field(name, value, "hidden") for name, value in kept.items() if name not in ("place", "start")]
    typed = tag("label", "Only places that hold ", _field("place", asked.get("place", ""), "search"))
    hint = tag("span", " as PID or XML3/CHI_TIET", class_="quiet")
    return tag("form", *hidden, typed, " ", tag("button", "show"), hint)


def _field(name: str, value: str, type_: str) -> Markup:
    return tag("input", name=name, value=value, type=type_)


def _filter(text: str, asked: dict[str, str]) -> Markup:
    return link("?" + urlencode({**asked, "_format": "html"}), text)


def _more(asked: dict[str, str], start: int, of: int) -> Markup:
    if start + ROWS >= of:
        return Markup("")
    return tag("p", _filter(f"next of {of} fields", asked | {"start": str(start + ROWS)}))


def _row(row: Row) -> Markup:
    place = row["place"]
    return tag(
        "tr",
        tag("td", link(f"#{quote(place)}", steps(place)), class_="place"),
        tag("td", row["fate"], class_=row["fate"]),
        tag("td", *_where(row)),
        tag("td", bytes_of(row), class_="number"),
        id=place,
    )


def _where(row: Row) -> list[Markup]:
    if row["fate"] == "ignored":
        return [tag("span", row["reason"])]
    return [tag("div", *_target(target)) for target in row["targets"]] or [tag("span", "nowhere", class_="unmapped")]


def _target(target: str) -> tuple[Markup, Markup]:
    record, _, path = target.partition("#")
    source = f"/fhir/{record}/$source?path={quote(path)}"
    shown = link(f"/fhir/{record}?{AS_TEXT}", record.partition("/")[0])
    return shown, tag("code", ".", link(f"{source}&{AS_TEXT}", path)) if path else Markup()


def bytes_of(row: Row) -> str:
    """``120+4``: the first byte and how many; of an inner file, where that stands too."""
    if row.get("offset") is None:
        return ""
    here = f"{row['offset']}+{row['length']}" if "length" in row else str(row["offset"])
    within = row.get("within")
    return f"{here} in {within['offset']}+{within['length']}" if within else here

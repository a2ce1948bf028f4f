"""The ledger of a message as a page: counts on top, then each source field, its fate, and where it went."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.pages import Markup, facts, link, page, table, tag
from fhir_gateway.exchange.inbox import Receipt
from fhir_gateway.exchange.ledgers import FATES, Row

ROWS = 5000
HEADS = ("source field", "fate", "went to, or why not", "bytes")


def ledger_page(receipt: Receipt, counts: dict[str, int], rows: Sequence[Row], asked: dict[str, str]) -> Answer:
    """``asked`` is the filter in force: ``fate``, ``place`` and ``start``."""
    start = int(asked.get("start", "0"))
    shown = rows[start : start + ROWS]
    return page(
        f"Ledger of message {receipt.receipt}",
        facts(
            hospital=receipt.hospital,
            received=receipt.received,
            format=receipt.adapter,
            mapping=receipt.mapping,
            state=receipt.state,
        ),
        _navigation(receipt, counts, asked),
        _place_filter(asked),
        table(HEADS, *map(_row, shown)) if shown else tag("p", "No field is listed here.", class_="quiet"),
        _more(asked, start, len(rows)),
    )


def _navigation(receipt: Receipt, counts: dict[str, int], asked: dict[str, str]) -> Markup:
    fates = [_filter(f"{counts[fate]} {fate}", asked | {"fate": fate}) for fate in FATES]
    every = _filter(f"{counts['fields']} fields", {k: v for k, v in asked.items() if k not in ("fate", "start")})
    there = f"/ingest/{quote(receipt.key)}"
    return tag("nav", every, *fates, link(f"{there}?_format=html", "receipt"), link(f"{there}/original", "original"))


def _place_filter(asked: dict[str, str]) -> Markup:
    if not asked.get("place"):
        return tag("p", "Narrow it with &place=, as in &place=PID or &place=XML3/CHI_TIET", class_="quiet")
    return tag("p", f"Only fields whose place holds “{asked['place']}”.")


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
        tag("td", link(f"#{quote(place)}", place), class_="place"),
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
    return link(f"/fhir/{record}", record.partition("/")[0]), tag("code", ".", link(source, path)) if path else Markup()


def bytes_of(row: Row) -> str:
    """``120+4``: the first byte and how many; of an inner file, where that stands too."""
    if row.get("offset") is None:
        return ""
    here = f"{row['offset']}+{row['length']}" if "length" in row else str(row["offset"])
    within = row.get("within")
    return f"{here} in {within['offset']}+{within['length']}" if within else here

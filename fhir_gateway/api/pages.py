"""Pages for people: made here, whole, without scripts; escaped by construction, readable on paper.

https://html.spec.whatwg.org/multipage/
"""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Protocol

from starlette.datastructures import Headers

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.negotiation import Pairs, wanted_format

HTML = "text/html"
HEADERS = (
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    # To others nothing; to ourselves, since a form that was posted must tell that it is ours.
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
)
HOME = "/"
VOID = frozenset({"input"})
STYLE = """
:root{color-scheme:light dark;--good:#1a6b2f;--bad:#b02a07;--quiet:#5f6368;--line:#8886;--shade:#8881}
@media (prefers-color-scheme:dark){:root{--good:#6fd38a;--bad:#ff9a7a;--quiet:#a9adb3}}
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;padding:1.2rem;max-width:76rem}
h1{font-size:1.4rem;margin:0 0 .3rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem}
tr{border-bottom:1px solid var(--line)}th{font-weight:600}tr:target{background:#fd04}
div.wide{overflow-x:auto}
code,td.place,pre,dd{overflow-wrap:anywhere}code,td.place,pre{font-family:ui-monospace,monospace;font-size:.88em}
time{white-space:nowrap}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
pre{background:var(--shade);padding:.7rem;white-space:pre-wrap}
.mapped{color:var(--good)}.stored{color:var(--good);font-weight:600}.ignored,.quiet{color:var(--quiet)}
.unmapped,.quarantined,.refused{color:var(--bad);font-weight:600}
nav{margin:.4rem 0}nav a,nav strong{margin-right:1rem;display:inline-block}
nav.home{margin:0 0 1rem;padding-bottom:.4rem;border-bottom:1px solid var(--line)}
:focus-visible{outline:3px solid #f90;outline-offset:1px}
input,textarea,button{font:inherit;padding:.3rem .5rem}textarea{width:100%;box-sizing:border-box}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.5rem 0}dd{margin:0}
@media (max-width:44rem){table.cards thead{display:none}table.cards,table.cards tbody{display:block}
table.cards tr{display:block;padding:.4rem 0}table.cards td{display:block;padding:.05rem 0;text-align:left}
table.cards td:empty{display:none}}
@media print{nav,form,.quiet{display:none}body{max-width:none;padding:0;font-size:10pt}
thead{display:table-header-group}tr{break-inside:avoid}a{color:inherit;text-decoration:none}}
""".strip()


class Wish(Protocol):
    """What a request says of the form it wants."""

    @property
    def pairs(self) -> Pairs: ...

    @property
    def headers(self) -> Headers: ...


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *content: str, **attributes: str) -> Markup:
    """One element; what is not markup is escaped. ``class_`` is the attribute ``class``."""
    written = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items() if value)
    inside = "".join(part if isinstance(part, Markup) else escape(part) for part in content)
    return Markup(f"<{name}{written}>" if name in VOID else f"<{name}{written}>{inside}</{name}>")


def together(*content: Markup) -> Markup:
    return Markup("".join(content))


def link(address: str, text: str) -> Markup:
    return tag("a", text, href=address)


def table(heads: tuple[str, ...], *rows: Markup, class_: str = "") -> Markup:
    """A table; a head that begins with # stands over numbers. ``cards``: on a phone each row is a card."""
    names = [tag("th", head.removeprefix("#"), class_="number" if head.startswith("#") else "") for head in heads]
    made = tag("table", tag("thead", tag("tr", *names)), tag("tbody", *rows), class_=class_)
    return made if class_ else tag("div", made, class_="wide", tabindex="0")


def local(moment: str, offset: str) -> str:
    """An instant as the hospital's clock shows it: ``2026-11-24 07:34:22``."""
    if not moment:
        return ""
    zone = datetime.strptime(offset, "%z").tzinfo
    return datetime.fromisoformat(moment).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def time(moment: str, offset: str) -> Markup:
    """The same as an element that keeps the instant itself."""
    return tag("time", local(moment, offset), datetime=moment, title=moment) if moment else Markup()


def steps(path: str) -> Markup:
    """A long path that may break after each of its steps."""
    return Markup(escape(path).replace("/", "/<wbr>"))


def facts(**values: str) -> Markup:
    """A list of names and values, without those that are empty."""
    rows = [(name.replace("_", " "), value) for name, value in values.items() if value]
    return tag("dl", *(together(tag("dt", name), tag("dd", value)) for name, value in rows))


def counted(fields: Mapping[str, int]) -> str:
    """``121: 95 mapped, 25 ignored, 1 unmapped``: what a ledger counts."""
    parts = ", ".join(f"{number} {name}" for name, number in fields.items() if name != "fields")
    return f"{fields['fields']}: {parts}" if "fields" in fields else parts


def page(title: str, *content: Markup, status: int = 200) -> Answer:
    """The whole page as an answer."""
    head = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
    )
    home = tag("nav", link(HOME, "FHIR gateway"), class_="home")
    text = f"{head}<body>{home}<main>{tag('h1', title)}{''.join(content)}</main></body></html>\n"
    return Answer(status, text.encode(), HEADERS, f"{HTML}; charset=utf-8")


def wants_page(asked: Wish) -> bool:
    """Whether a person's browser asks: ``_format=html``, or an Accept header that names HTML before JSON."""
    wanted = wanted_format(asked.pairs)
    if wanted is not None:
        return wanted in ("html", HTML)
    named = [part.split(";")[0].strip() for part in asked.headers.get("accept", "").split(",")]
    return HTML in named and not any("json" in other for other in named[: named.index(HTML)])

"""Pages for people: made here, whole, without scripts; escaped by construction, readable on paper.

https://html.spec.whatwg.org/multipage/
"""

from html import escape

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import wanted_format

HTML = "text/html"
HEADERS = (
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
)
STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;padding:1.2rem;max-width:76rem}
h1{font-size:1.4rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem}
tr{border-bottom:1px solid #8885}th{font-weight:600}tr:target{background:#fd04}
code,td.place{font-family:ui-monospace,monospace;font-size:.88em;overflow-wrap:anywhere}
td.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
pre{background:#8881;padding:.7rem;overflow-x:auto;white-space:pre-wrap}
.mapped{color:#1a7f37}.ignored{color:#777}.unmapped,.quarantined{color:#c4320a;font-weight:600}
.stored{color:#1a7f37;font-weight:600}nav a{margin-right:1rem}.quiet{color:#777}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.5rem 0}dd{margin:0}
@media print{nav,.quiet{display:none}body{max-width:none;font-size:10pt}thead{display:table-header-group}}
""".strip()


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *content: str, **attributes: str) -> Markup:
    """One element; what is not markup is escaped. ``class_`` is the attribute ``class``."""
    written = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items() if value)
    inside = "".join(part if isinstance(part, Markup) else escape(part) for part in content)
    return Markup(f"<{name}{written}>{inside}</{name}>")


def together(*content: Markup) -> Markup:
    return Markup("".join(content))


def link(address: str, text: str) -> Markup:
    return tag("a", text, href=address)


def table(heads: tuple[str, ...], *rows: Markup) -> Markup:
    return tag("table", tag("thead", tag("tr", *(tag("th", head) for head in heads))), tag("tbody", *rows))


def facts(**values: str) -> Markup:
    """A list of names and values, without those that are empty."""
    rows = [(name.replace("_", " "), value) for name, value in values.items() if value]
    return tag("dl", *(together(tag("dt", name), tag("dd", value)) for name, value in rows))


def page(title: str, *content: Markup) -> Answer:
    """The whole page as an answer."""
    head = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
    )
    text = f"{head}<body>{tag('h1', title)}{''.join(content)}</body></html>\n"
    return Answer(200, text.encode(), HEADERS, f"{HTML}; charset=utf-8")


def wants_page(asked: Asked) -> bool:
    """Whether a person's browser asks: ``_format=html``, or an Accept header that names HTML before JSON."""
    wanted = wanted_format(asked.pairs)
    if wanted is not None:
        return wanted in ("html", HTML)
    named = [part.split(";")[0].strip() for part in asked.headers.get("accept", "").split(",")]
    return HTML in named and not any("json" in other for other in named[: named.index(HTML)])

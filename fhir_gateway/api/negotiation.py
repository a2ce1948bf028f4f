"""What a client sends and wants back: media types, charset, the body within its limit, the arguments.

https://hl7.org/fhir/R4/http.html#mime-type
"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

from starlette.requests import Request

from fhir_gateway.problem import BadRequest, NotAcceptable, TooLarge, TooSlow, UnsupportedMedia

FHIR_JSON = "application/fhir+json"
FHIR_XML = "application/fhir+xml"
JSON_TYPES = frozenset({FHIR_JSON, "application/json", "text/json", "json"})
XML_TYPES = frozenset({FHIR_XML, "application/xml", "text/xml", "xml"})
RESOURCE_TYPES = JSON_TYPES | XML_TYPES
WILDCARDS = frozenset({"*/*", "application/*", "text/*", ""})
FORM = "application/x-www-form-urlencoded"
_QUALITY = re.compile(r"[01](?:\.[0-9]{0,3})?")
VERSIONS = frozenset({"4.0", "4.0.1"})
PRESENTATION = frozenset({"_format", "_pretty"})
# Among so many a refused request may still say in which form it wants its refusal.
MOST_ARGUMENTS = 1000
BODY_SECONDS = 30.0
BODY_RATE = 2048
SUBSETS = frozenset({"_summary", "_elements"})

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is written down."""

    media_type: str = FHIR_JSON
    pretty: bool = False


PLAIN = Form()


def form(accept: str, pairs: Pairs) -> Form:
    """The form asked for. Raises NotAcceptable where it is neither JSON nor XML; ``_format`` outranks Accept."""
    if not pairs:
        return Form(_offered(accept)) if accept else PLAIN
    wanted = wanted_format(pairs)
    offered = _offered(
        accept if wanted is None else wanted.replace(" ", "+"), "Accept" if wanted is None else "_format"
    )
    return Form(offered, _is_pretty(pairs))


def _is_pretty(pairs: Pairs) -> bool:
    value = next((value for name, value in pairs if name == "_pretty"), "false")
    if value not in ("true", "false"):
        raise BadRequest("_pretty is true or false", "_pretty")
    return value == "true"


@lru_cache(maxsize=256)
def _offered(accept: str, where: str = "Accept") -> str:
    """The best of what is offered: by quality, then in the client's order; JSON where anything is welcome."""
    found = [offer for offer in map(_weighed, accept.split(",")) if offer[0] > 0 and offer[1]]
    if not found:
        raise NotAcceptable(f"this server answers in {FHIR_JSON} or {FHIR_XML}", where)
    return max(found, key=lambda offer: offer[0])[1]


def _weighed(offer: str) -> tuple[float, str]:
    """Quality and media type of one offer, empty when it is not ours."""
    media_type, *parameters = (part.strip().lower() for part in offer.split(";"))
    facts = dict(_parameter(parameter) for parameter in parameters)
    if facts.get("fhirversion", "4.0") not in VERSIONS:
        return 0, ""
    quality = facts.get("q", "1")
    weight = float(quality) if _QUALITY.fullmatch(quality) else 1.0
    if media_type in XML_TYPES:
        return weight, FHIR_XML
    return weight, FHIR_JSON if media_type in JSON_TYPES or media_type in WILDCARDS else ""


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip().strip('"')


def must_send(content_type: str, accepted: frozenset[str]) -> str:
    """The body's media type. Raises UnsupportedMedia unless it is one of ``accepted`` in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    facts = dict(_parameter(parameter) for parameter in parameters)
    if media_type not in accepted:
        raise UnsupportedMedia(f"the body must be {' or '.join(sorted(accepted))}", "Content-Type")
    if facts.get("charset", "utf-8") not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMedia("the body must be UTF-8", "Content-Type")
    if facts.get("fhirversion", "4.0") not in VERSIONS:
        raise UnsupportedMedia("this server speaks FHIR 4.0.1", "Content-Type")
    return media_type


async def body(request: Request, limit: int) -> bytes:
    """The whole body; refused as soon as it is known to be longer than ``limit`` bytes."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("compressed bodies are not taken", "Content-Encoding")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"a body may have {limit} bytes", "Content-Length")
    return b"".join([chunk async for chunk in pieces(request, limit)])


async def pieces(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises TooLarge beyond ``limit`` bytes, TooSlow for one that only drips."""
    size, began = 0, asyncio.get_running_loop().time()
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout_at(began + BODY_SECONDS + size / BODY_RATE):
                chunk = await anext(chunks, None)
        except TimeoutError:
            text = f"a body has {BODY_SECONDS:g} seconds, and a second more for each {BODY_RATE} bytes of it"
            raise TooSlow(text) from None
        if chunk is None:
            return
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"a body may have {limit} bytes")
        yield chunk


def arguments(query: bytes, limit: int) -> Pairs:
    """The name=value pairs of a query string or form, in order; refused when not UTF-8 or too many."""
    if not query:
        return []
    if query.count(b"&") >= limit:
        raise TooLarge(f"a request may have {limit} parameters")
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise BadRequest("parameters must be percent-encoded UTF-8", "query") from error
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        raise BadRequest("a parameter holds a NUL character", "query")
    return pairs


def without_presentation(pairs: Pairs) -> Pairs:
    """The arguments that say what to find, not how to write it down."""
    return [pair for pair in pairs if pair[0] not in PRESENTATION]


def without_subsets(pairs: Pairs) -> Pairs:
    """The arguments that say what to find, not how much of it to show; ``_summary=count`` is a way of finding."""
    found = without_presentation(pairs)
    return [pair for pair in found if pair[0] not in SUBSETS or pair == ("_summary", "count")]


def wanted_format(pairs: Pairs) -> str | None:
    return next((value for name, value in pairs if name == "_format"), None)

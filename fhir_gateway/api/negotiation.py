"""What a client sends and wants back: media types, charset, the body within its limit, the arguments.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from functools import lru_cache
from urllib.parse import parse_qsl

from starlette.requests import Request

from fhir_gateway.problem import BadRequest, NotAcceptable, TooLarge, UnsupportedMedia

FHIR_JSON = "application/fhir+json"
JSON_TYPES = frozenset({FHIR_JSON, "application/json", "text/json", "json"})
WILDCARDS = frozenset({"*/*", "application/*", "text/*", ""})
FORM = "application/x-www-form-urlencoded"
VERSIONS = frozenset({"4.0", "4.0.1"})
PRESENTATION = frozenset({"_format", "_pretty"})

Pairs = list[tuple[str, str]]


def must_accept(accept: str, wanted: str | None) -> None:
    """Raise NotAcceptable unless JSON may answer; ``wanted`` is ``_format`` and outranks the Accept header."""
    if not _offered(accept if wanted is None else wanted.replace(" ", "+")):
        raise NotAcceptable(f"this server answers in {FHIR_JSON} only", "_format" if wanted is not None else "Accept")


@lru_cache(maxsize=256)
def _offered(accept: str) -> bool:
    return any(_matches(offer) for offer in accept.split(","))


def _matches(offer: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in offer.split(";"))
    facts = dict(_parameter(parameter) for parameter in parameters)
    known = media_type in JSON_TYPES or media_type in WILDCARDS
    return known and facts.get("fhirversion", "4.0") in VERSIONS and facts.get("q") not in {"0", "0.0", "0.00", "0.000"}


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip().strip('"')


def must_send(content_type: str, accepted: frozenset[str]) -> None:
    """Raise UnsupportedMedia unless the body is one of ``accepted`` in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    facts = dict(_parameter(parameter) for parameter in parameters)
    if media_type not in accepted:
        raise UnsupportedMedia(f"the body must be {' or '.join(sorted(accepted))}", "Content-Type")
    if facts.get("charset", "utf-8") not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMedia("the body must be UTF-8", "Content-Type")
    if facts.get("fhirversion", "4.0") not in VERSIONS:
        raise UnsupportedMedia("this server speaks FHIR 4.0.1", "Content-Type")


async def body(request: Request, limit: int) -> bytes:
    """The whole body; refused as soon as it is known to be longer than ``limit`` bytes."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("compressed bodies are not taken", "Content-Encoding")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"a body may have {limit} bytes", "Content-Length")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"a body may have {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


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


def wanted_format(pairs: Pairs) -> str | None:
    return next((value for name, value in pairs if name == "_format"), None)

"""What goes back to the client: a status, headers, bytes.

https://hl7.org/fhir/R4/http.html#return
"""

from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import formatdate
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.types import Send

from fhir_gateway.api.negotiation import FHIR_JSON, Form
from fhir_gateway.fhir.bundle import Response
from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.outcome import outcome, success
from fhir_gateway.problem import Problem, TooSlow, Unauthenticated, Unavailable
from fhir_gateway.records.desk import Desk
from fhir_gateway.store.port import Version

RETRY_SECONDS = "2"
WRITTEN = encode(success("the resource was written"))
DELETED = encode(success("the resource was deleted"))
REASONS = {200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified"}


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers`` come on top of the content's type and length; ``form`` outranks what the URL and headers ask for."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = FHIR_JSON
    entry: Response | None = None
    form: Form | None = None

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    async def send(self, send: Send, extra: tuple[tuple[bytes, bytes], ...], bodiless: bool) -> None:
        """Send it by ASGI; ``bodiless`` is the answer to HEAD, which has the headers alone."""
        headers = [*extra, *((name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers)]
        if self.body:
            headers.append((b"content-type", self.media_type.encode("latin-1")))
        if self.status not in (204, 304):
            headers.append((b"content-length", str(len(self.body)).encode("latin-1")))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if bodiless else self.body})


def etag(version: Version) -> str:
    return f'W/"{version.number}"'


@lru_cache(maxsize=4096)
def http_date(moment: datetime) -> str:
    return formatdate(moment.timestamp(), usegmt=True)


def of_version(version: Version, status: int = 200, with_body: bool = True) -> Answer:
    """A version as stored, with the headers that name it."""
    headers = (("etag", etag(version)), ("last-modified", http_date(version.updated)))
    return Answer(status, version.body if with_body else b"", headers)


def written(desk: Desk, version: Version, status: int, wanted: str) -> Answer:
    """The answer to a write; ``wanted`` is what Prefer asks to be returned."""
    answer = of_version(version, status, wanted == "representation")
    if wanted == "OperationOutcome":
        answer = replace(answer, body=WRITTEN)
    return replace(answer, headers=(*answer.headers, ("location", location(desk, version))))


def deleted(wanted: str) -> Answer:
    """The answer to a deletion, which has something to say only where it is asked to."""
    return Answer(200, DELETED) if wanted == "OperationOutcome" else Answer(204)


def location(desk: Desk, version: Version) -> str:
    return f"{desk.base_url}/{version.reference}/_history/{version.number}"


def preference(headers: Headers, name: str) -> str | None:
    """One preference of the Prefer headers: ``return`` → ``minimal``."""
    for header in headers.getlist("prefer"):
        for part in header.replace(";", ",").split(","):
            key, _, value = part.partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"')
    return None


def of_problem(problem: Problem) -> Answer:
    """The OperationOutcome of a failure, with the header its status asks for."""
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(problem, Unauthenticated):
        headers = (("www-authenticate", 'Bearer realm="fhir"'),)
    if isinstance(problem, Unavailable):
        headers = (("retry-after", RETRY_SECONDS),)
    if isinstance(problem, TooSlow):
        # The rest of what drips is not waited for.
        headers = (("connection", "close"),)
    return Answer(problem.status, encode(outcome(problem)), headers)

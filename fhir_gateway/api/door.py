"""The door every request passes: number, caller, what they want, answer or refusal, audit, log, count.

https://hl7.org/fhir/R4/http.html
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from fhir_gateway.api.answer import Answer, of_problem
from fhir_gateway.api.errors import caught
from fhir_gateway.api.negotiation import (
    JSON_TYPES,
    MOST_ARGUMENTS,
    PLAIN,
    RESOURCE_TYPES,
    Form,
    Pairs,
    arguments,
    body,
    form,
    must_send,
)
from fhir_gateway.api.presentation import presented
from fhir_gateway.api.services import Services
from fhir_gateway.api.sign_in import proved, refusal, unkept
from fhir_gateway.fhir import codec
from fhir_gateway.fhir.reference import at_home
from fhir_gateway.fhir.resource import Resource, is_id
from fhir_gateway.fhir.xml import reading
from fhir_gateway.problem import NotAllowed, NotFound, Problem, TooLarge, Unauthenticated, Unavailable
from fhir_gateway.records import emergency, journal
from fhir_gateway.records.journal import Touched, Visit
from fhir_gateway.records.turns import alongside
from fhir_gateway.security import purpose
from fhir_gateway.security.audit import Act as Deed
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.purpose import PURPOSE

log = structlog.get_logger("fhir_gateway.access")

# A client may send any word as its method; counters and logs keep to those that HTTP knows.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
# Of one of many resources in a body, about.
ENTRY_BYTES = 1000
NOBODY = Caller("", "", "", ())
_PRESENTING = re.compile(rb"(_|%5[fF])(format|pretty)")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:\-]{1,64}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, by an HTTP request or by a reading entry of the Bundle it brings.

    ``params`` are the named parts of the path, ``pairs`` the arguments in the URL; an entry has no ``headers``.
    """

    visit: Visit
    request: Request
    params: Mapping[str, str]
    pairs: Pairs
    headers: Headers

    def path(self, name: str) -> str:
        """The part of the path that the route calls ``name``."""
        return self.params[name]

    async def body(self, limit: int, accepted: frozenset[str]) -> bytes:
        """The request's body in one of the media types ``accepted``."""
        must_send(self.headers.get("content-type", ""), accepted)
        return await body(self.request, limit)

    async def resource(self, limit: int, home: str = "") -> Resource:
        """The resource in the request's body, JSON or XML; with ``home`` its links to records there are relative."""
        media_type = must_send(self.headers.get("content-type", ""), RESOURCE_TYPES)
        text = await body(self.request, limit)
        decode = codec.decode_resource if media_type in JSON_TYPES else reading.decode_resource
        entries = len(text) // ENTRY_BYTES
        found = await alongside(entries, decode, text)
        return await alongside(entries, at_home, found, home) if home and home.encode() in text else found


Act = Callable[[Services, Asked], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Action:
    """What a method does on a path: the interaction's name in the audit and the CapabilityStatement, and the code.

    ``raw`` answers with something else than a resource, whatever the Accept header says.
    """

    interaction: str
    act: Act
    raw: bool = False


class Door:
    """The ASGI end of one path. ``actions`` are keyed by HTTP method; HEAD is answered as GET without a body.

    An ``anonymous`` door asks for no token, and what passes it is not audited.
    """

    __slots__ = ("actions", "allowed", "anonymous", "path", "services")

    def __init__(self, services: Services, path: str, actions: Mapping[str, Action], anonymous: bool = False) -> None:
        self.services = services
        self.anonymous = anonymous
        self.path = path
        self.actions = {**actions, "HEAD": actions["GET"]} if "GET" in actions else dict(actions)
        self.allowed = ", ".join(sorted(self.actions))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request(scope, receive)
        number = request_number(request)
        visit = await caught(self._visit(request, number), number)
        visit, outcome = (visit, visit) if isinstance(visit, Problem) else await self._outcome(request, visit)
        if isinstance(outcome, Problem):
            outcome = await self._refused(request, visit, outcome)
        outcome = await self._presented(request, outcome, number)
        extra = (b"x-request-id", number.encode("ascii")), *unkept(request, outcome)
        await outcome.send(send, extra, request.method == "HEAD")
        client = "" if isinstance(visit, Problem) else visit.caller.client
        self._account(request, (number, client), outcome.status, time.perf_counter() - started)

    async def _visit(self, request: Request, number: str) -> Visit:
        address = request.client.host if request.client else ""
        if self.anonymous:
            return Visit(NOBODY, number, address)
        return Visit(self.services.tokens.caller(proved(request)), number, address)

    async def _outcome(self, request: Request, visit: Visit) -> tuple[Visit, Answer | Problem]:
        """What comes of it, with the glass broken before where the request says so."""
        if PURPOSE in request.headers and not self.anonymous:
            opened = await caught(self._opened(request, visit), visit.request)
            if isinstance(opened, Problem):
                return visit, opened
            visit = opened
        return visit, await caught(self._acted(request, visit), visit.request)

    async def _opened(self, request: Request, visit: Visit) -> Visit:
        stated = purpose.stated(request.headers)
        return visit if stated is None else await emergency.opened(self.services.desk, visit, stated)

    async def _acted(self, request: Request, visit: Visit) -> Answer:
        action = self.actions.get(request.method)
        if action is None:
            raise self._no_action()
        limits, query = self.services.limits, request.scope["query_string"]
        if len(request.scope["path"]) + len(query) > limits.url:
            raise TooLarge(f"a URL may have {limits.url} bytes; send a long search by POST to _search", "url")
        pairs = arguments(query, limits.parameters)
        if not action.raw:
            form(request.headers.get("accept", ""), pairs)
        return await action.act(self.services, Asked(visit, request, request.path_params, pairs, request.headers))

    async def _presented(self, request: Request, answer: Answer, number: str) -> Answer:
        async def work() -> Answer:
            return presented(answer, wanted)

        wanted = _form(request)
        if wanted == PLAIN and answer.form is None:
            return answer
        outcome = await caught(work(), number)
        return of_problem(outcome) if isinstance(outcome, Problem) else outcome

    def _no_action(self) -> Problem:
        if not self.actions:
            return NotFound("there is nothing at this address", "url")
        return NotAllowed(f"this address answers to {self.allowed}", "method")

    async def _refused(self, request: Request, visit: Visit | Problem, problem: Problem) -> Answer:
        """The OperationOutcome of a failure, once it is on the audit trail too."""
        if isinstance(problem, Unauthenticated):
            await self._note(request)
        if not self.anonymous and not isinstance(visit, Problem) and not isinstance(problem, Unavailable):
            interaction, touched = self._interaction(request), _named(request)
            work = journal.record(self.services.desk, visit, interaction, touched, problem.status)
            unwritten = await caught(work, visit.request)
            problem = problem if unwritten is None else unwritten
        answer = refusal(self.services.desk.name, request, problem)
        if isinstance(problem, NotAllowed) and self.actions:
            return replace(answer, headers=(*answer.headers, ("allow", self.allowed)))
        return answer

    async def _note(self, request: Request) -> None:
        """Nobody proved who asks: that is told of an address, not of each request."""
        address = request.client.host if request.client else ""
        act = Deed(self._interaction(request), None, Unauthenticated.status, address, _named(request).entities)
        await self.services.refusals.note(self.services.desk, act)

    def _interaction(self, request: Request) -> str:
        action = self.actions.get(request.method)
        return action.interaction if action else "unknown"

    def _account(self, request: Request, who: tuple[str, str], status: int, seconds: float) -> None:
        """The route, not the path: an address may hold a name that somebody mistyped into it."""
        method = request.method if request.method in METHODS else "OTHER"
        self.services.traffic.count(self.path, method, status, seconds)
        log.info(
            "request",
            request=who[0],
            client=who[1],
            method=method,
            route=self.path,
            status=status,
            milliseconds=round(seconds * 1000, 2),
        )


def _form(request: Request) -> Form:
    """The form of the answer; plain JSON for a request that was refused for asking another."""
    query = request.scope["query_string"]
    try:
        pairs = arguments(query, MOST_ARGUMENTS) if _PRESENTING.search(query) else []
        return form(request.headers.get("accept", ""), pairs)
    except Problem:
        return PLAIN


def request_number(request: Request) -> str:
    """The client's X-Request-Id where it is harmless, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid4())


def _named(request: Request) -> Touched:
    """The record and the search that a refused request named."""
    type_, identity = request.path_params.get("type", ""), request.path_params.get("id", "")
    entities = (f"{type_}/{identity}",) if type_.isalpha() and is_id(identity) else ()
    return Touched(entities, request.scope["query_string"].decode("latin-1")[:2000])

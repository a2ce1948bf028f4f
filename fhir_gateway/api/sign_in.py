"""Who a browser is: the page that asks for a token, and the cookie that brings it back.

https://www.w3.org/TR/fetch-metadata/#sec-fetch-mode-header
"""

from dataclasses import dataclass, replace

from starlette.datastructures import Headers
from starlette.requests import Request

from fhir_gateway.api.answer import Answer, of_problem
from fhir_gateway.api.negotiation import MOST_ARGUMENTS, Pairs, arguments
from fhir_gateway.api.pages import Markup, link, page, tag, wants_page
from fhir_gateway.problem import Problem, Unauthenticated

COOKIE = "fhir-gateway-token"
FHIR = "/fhir"
SESSION = "/session"
PUBLIC = (
    ("/fhir/metadata?_format=json&_pretty=true", "what the FHIR interface can do (CapabilityStatement)"),
    ("/openapi.json", "every address, for tools (OpenAPI)"),
    ("/health/ready", "whether the gateway is ready"),
)


def proved(request: Request) -> str | None:
    """The Authorization header; without one, for a page that a person opens, the token that the browser keeps.

    It is no proof for anything that changes something, nor for what a script or another page fetches.
    """
    given = request.headers.get("authorization")
    if given is not None or request.method not in ("GET", "HEAD") or "cookie" not in request.headers:
        return given
    if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
        return None
    token = request.cookies.get(COOKIE)
    return f"Bearer {token}" if token else None


def unkept(request: Request, answer: Answer) -> tuple[tuple[bytes, bytes], ...]:
    """The header that keeps what the cookie opened out of caches: somebody else may use the same computer."""
    is_by_cookie = "cookie" in request.headers and "authorization" not in request.headers and COOKIE in request.cookies
    return ((b"cache-control", b"no-store"),) if is_by_cookie and answer.header("cache-control") is None else ()


def sign_in(name: str, following: str = "", problem: Problem | None = None) -> Answer:
    """The page that asks for a token; ``following`` is the page that was wanted."""
    told = tag("p", f"{problem.text}.", class_="refused") if problem is not None else Markup()
    wanted = tag("input", type="hidden", name="next", value=following) if following else Markup()
    box = tag("textarea", name="token", rows="4", required="required", spellcheck="false", autocomplete="off")
    form = tag(
        "form",
        tag("p", tag("label", "Access token", box)),
        wanted,
        tag("button", "sign in"),
        method="post",
        action=SESSION,
    )
    where = tag(
        "p",
        "A client gets it at POST /auth/token. Whoever runs this gateway prints one with ",
        tag("code", "fhir-gateway token CLIENT --data DATA"),
        ". It ends by itself; so does this session.",
    )
    public = tag("ul", *(tag("li", link(address, text)) for address, text in PUBLIC))
    title = f"Gateway {name}"
    content = (told, form, where, tag("h2", "For everybody"), public)
    return page(title, *content, status=200 if problem is None else problem.status)


@dataclass(frozen=True, slots=True)
class _Wished:
    """What a request that came to nothing wanted."""

    pairs: Pairs
    headers: Headers


def refusal(name: str, request: Request, problem: Problem) -> Answer:
    """A refusal: an OperationOutcome, or a page for a person's browser; who is not known is asked for a token."""
    answer = of_problem(problem)
    unknown = isinstance(problem, Unauthenticated)
    if not _is_for_people(request) or (request.url.path.startswith(FHIR) and not unknown):
        return answer
    made = sign_in(name, _address(request), problem) if unknown else _told(problem)
    return replace(made, headers=(*made.headers, *answer.headers))


def _is_for_people(request: Request) -> bool:
    try:
        pairs = arguments(request.scope["query_string"], MOST_ARGUMENTS)
    except Problem:
        pairs = []
    return wants_page(_Wished(pairs, request.headers))


def _address(request: Request) -> str:
    """What was looked for, to come back to it."""
    if request.method != "GET":
        return ""
    query = request.url.query
    path = request.scope.get("raw_path", b"").decode("latin-1") or request.url.path
    return f"{path}?{query}" if query else path


def _told(problem: Problem) -> Answer:
    lines = [tag("li", f"{issue.where}: {issue.text}" if issue.where else issue.text) for issue in problem.issues]
    return page("This page cannot be shown", tag("ul", *lines), status=problem.status)

"""The way in for people: one page takes an access token, and from then on the other pages open in a browser.

https://www.rfc-editor.org/rfc/rfc6265#section-4.1

A browser sends no Authorization header by itself. What it keeps is the token, in a cookie that no script reads, that is
sent nowhere else, and that counts for looking at pages alone; it ends with the token or with the browser.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.routing import Route

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Action, Asked, Door
from fhir_gateway.api.negotiation import FORM, arguments
from fhir_gateway.api.pages import HOME, Markup, link, page, tag, together
from fhir_gateway.api.services import Services
from fhir_gateway.api.sign_in import COOKIE, SESSION, proved, sign_in
from fhir_gateway.exchange.directory import Directory
from fhir_gateway.problem import BadRequest, Forbidden, Unauthenticated
from fhir_gateway.records import journal
from fhir_gateway.security.access import WATCHERS, is_sender
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller

_OURS = frozenset({"same-origin", "none"})
"""What a browser says of a request that no other site made: https://www.w3.org/TR/fetch-metadata/"""


@dataclass(frozen=True, slots=True)
class Entrance:
    """The first page, and the address that takes a token or forgets it."""

    directory: Directory

    def routes(self, services: Services) -> list[Route]:
        actions = {
            HOME: {"GET": Action("capabilities", self.first, raw=True)},
            SESSION: {"POST": Action("login", self.enter, raw=True)},
        }
        return [Route(path, Door(services, path, act, anonymous=True)) for path, act in actions.items()]

    async def first(self, services: Services, asked: Asked) -> Answer:
        """Where a browser begins: a place for the token, or the pages that its bearer may open."""
        try:
            caller = services.tokens.caller(proved(asked.request))
        except Unauthenticated:
            return sign_in(services.desk.name)
        return page(f"Gateway {services.desk.name}", *self._welcome(caller))

    async def enter(self, services: Services, asked: Asked) -> Answer:
        """A form with ``token`` (and ``next``, a page of this gateway); without a token the browser forgets the old.

        Raises Forbidden for a form on a page of somebody else's.
        """
        if not _is_ours(asked.headers, services.desk.base_url):
            raise Forbidden("only a page of this gateway signs in or out")
        given = dict(arguments(await asked.body(services.limits.form, frozenset({FORM})), services.limits.parameters))
        token = "".join(given.get("token", "").split()).removeprefix("Bearer")
        if not token:
            return _moved(HOME, _cookie("", services, 0))
        try:
            caller = services.tokens.caller(f"Bearer {token}")
        except Unauthenticated as problem:
            visit = asked.visit
            act = Act("login", None, problem.status, visit.address, request=visit.request)
            await services.refusals.note(services.desk, act)
            return sign_in(services.desk.name, given.get("next", ""), problem)
        await journal.record(services.desk, replace(asked.visit, caller=caller), "login")
        return _moved(_own(given.get("next", "")), _cookie(token, services))

    def _welcome(self, caller: Caller) -> Iterator[Markup]:
        yield tag("p", f"You are {caller.client}, in the role {caller.role}.")
        rows = [tag("li", *_of_hospital(name, title)) for name, title in self._hospitals(caller)]
        if rows:
            yield together(tag("h2", "Messages"), tag("ul", *rows))
        if rows or caller.role in WATCHERS:
            yield tag("p", link("/exchange/feeds?_format=html", "All feeds: who sent what today, who fell silent"))
        else:
            yield tag("p", "There are pages for messages only; records and cases are read by programs, under /fhir.")
        leave = tag("button", "sign out")
        yield tag("form", leave, method="post", action=SESSION)

    def _hospitals(self, caller: Caller) -> Iterator[tuple[str, str]]:
        for name, hospital in self.directory.hospitals.items():
            if is_sender(caller, name):
                yield name, hospital.title


def _is_ours(headers: Headers, base_url: str) -> bool:
    """Whether a page of this gateway posted a form, or no page at all did.

    Over plain HTTP a browser says nothing of the site, but where the form lay.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None or origin is None:
        return site is None or site in _OURS
    return urlsplit(origin).netloc in (headers.get("host"), urlsplit(base_url).netloc)


def _of_hospital(name: str, title: str) -> Iterator[Markup]:
    there = f"/ingest/{quote(name)}"
    yield tag("strong", title)
    for address, text in (
        (f"{there}?_format=html", "today"),
        (f"{there}?state=quarantined&_format=html", "quarantine"),
        (f"{there}/completeness?_format=html", "statement of the day"),
    ):
        yield together(Markup(" · "), link(address, text))


def _own(address: str) -> str:
    """A page of this gateway and of nobody else. Raises BadRequest."""
    if not address:
        return HOME
    if not address.startswith("/") or address[1:2] in ("/", "\\") or not address.isascii() or not address.isprintable():
        raise BadRequest("names a page of this gateway", "next")
    return address


def _moved(address: str, cookie: str) -> Answer:
    return Answer(303, b"", (("location", address), ("set-cookie", cookie), ("cache-control", "no-store")))


def _cookie(token: str, services: Services, seconds: int | None = None) -> str:
    secure = "; Secure" if services.desk.base_url.startswith("https:") else ""
    ends = "" if seconds is None else f"; Max-Age={seconds}"
    return f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}"

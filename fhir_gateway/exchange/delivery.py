"""How a delivery leaves: signed by this gateway, sealed for the partner, posted until the partner has answered.

https://hl7.org/fhir/smart-app-launch/backend-services.html
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from fhir_gateway.exchange.directory import Partner, gateway_client
from fhir_gateway.exchange.house import House
from fhir_gateway.problem import NotFound, Problem, Unavailable, Unprocessable
from fhir_gateway.security.assertion import assertion
from fhir_gateway.security.seal import encrypt, possible, sign
from fhir_gateway.security.tokens import ASSERTION_TYPE

SEALED = "application/jose"
# What a partner answers when it has understood and will not take it; everything else is worth another try.
FINAL = frozenset({400, 409, 412, 413, 415, 422})
# What a gateway answers to a message that it will never take as it is.
REFUSED = frozenset({400, 413, 415, 422})
TIMEOUT_SECONDS = 30.0
SHORTEST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.05, 1.0


class Undelivered(Problem):
    """The partner could not be reached or did not answer as agreed: try again later."""

    status, code = 503, "transient"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the partner said: taken, or refused with its reason."""

    taken: bool
    reason: str = ""


class MessageSender:
    """Hands messages in at a gateway's HTTP door, as a hospital's system would."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=url, timeout=2 * TIMEOUT_SECONDS, headers={"Authorization": f"Bearer {token}"}
        )

    def send(self, hospital: str, media_type: str, body: bytes) -> dict[str, Any]:
        """The settled receipt. Raises Undelivered when nobody answers or the message was not taken."""
        try:
            headers = {"Content-Type": media_type}
            reply = self._client.post(f"/ingest/{hospital}", params={"wait": "true"}, content=body, headers=headers)
        except httpx.HTTPError as fault:
            raise Undelivered(f"the gateway does not answer: {type(fault).__name__}", "url") from fault
        answer: dict[str, Any] = reply.json()
        if "receipt" not in answer:
            raise Undelivered(_reason(reply), "message")
        return answer


class RemoteCounter:
    """A gateway's HTTP door, for a folder that is watched beside it; ``address`` and ``token`` are asked for anew."""

    def __init__(self, address: Callable[[], str], token: Callable[[], str]) -> None:
        self._address, self._token = address, token
        self._client = httpx.AsyncClient(timeout=2 * TIMEOUT_SECONDS)
        self._headers: dict[str, str] = {}

    async def close(self) -> None:
        await self._client.aclose()

    async def keep(self, hospital: str, papers: Sequence[tuple[str, bytes]]) -> list[Mapping[str, Any]]:
        """Hand them in one after the other. Raises Unavailable when nobody answers or it must be tried again."""
        return [await self._asked("POST", f"/ingest/{hospital}", paper) for paper in papers]

    async def outcome(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask until the message is stored or quarantined. Raises Unavailable when nobody answers."""
        pause, found = SHORTEST_LOOK_SECONDS, told
        while found["state"] == "received":
            found = await self._asked("GET", f"/ingest/{told['hospital']}/{told['receipt']}", None)
            await asyncio.sleep(pause if found["state"] == "received" else 0)
            pause = min(2 * pause, LONGEST_LOOK_SECONDS)
        return {**found, "repeated": told["repeated"]}

    async def _asked(self, method: str, path: str, paper: tuple[str, bytes] | None) -> Mapping[str, Any]:
        media_type, content = paper or ("", b"")
        own = {"Content-Type": media_type} if paper else {}
        try:
            url = self._address()
            self._headers = self._headers or {"Authorization": f"Bearer {self._token()}"}
            reply = await self._client.request(method, url + path, content=content, headers={**self._headers, **own})
        except (httpx.HTTPError, NotFound) as fault:
            raise Unavailable(f"the gateway does not answer: {type(fault).__name__}", "url") from fault
        if reply.is_success:
            answer: Mapping[str, Any] = reply.json()
            return answer
        if reply.status_code in REFUSED:
            raise Unprocessable(_reason(reply), "message")
        self._headers = {}
        raise Unavailable(_reason(reply), "message")


class Courier:
    """Carries deliveries to partners; keeps one connection pool and one access token for each."""

    def __init__(self, house: House, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._house = house
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, transport=transport)
        self._tokens: dict[str, str] = {}

    async def close(self) -> None:
        await self._client.aclose()

    async def carry(self, partner: Partner, identity: str, body: bytes) -> Answer:
        """Deliver one message. Raises Undelivered when it must be tried again."""
        if not partner.url:
            raise Undelivered(f"no address is known for {partner.name}", "partner.url")
        envelope = _sealed(self._house, partner, body)
        try:
            reply = await self._post(partner, identity, envelope)
            if reply.status_code == httpx.codes.UNAUTHORIZED:
                self._tokens.pop(partner.name, None)
                reply = await self._post(partner, identity, envelope)
        except httpx.HTTPError as fault:
            raise Undelivered(f"{partner.name} does not answer: {type(fault).__name__}", "partner.url") from fault
        return _answer(partner, reply)

    async def _post(self, partner: Partner, identity: str, envelope: str) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {await self._token(partner)}",
            "Content-Type": SEALED,
            "X-Request-Id": identity,
        }
        return await self._client.post(f"{partner.url}/exchange/deliveries", content=envelope, headers=headers)

    async def _token(self, partner: Partner) -> str:
        if partner.name not in self._tokens:
            url = f"{partner.url}/auth/token"
            own = gateway_client(self._house.name)
            proof = assertion(own, self._house.keys.delivery, url, self._house.clock().timestamp())
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": proof,
                "scope": "system/*.cruds",
            }
            reply = await self._client.post(url, data=form)
            if reply.status_code != httpx.codes.OK:
                raise Undelivered(f"{partner.name} gives no access token: HTTP {reply.status_code}", "auth/token")
            self._tokens[partner.name] = reply.json()["access_token"]
        return self._tokens[partner.name]


def _sealed(house: House, partner: Partner, body: bytes) -> str:
    """The message with this gateway's signature, readable by the partner alone."""
    signature = sign(body, house.keys.gateway, possible(house.keys.gateway, house.clock()))
    letter = json.dumps({"message": body.decode(), "signature": signature}, ensure_ascii=False).encode()
    return encrypt(letter, _encryption_key(partner))


def _encryption_key(partner: Partner) -> Mapping[str, Any]:
    keys = json.loads(partner.jwks)["keys"] if partner.jwks else []
    key = next((key for key in keys if key.get("use") == "enc"), None)
    if key is None:
        raise Undelivered(f"no encryption key is known for {partner.name}", "partner.jwks")
    found: Mapping[str, Any] = key
    return found


def _answer(partner: Partner, reply: httpx.Response) -> Answer:
    if reply.is_success:
        return Answer(True)
    if reply.status_code in FINAL:
        return Answer(False, _reason(reply))
    raise Undelivered(f"{partner.name} answers HTTP {reply.status_code}", "partner.url")


def _reason(reply: httpx.Response) -> str:
    """The partner's own words, which by the house rule hold no patient data."""
    try:
        issues = reply.json()["issue"]
        return "; ".join(str(issue.get("diagnostics", issue.get("code"))) for issue in issues)[:1000]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {reply.status_code}"

"""The token desk: gives a short access token for a proof, and knows the caller by the token afterwards.

https://hl7.org/fhir/smart-app-launch/backend-services.html#obtain-access-token
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from fhir_gateway.problem import BadRequest, Unauthenticated
from fhir_gateway.security.assertion import ALGORITHMS, CLOCK_SKEW_SECONDS, TokenRefused, prove, refused
from fhir_gateway.security.caller import EVERY_SCOPE, SCOPE, Caller, Client

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# Verifying an ES384 token takes 400 µs, finding it again 1 µs; a busy client sends the same one for minutes.
REMEMBERED_TOKENS = 2048


class ReplayGuard(Protocol):
    """Remembers the ids of assertions that were used, for all processes of the gateway."""

    async def remember(self, jti: str, until: datetime) -> bool:
        """Keep ``jti`` until then; False when it is kept already."""
        ...


@dataclass(slots=True)
class TokenDesk:
    """``url`` is the token endpoint as clients see it; ``clock`` gives seconds since 1970.

    ``unlocked`` are the patients whose secret records every caller sees: none, or where the gateway hides nothing all.

    A token is bound to ``key`` alone, so that the command line can issue one beside a running gateway.
    """

    clients: Mapping[str, Client]
    key: ECKey
    url: str
    replays: ReplayGuard
    seconds: int = 300
    unlocked: tuple[str, ...] = ()
    clock: Callable[[], float] = time.time
    _known: dict[str, tuple[Caller, float, float]] = field(default_factory=dict)

    async def exchange(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The answer to a client_credentials request; TokenRefused names the wrong parameter or claim."""
        if form.get("grant_type") != "client_credentials":
            raise TokenRefused("unsupported_grant_type", "must be client_credentials", "grant_type")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise TokenRefused("invalid_request", f"must be {ASSERTION_TYPE}", "client_assertion_type")
        scopes = _granted(form.get("scope", EVERY_SCOPE))
        client, claims = prove(form.get("client_assertion", ""), self.clients, self.url, self.clock())
        await self._spend(client, claims)
        return {
            "access_token": self._issued(client.name, scopes),
            "token_type": "bearer",
            "expires_in": self.seconds,
            "scope": " ".join(scopes),
        }

    def caller(self, authorization: str | None) -> Caller:
        """Whoever the Authorization header proves; Unauthenticated when it proves nobody."""
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("a bearer token is needed; the token endpoint gives one", "Authorization")
        caller, issued, expires = self._known.get(token) or self._verified(token)
        # One from the future was given before the clock was set back: it would live for too long.
        if not issued - CLOCK_SKEW_SECONDS <= self.clock() < expires:
            self._known.pop(token, None)
            raise Unauthenticated("the access token has expired, or is of a time to come", "Authorization")
        return caller

    def development_token(self, name: str) -> str:
        """A token for a registered client without its proof: for whoever may read the key folder."""
        if name not in self.clients:
            raise BadRequest(f"no such client; there are {', '.join(sorted(self.clients))}", "client")
        return self._issued(name, (EVERY_SCOPE,))

    def granted(self, name: str, scope: str) -> str:
        """A token for a registered client that proved itself by a password."""
        return self._issued(name, (scope,))

    def today(self, caller: Caller) -> Caller:
        """Who asked earlier, with the role and organization registered now; nobody where there is none any more."""
        client = self.clients.get(caller.client)
        if client is None:
            return Caller("", "", "", ())
        return Caller(client.name, client.role, client.organization, caller.scopes, unlocked=self.unlocked)

    async def _spend(self, client: Client, claims: Mapping[str, Any]) -> None:
        until = datetime.fromtimestamp(claims["exp"] + CLOCK_SKEW_SECONDS, UTC)
        if not await self.replays.remember(f"{client.name} {claims['jti']}", until):
            raise refused("was used before", "jti")

    def _issued(self, client: str, scopes: Iterable[str]) -> str:
        now = int(self.clock())
        issuer = self.key.thumbprint_uri()
        claims = {
            "iss": issuer,
            "aud": issuer,
            "sub": client,
            "client_id": client,
            "iat": now,
            "exp": now + self.seconds,
            "jti": str(uuid4()),
            "scope": " ".join(scopes),
        }
        header = {"alg": "ES384", "typ": "at+jwt", "kid": self.key.kid}
        return jwt.encode(header, claims, self.key, algorithms=["ES384"])

    def _verified(self, token: str) -> tuple[Caller, float, float]:
        try:
            letter = jwt.decode(token, self.key, algorithms=["ES384"])
        except (JoseError, ValueError, TypeError) as error:
            raise Unauthenticated("the access token is not this gateway's", "Authorization") from error
        claims = letter.claims
        client = self.clients.get(str(claims.get("client_id")))
        if letter.header.get("typ") != "at+jwt" or client is None:
            raise Unauthenticated("this is no access token of a registered client", "Authorization")
        scopes = tuple(claims["scope"].split())
        caller = Caller(client.name, client.role, client.organization, scopes, claims["jti"], self.unlocked)
        known = caller, claims["iat"], claims["exp"]
        self._remember(token, known)
        return known

    def _remember(self, token: str, known: tuple[Caller, float, float]) -> None:
        if len(self._known) >= REMEMBERED_TOKENS:
            self._known.clear()
        self._known[token] = known


def smart_configuration(token_url: str) -> dict[str, Any]:
    """What /.well-known/smart-configuration says."""
    return {
        "token_endpoint": token_url,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": [EVERY_SCOPE, "system/*.rs"],
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
        # Required there, though nobody signs in with a code here.
        "code_challenge_methods_supported": ["S256"],
    }


def _granted(asked: str) -> tuple[str, ...]:
    """Those scopes asked for that this server knows; the role table narrows them further."""
    scopes = tuple(scope for scope in asked.split() if SCOPE.fullmatch(scope))
    if not scopes:
        raise TokenRefused("invalid_scope", "ask for scopes like system/*.rs", "scope")
    return scopes

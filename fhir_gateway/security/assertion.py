"""The proof a client shows at a token endpoint: a short statement signed with its own key.

https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#authenticating-to-the-token-endpoint
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from fhir_gateway.problem import Problem
from fhir_gateway.security.caller import Client

ALGORITHMS = ("ES384", "RS384")
LONGEST_SECONDS = 300
CLOCK_SKEW_SECONDS = 10
LONGEST_JTI = 255
# Less than the five minutes allowed: the partner's clock may be a little behind ours.
OWN_SECONDS = 240

BROKEN = (JoseError, ValueError, TypeError, KeyError, RecursionError)


class TokenRefused(Problem):
    """The token endpoint's refusal; ``error`` is the code of RFC 6749 §5.2."""

    status, code = 400, "login"

    def __init__(self, error: str, text: str, where: str) -> None:
        super().__init__(text, where)
        self.error = error
        self.where = where
        self.status = 401 if error == "invalid_client" else 400

    def answer(self) -> dict[str, str]:
        """The body of the refusal as OAuth wants it."""
        return {"error": self.error, "error_description": f"{self.where}: {self.text}"}


def prove(assertion: str, clients: Mapping[str, Client], url: str, now: float) -> tuple[Client, dict[str, Any]]:
    """The client that signed the assertion for the token endpoint ``url``, and its claims; else TokenRefused."""
    issuer = _claimed_issuer(assertion)
    client = clients.get(issuer)
    if client is None:
        raise refused("the issuer is not a registered client", "iss")
    try:
        letter = jwt.decode(assertion, _registered_key(client, assertion), algorithms=ALGORITHMS)
    except BROKEN as error:
        raise refused("is not signed by ES384 or RS384 with a key registered under its kid") from error
    _check_party(client, url, letter)
    _check_times(letter.claims, now)
    return client, letter.claims


def assertion(client: str, key: ECKey, url: str, now: float) -> str:
    """The proof of ``client`` for the token endpoint ``url``: what this gateway shows to its partners."""
    claims = {"iss": client, "sub": client, "aud": url, "iat": int(now), "exp": int(now) + OWN_SECONDS}
    header = {"alg": "ES384", "typ": "JWT", "kid": key.kid}
    return jwt.encode(header, {**claims, "jti": str(uuid4())}, key, algorithms=["ES384"])


def refused(text: str, claim: str = "") -> TokenRefused:
    return TokenRefused("invalid_client", text, f"client_assertion.{claim}".rstrip("."))


def _claimed_issuer(assertion: str) -> str:
    """The issuer as the assertion says it, before anything is proven."""
    try:
        payload = jws.extract_compact(assertion.encode()).payload
        return str(json.loads(payload)["iss"])
    except BROKEN as error:
        raise refused("is missing or no signed JWT with an issuer") from error


def _registered_key(client: Client, assertion: str) -> Any:
    kid = jws.extract_compact(assertion.encode()).headers()["kid"]
    return KeySet.import_key_set({"keys": list(client.keys["keys"])}).get_by_kid(str(kid))


def _check_party(client: Client, url: str, letter: jwt.Token) -> None:
    claims = letter.claims
    if letter.header.get("typ", "JWT") != "JWT":
        raise refused("must be JWT", "typ")
    if claims.get("sub") != client.name:
        raise refused("must equal iss, the client's name", "sub")
    if claims.get("aud") not in (url, [url]):
        raise refused(f"must be {url}", "aud")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        raise refused(f"must be a text of 1 to {LONGEST_JTI} characters", "jti")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires = _seconds(claims, "exp")
    if expires is None or not expires > now:
        raise refused("is missing or past", "exp")
    if not expires <= now + LONGEST_SECONDS + CLOCK_SKEW_SECONDS:
        raise refused("must be at most five minutes ahead", "exp")
    for claim in ("nbf", "iat"):
        since = _seconds(claims, claim)
        if since is not None and not since <= now + CLOCK_SKEW_SECONDS:
            raise refused("is in the future", claim)


def _seconds(claims: Mapping[str, Any], claim: str) -> float | None:
    value = claims.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused("must be a number of seconds", claim)
    return value

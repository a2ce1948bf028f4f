import base64
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from fhir_gateway.security.assertion import TokenRefused, assertion, prove
from fhir_gateway.security.caller import Client
from fhir_gateway.security.keys import KeyRing

NOW = 1_795_000_000.0
URL = "https://gateway.example/auth/token"


@pytest.fixture(scope="module")
def key(ring: KeyRing) -> ECKey:
    return ring.client("bai-chay")


@pytest.fixture(scope="module")
def clients(ring: KeyRing) -> dict[str, Client]:
    return {name: Client(name, "hospital", name, ring.client_keys(name)) for name in ("bai-chay", "qn-general")}


def _signed(key: ECKey | RSAKey, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"iss": "bai-chay", "sub": "bai-chay", "aud": URL, "exp": int(NOW) + 200, "jti": "one"} | changes
    head = {"alg": "ES384", "kid": key.kid} | (header or {})
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(head, present, key, algorithms=["ES384", "RS384", "RS256", "ES256"])


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def test_a_client_proves_itself_with_its_own_key(key: ECKey, clients: dict[str, Client]) -> None:
    client, claims = prove(assertion("bai-chay", key, URL, NOW), clients, URL, NOW)
    assert client is clients["bai-chay"]
    assert 0 < claims["exp"] - NOW < 300
    assert claims["jti"]


def test_two_proofs_never_have_the_same_id(key: ECKey, clients: dict[str, Client]) -> None:
    ids = {prove(assertion("bai-chay", key, URL, NOW), clients, URL, NOW)[1]["jti"] for _ in range(5)}
    assert len(ids) == 5


def test_an_rsa_client_signs_with_rs384(clients: dict[str, Client]) -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "rsa"})
    known = clients | {"bai-chay": Client("bai-chay", "hospital", "bai-chay", {"keys": [rsa.as_dict(private=False)]})}
    assert prove(_signed(rsa, {"alg": "RS384"}), known, URL, NOW)[0].name == "bai-chay"
    with pytest.raises(TokenRefused, match="not signed"):
        prove(_signed(rsa, {"alg": "RS256"}), known, URL, NOW)


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"iss": "somebody"}, "iss"),
        ({"sub": "qn-general"}, "sub"),
        ({"sub": None}, "sub"),
        ({"aud": "https://elsewhere.example/auth/token"}, "aud"),
        ({"aud": [URL, "https://elsewhere.example"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": int(NOW) - 1}, "exp"),
        ({"exp": int(NOW)}, "exp"),
        ({"exp": int(NOW) + 400}, "exp"),
        ({"exp": 10**400}, "exp"),
        ({"exp": float("nan")}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": None}, "exp"),
        ({"nbf": int(NOW) + 60}, "nbf"),
        ({"iat": int(NOW) + 60}, "iat"),
        ({"iat": float("nan")}, "iat"),
        ({"iat": True}, "iat"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": 7}, "jti"),
        ({"jti": "x" * 256}, "jti"),
    ],
)
def test_a_wrong_claim_is_refused_by_its_name(
    key: ECKey, clients: dict[str, Client], changes: dict[str, Any], claim: str
) -> None:
    with pytest.raises(TokenRefused) as refusal:
        prove(_signed(key, **changes), clients, URL, NOW)
    assert refusal.value.where == f"client_assertion.{claim}"
    assert refusal.value.answer()["error"] == "invalid_client"
    assert refusal.value.status == 401


def test_an_audience_given_as_a_list_of_one_is_the_same(key: ECKey, clients: dict[str, Client]) -> None:
    assert prove(_signed(key, aud=[URL]), clients, URL, NOW)[0].name == "bai-chay"


def test_another_clients_key_proves_nothing(ring: KeyRing, clients: dict[str, Client]) -> None:
    with pytest.raises(TokenRefused, match="not signed"):
        prove(_signed(ring.client("qn-general")), clients, URL, NOW)


def test_a_foreign_key_under_a_known_kid_proves_nothing(key: ECKey, clients: dict[str, Client]) -> None:
    with pytest.raises(TokenRefused, match="not signed"):
        prove(_signed(ECKey.generate_key("P-384"), {"kid": key.kid}), clients, URL, NOW)


def test_a_key_the_assertion_brings_along_proves_nothing(key: ECKey, clients: dict[str, Client]) -> None:
    own = ECKey.generate_key("P-384")
    brought = _signed(own, {"kid": key.kid, "jwk": own.as_dict(private=False)})
    with pytest.raises(TokenRefused):
        prove(brought, clients, URL, NOW)


def test_the_key_is_the_one_the_kid_names(ring: KeyRing, key: ECKey) -> None:
    newer = ECKey.generate_key("P-384", auto_kid=True)
    both = {"keys": [*ring.client_keys("bai-chay")["keys"], newer.as_dict(private=False)]}
    clients = {"bai-chay": Client("bai-chay", "hospital", "bai-chay", both)}
    assert prove(_signed(key), clients, URL, NOW)
    assert prove(_signed(newer), clients, URL, NOW)
    with pytest.raises(TokenRefused, match="not signed"):
        prove(_signed(key, {"kid": "unknown"}), clients, URL, NOW)


def test_an_assertion_without_kid_is_refused(key: ECKey, clients: dict[str, Client]) -> None:
    claims = {"iss": "bai-chay", "sub": "bai-chay", "aud": URL, "exp": int(NOW) + 200, "jti": "one"}
    with pytest.raises(TokenRefused):
        prove(jwt.encode({"alg": "ES384"}, claims, key, algorithms=["ES384"]), clients, URL, NOW)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS384"])
def test_no_algorithm_and_shared_secrets_are_refused(key: ECKey, clients: dict[str, Client], algorithm: str) -> None:
    payload = _signed(key).split(".")[1]
    head = _base64(json.dumps({"alg": algorithm, "kid": key.kid, "typ": "JWT"}).encode())
    tag = (
        hmac.digest(key.as_pem(private=False), f"{head}.{payload}".encode(), f"sha{algorithm[2:]}")
        if algorithm != "none"
        else b""
    )
    with pytest.raises(TokenRefused, match="not signed"):
        prove(f"{head}.{payload}.{_base64(tag)}", clients, URL, NOW)


def test_an_access_token_does_not_pass_for_a_proof(key: ECKey, clients: dict[str, Client]) -> None:
    with pytest.raises(TokenRefused) as refusal:
        prove(_signed(key, {"typ": "at+jwt"}), clients, URL, NOW)
    assert refusal.value.where == "client_assertion.typ"


@settings(deadline=None, max_examples=100)
@given(st.one_of(st.text(), st.binary().map(_base64).map(lambda part: f"{part}.{part}.AAAA")))
def test_any_text_is_refused_without_a_crash(clients: dict[str, Client], text: str) -> None:
    with pytest.raises(TokenRefused):
        prove(text, clients, URL, NOW)


@pytest.mark.parametrize("payload", [b"[" * 50_000, b'"text"', b"[]", b'{"iss":{}}', b'{"iss":"bai-chay"}'])
def test_a_hostile_payload_is_refused(key: ECKey, clients: dict[str, Client], payload: bytes) -> None:
    head = _base64(json.dumps({"alg": "ES384", "kid": key.kid}).encode())
    with pytest.raises(TokenRefused):
        prove(f"{head}.{_base64(payload)}.AAAA", clients, URL, NOW)

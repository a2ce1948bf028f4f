import base64
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt

from fhir_gateway.problem import BadRequest, Unauthenticated
from fhir_gateway.security.assertion import TokenRefused, assertion
from fhir_gateway.security.caller import development_clients
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.security.tokens import ASSERTION_TYPE, TokenDesk, smart_configuration

pytestmark = pytest.mark.anyio

URL = "https://gateway.example/auth/token"


@dataclass
class Shelf:
    """Used assertions, kept in memory."""

    kept: dict[str, datetime] = field(default_factory=dict)

    async def remember(self, jti: str, until: datetime) -> bool:
        return self.kept.setdefault(jti, until) is until


@dataclass
class Clock:
    now: float = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(ring: KeyRing, clock: Clock) -> TokenDesk:
    return TokenDesk(development_clients(ring), ring.tokens, URL, Shelf(), seconds=300, clock=clock)


def _form(ring: KeyRing, now: float, client: str = "bai-chay", **changes: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(client, ring.client(client), URL, now),
        "scope": "system/*.cruds",
    } | changes


async def test_a_proven_client_gets_a_token_that_names_it(desk: TokenDesk, ring: KeyRing, clock: Clock) -> None:
    answer = await desk.exchange(_form(ring, clock.now))
    caller = desk.caller(f"Bearer {answer['access_token']}")
    assert (caller.client, caller.role, caller.organization) == ("bai-chay", "hospital", "bai-chay")
    assert caller.scopes == ("system/*.cruds",)
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 300)


async def test_a_second_use_of_one_assertion_is_refused(desk: TokenDesk, ring: KeyRing, clock: Clock) -> None:
    form = _form(ring, clock.now)
    await desk.exchange(form)
    with pytest.raises(TokenRefused) as refusal:
        await desk.exchange(form)
    assert refusal.value.answer() == {
        "error": "invalid_client",
        "error_description": "client_assertion.jti: was used before",
    }


async def test_two_clients_may_use_the_same_id(desk: TokenDesk, ring: KeyRing, clock: Clock) -> None:
    for client in ("bai-chay", "qn-general"):
        claims = {"iss": client, "sub": client, "aud": URL, "exp": int(clock.now) + 60, "jti": "1"}
        key = ring.client(client)
        proof = jwt.encode({"alg": "ES384", "kid": key.kid}, claims, key, algorithms=["ES384"])
        await desk.exchange(_form(ring, clock.now, client_assertion=proof))


async def test_an_id_is_kept_for_as_long_as_its_assertion_lives(desk: TokenDesk, ring: KeyRing, clock: Clock) -> None:
    await desk.exchange(_form(ring, clock.now))
    shelf = desk.replays
    assert isinstance(shelf, Shelf)
    assert min(shelf.kept.values()) >= datetime.fromtimestamp(clock.now + 240, UTC)


async def test_a_refused_assertion_is_not_spent(desk: TokenDesk, ring: KeyRing, clock: Clock) -> None:
    with pytest.raises(TokenRefused):
        await desk.exchange(_form(ring, clock.now - 1000))
    shelf = desk.replays
    assert isinstance(shelf, Shelf)
    assert shelf.kept == {}


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"grant_type": "password"}, ("unsupported_grant_type", 400)),
        ({"client_assertion_type": "x"}, ("invalid_request", 400)),
        ({"client_assertion": ""}, ("invalid_client", 401)),
        ({"scope": "openid profile"}, ("invalid_scope", 400)),
    ],
)
async def test_a_wrong_parameter_is_refused_by_its_oauth_code(
    desk: TokenDesk, ring: KeyRing, clock: Clock, changes: dict[str, str], refused: tuple[str, int]
) -> None:
    with pytest.raises(TokenRefused) as refusal:
        await desk.exchange(_form(ring, clock.now, **changes))
    assert (refusal.value.error, refusal.value.status) == refused


async def test_unknown_scopes_are_left_out(desk: TokenDesk, ring: KeyRing, clock: Clock) -> None:
    answer = await desk.exchange(_form(ring, clock.now, scope="openid system/Patient.rs"))
    assert answer["scope"] == "system/Patient.rs"
    assert desk.caller(f"Bearer {answer['access_token']}").scopes == ("system/Patient.rs",)


def test_a_token_ends_with_its_time_even_when_it_was_seen_before(desk: TokenDesk, clock: Clock) -> None:
    token = desk.development_token("admin")
    assert desk.caller(f"bearer {token}").role == "admin"
    clock.now += 300
    with pytest.raises(Unauthenticated, match="expired"):
        desk.caller(f"Bearer {token}")
    with pytest.raises(Unauthenticated, match="expired"):
        desk.caller(f"Bearer {token}")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer nonsense", "Bearer a.b.c"])
def test_no_token_is_nobody(desk: TokenDesk, header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        desk.caller(header)


def test_another_gateways_token_is_nobodys(desk: TokenDesk, stranger: KeyRing, clock: Clock) -> None:
    other = TokenDesk(desk.clients, stranger.tokens, URL, Shelf(), clock=clock)
    with pytest.raises(Unauthenticated):
        desk.caller(f"Bearer {other.development_token('admin')}")


def test_another_key_of_this_gateway_issues_no_tokens(desk: TokenDesk, ring: KeyRing, clock: Clock) -> None:
    proof = assertion("admin", ring.client("admin"), URL, clock.now)
    with pytest.raises(Unauthenticated):
        desk.caller(f"Bearer {proof}")


def test_another_letter_signed_with_the_token_key_is_no_token(desk: TokenDesk, ring: KeyRing, clock: Clock) -> None:
    claims = {"client_id": "admin", "scope": "system/*.cruds", "jti": "1", "exp": clock.now + 60}
    proof = jwt.encode({"alg": "ES384"}, claims, ring.tokens, algorithms=["ES384"])
    with pytest.raises(Unauthenticated, match="no access token"):
        desk.caller(f"Bearer {proof}")


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_an_unsigned_or_secret_signed_token_is_nobodys(desk: TokenDesk, ring: KeyRing, algorithm: str) -> None:
    head, payload, _ = desk.development_token("admin").split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "==")) | {"alg": algorithm}
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    tag = hmac.digest(ring.tokens.as_pem(private=False), f"{head}.{payload}".encode(), "sha256")
    for tail in ("", base64.urlsafe_b64encode(tag).decode().rstrip("=")):
        with pytest.raises(Unauthenticated):
            desk.caller(f"Bearer {head}.{payload}.{tail}")


def test_a_changed_token_is_nobodys(desk: TokenDesk) -> None:
    head, payload, tail = desk.development_token("doctor").split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"client_id": "admin"}
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    with pytest.raises(Unauthenticated):
        desk.caller(f"Bearer {head}.{forged}.{tail}")


def test_a_token_of_a_client_that_was_removed_is_nobodys(desk: TokenDesk, clock: Clock) -> None:
    token = desk.development_token("doctor")
    rest = {name: client for name, client in desk.clients.items() if name != "doctor"}
    with pytest.raises(Unauthenticated):
        TokenDesk(rest, desk.key, URL, Shelf(), clock=clock).caller(f"Bearer {token}")


def test_a_token_from_the_command_line_serves_at_the_running_gateway(ring: KeyRing, clock: Clock) -> None:
    clients = development_clients(KeyRing(ring.folder, "another-name"))
    elsewhere = TokenDesk(
        clients, KeyRing(ring.folder, "x").tokens, "http://other.example/auth/token", Shelf(), clock=clock
    )
    running = TokenDesk(clients, ring.tokens, URL, Shelf(), clock=clock)
    assert running.caller(f"Bearer {elsewhere.development_token('doctor')}").client == "doctor"


def test_a_development_token_for_nobody_names_those_there_are(desk: TokenDesk) -> None:
    with pytest.raises(BadRequest, match="qn-general"):
        desk.development_token("nobody")


def test_remembered_tokens_never_grow_without_end(desk: TokenDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_gateway.security.tokens.REMEMBERED_TOKENS", 3)
    for _ in range(8):
        desk.caller(f"Bearer {desk.development_token('admin')}")
    assert len(desk._known) <= 3


@settings(deadline=None, max_examples=60)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_header_is_refused_without_a_crash(ring: KeyRing, text: str) -> None:
    desk = TokenDesk({}, ring.tokens, URL, Shelf())
    with pytest.raises(Unauthenticated):
        desk.caller(f"Bearer {text}")


def test_the_smart_configuration_names_the_token_endpoint() -> None:
    configuration = smart_configuration(URL)
    assert configuration["token_endpoint"] == URL
    assert configuration["token_endpoint_auth_signing_alg_values_supported"] == ["ES384", "RS384"]


async def test_a_token_given_before_the_clock_was_set_back_does_not_live_longer_for_it(
    desk: TokenDesk, ring: KeyRing, clock: Clock
) -> None:
    answer = await desk.exchange(_form(ring, clock.now))
    clock.now -= 3600
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            desk.caller(f"Bearer {answer['access_token']}")
    clock.now += 3600
    assert desk.caller(f"Bearer {answer['access_token']}").client == "bai-chay"

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from fhir_gateway.problem import Unprocessable
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.security.seal import Signer, decrypt, encrypt, sign, verify

NOW = datetime.now(UTC).replace(microsecond=0)
DOCUMENT = '{"resourceType":"Bundle","total":7.20,"tên":"Nguyễn"}'.encode()


def _with_header(signature: str, **changes: object) -> str:
    head, _, tail = signature.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "==")) | changes
    return f"{base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip('=')}..{tail}"


def test_a_signature_names_the_doctor_and_the_time(ring: KeyRing) -> None:
    signature = sign(DOCUMENT, ring.practitioner("0001234/BYT-CCHN"), NOW)
    who = verify(DOCUMENT, signature, [ring.authority], NOW)
    assert (who.name, who.unit, who.signed) == ("0001234/BYT-CCHN", "practitioner", NOW)
    assert int(who.serial, 16) > 0


def test_a_signature_leaves_the_document_out(ring: KeyRing) -> None:
    head, middle, tail = sign(DOCUMENT, ring.gateway, NOW).split(".")
    assert head
    assert not middle
    assert tail


@settings(deadline=None, max_examples=60)
@given(place=st.integers(0, len(DOCUMENT) - 1), bit=st.integers(0, 7))
def test_one_changed_bit_breaks_the_signature(ring: KeyRing, place: int, bit: int) -> None:
    changed = bytearray(DOCUMENT)
    changed[place] ^= 1 << bit
    with pytest.raises(Unprocessable, match="does not belong"):
        verify(bytes(changed), sign(DOCUMENT, ring.gateway, NOW), [ring.authority], NOW)


def test_a_signature_of_a_stranger_is_not_trusted(ring: KeyRing, stranger: KeyRing) -> None:
    signature = sign(DOCUMENT, stranger.gateway, NOW)
    with pytest.raises(Unprocessable, match="not trusted"):
        verify(DOCUMENT, signature, [ring.authority], NOW)
    assert verify(DOCUMENT, signature, [ring.authority, stranger.authority], NOW).name == "quang-ninh"


def test_a_stranger_cannot_show_our_certificates_for_its_key(ring: KeyRing, stranger: KeyRing) -> None:
    forged = Signer(stranger.gateway.key, ring.gateway.chain)
    with pytest.raises(Unprocessable, match="does not belong"):
        verify(DOCUMENT, sign(DOCUMENT, forged, NOW), [ring.authority], NOW)


def test_a_stranger_cannot_bring_its_own_authority_in_the_chain(ring: KeyRing, stranger: KeyRing) -> None:
    own_root = base64.b64decode("".join(stranger.authority.decode().splitlines()[1:-1]))
    forged = Signer(stranger.gateway.key, (*stranger.gateway.chain, own_root))
    with pytest.raises(Unprocessable, match="not trusted"):
        verify(DOCUMENT, sign(DOCUMENT, forged, NOW), [ring.authority], NOW)


def test_a_doctors_certificate_cannot_vouch_for_another(ring: KeyRing, stranger: KeyRing) -> None:
    forged = Signer(stranger.gateway.key, (*stranger.gateway.chain, *ring.practitioner("1").chain))
    with pytest.raises(Unprocessable, match="not trusted"):
        verify(DOCUMENT, sign(DOCUMENT, forged, NOW), [ring.authority], NOW)


def test_an_authority_does_not_sign_documents(ring: KeyRing) -> None:
    pem = (ring.folder / "authority.pem").read_bytes()
    der = base64.b64decode("".join(ring.authority.decode().splitlines()[1:-1]))
    signer = Signer(ECKey.import_key(pem[: pem.index(b"-----BEGIN CERT")]), (der,))
    with pytest.raises(Unprocessable, match="not trusted"):
        verify(DOCUMENT, sign(DOCUMENT, signer, NOW), [ring.authority], NOW)


def _certified(ring: KeyRing, *extensions: x509.ExtensionType) -> Signer:
    """A signer of the trusted authority whose certificate carries just these extensions."""
    authority = (ring.folder / "authority.pem").read_bytes()
    key, issuer = ECKey.generate_key("P-384"), x509.load_pem_x509_certificate(authority)
    builder = x509.CertificateBuilder(
        issuer.subject, issuer.subject, key.public_key, 1, NOW - timedelta(days=1), NOW + timedelta(days=1)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    issuing = load_pem_private_key(authority, None)
    assert isinstance(issuing, ec.EllipticCurvePrivateKey)
    return Signer(key, (builder.sign(issuing, hashes.SHA384()).public_bytes(Encoding.DER),))


def test_a_certificate_without_stated_use_may_sign(ring: KeyRing) -> None:
    assert verify(DOCUMENT, sign(DOCUMENT, _certified(ring), NOW), [ring.authority], NOW).serial == "1"


def test_a_certificate_for_encryption_does_not_sign(ring: KeyRing) -> None:
    use = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
    with pytest.raises(Unprocessable, match="not for signatures"):
        verify(DOCUMENT, sign(DOCUMENT, _certified(ring, use), NOW), [ring.authority], NOW)


def test_a_certificate_that_may_issue_others_does_not_sign(ring: KeyRing) -> None:
    signer = _certified(ring, x509.BasicConstraints(True, 0))
    with pytest.raises(Unprocessable, match="authority does not sign"):
        verify(DOCUMENT, sign(DOCUMENT, signer, NOW), [ring.authority], NOW)


def test_without_any_trusted_authority_nothing_is_believed(ring: KeyRing) -> None:
    with pytest.raises(Unprocessable, match="no certificate authority"):
        verify(DOCUMENT, sign(DOCUMENT, ring.gateway, NOW), [], NOW)


def test_a_certificate_must_be_valid_when_it_signed(ring: KeyRing) -> None:
    before = NOW - timedelta(days=40)
    with pytest.raises(Unprocessable, match="not valid"):
        verify(DOCUMENT, sign(DOCUMENT, ring.gateway, before), [ring.authority], NOW)


def test_a_certificate_must_be_valid_at_receipt(ring: KeyRing) -> None:
    later = NOW + timedelta(days=6 * 365)
    with pytest.raises(Unprocessable, match="not valid"):
        verify(DOCUMENT, sign(DOCUMENT, ring.gateway, NOW), [ring.authority], later)


def test_a_signature_from_the_future_is_refused(ring: KeyRing) -> None:
    with pytest.raises(Unprocessable, match="future"):
        verify(DOCUMENT, sign(DOCUMENT, ring.gateway, NOW + timedelta(minutes=6)), [ring.authority], NOW)


def test_the_stated_time_is_part_of_what_is_signed(ring: KeyRing) -> None:
    moved = _with_header(sign(DOCUMENT, ring.gateway, NOW), iat=int(NOW.timestamp()) - 60)
    with pytest.raises(Unprocessable, match="does not belong"):
        verify(DOCUMENT, moved, [ring.authority], NOW)


def test_a_signature_without_algorithm_is_refused(ring: KeyRing) -> None:
    none = _with_header(sign(DOCUMENT, ring.gateway, NOW), alg="none").rsplit(".", 1)[0] + "."
    with pytest.raises(Unprocessable, match="not accepted"):
        verify(DOCUMENT, none, [ring.authority], NOW)


def test_a_public_key_does_not_pass_for_a_shared_secret(ring: KeyRing) -> None:
    head = _with_header(sign(DOCUMENT, ring.gateway, NOW), alg="HS256").split(".")[0]
    signed = f"{head}.{base64.urlsafe_b64encode(DOCUMENT).decode().rstrip('=')}".encode()
    tag = hmac.digest(ring.gateway.key.as_pem(private=False), signed, "sha256")
    forged = f"{head}..{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"
    with pytest.raises(Unprocessable, match="not accepted"):
        verify(DOCUMENT, forged, [ring.authority], NOW)


@pytest.mark.parametrize("x5c", [[], ["AAAA"], ["%%"], "text", [7], None, {}])
def test_a_chain_that_is_none_is_refused(ring: KeyRing, x5c: object) -> None:
    with pytest.raises(Unprocessable):
        verify(DOCUMENT, _with_header(sign(DOCUMENT, ring.gateway, NOW), x5c=x5c), [ring.authority], NOW)


@pytest.mark.parametrize("iat", [None, "now", 1e400, -(10**30), 10**30, [], True])
def test_a_time_that_is_none_is_refused(ring: KeyRing, iat: object) -> None:
    with pytest.raises(Unprocessable):
        verify(DOCUMENT, _with_header(sign(DOCUMENT, ring.gateway, NOW), iat=iat), [ring.authority], NOW)


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.text(), st.binary().map(lambda b: base64.urlsafe_b64encode(b).decode() + "..AAAA")))
def test_any_text_is_refused_as_a_signature_without_a_crash(ring: KeyRing, text: str) -> None:
    with pytest.raises(Unprocessable):
        verify(DOCUMENT, text, [ring.authority], NOW)


def test_a_deeply_nested_header_is_refused(ring: KeyRing) -> None:
    nested = base64.urlsafe_b64encode(b"[" * 20_000).decode().rstrip("=")
    with pytest.raises(Unprocessable):
        verify(DOCUMENT, f"{nested}..AAAA", [ring.authority], NOW)


def test_a_large_document_is_signed_and_closed_like_a_small_one(ring: KeyRing) -> None:
    large = DOCUMENT * 200_000
    assert verify(large, sign(large, ring.gateway, NOW), [ring.authority], NOW).unit == "gateway"
    assert decrypt(encrypt(large, ring.public_keys()["keys"][2]), ring.encryption) == large


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=5000))
def test_what_is_closed_for_a_receiver_opens_unchanged(ring: KeyRing, payload: bytes) -> None:
    assert decrypt(encrypt(payload, ring.public_keys()["keys"][2]), ring.encryption) == payload


def test_an_envelope_opens_for_its_receiver_only(ring: KeyRing, stranger: KeyRing) -> None:
    envelope = encrypt(DOCUMENT, ring.public_keys()["keys"][2])
    with pytest.raises(Unprocessable):
        decrypt(envelope, stranger.encryption)


def test_an_altered_envelope_does_not_open(ring: KeyRing) -> None:
    parts = encrypt(DOCUMENT, ring.public_keys()["keys"][2]).split(".")
    for place in range(5):
        text = parts[place]
        changed = [*parts[:place], ("A" if text[0] != "A" else "B") + text[1:], *parts[place + 1 :]]
        with pytest.raises(Unprocessable):
            decrypt(".".join(changed), ring.encryption)


@pytest.mark.parametrize(
    "receiver", [{}, {"kty": "oct", "k": "AAAA"}, {"kty": "EC", "crv": "P-384", "x": "A", "y": "A"}]
)
def test_a_receiver_without_a_usable_key_is_refused(receiver: dict[str, str]) -> None:
    with pytest.raises(Unprocessable):
        encrypt(DOCUMENT, receiver)


@settings(deadline=None, max_examples=60)
@given(st.text())
def test_any_text_is_refused_as_an_envelope_without_a_crash(ring: KeyRing, text: str) -> None:
    with pytest.raises(Unprocessable):
        decrypt(text, ring.encryption)

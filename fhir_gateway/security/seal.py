"""Seals: a document is signed by its author and closed for its reader.

https://www.rfc-editor.org/rfc/rfc7515#appendix-F

The bytes are signed as they are stored, never a canonical form: RFC 8785 would turn 72.50 into 72.5.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.registry import HeaderParameter

from fhir_gateway.problem import Unprocessable

# The national certification authorities still issue RSA keys; what the gateway signs itself is ES384.
ALGORITHMS = ("ES384", "RS384", "RS256")
ENCRYPTION = ("ECDH-ES+A256KW", "A256GCM")
# joserfc stops at 128 kB by default; one imaging report with its PDF is larger.
LARGEST_PAYLOAD_BYTES = 64 * 2**20
LARGEST_HEADER_BYTES = 32 * 2**10
CLOCK_SKEW = timedelta(minutes=5)
LONGEST_CHAIN = 4

UnknownKeyError = UnsupportedAlgorithm
BROKEN = (JoseError, ValueError, TypeError, KeyError, RecursionError)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and the certificates (DER) that vouch for it: its own first, the root left out."""

    key: ECKey
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed, in the words of the certificate; ``signed`` is the time the signer states."""

    name: str
    unit: str
    organization: str
    serial: str
    signed: datetime


def possible(signer: Signer, when: datetime) -> datetime:
    """When a signature made at ``when`` is dated: never before its certificate, as a clock that was set back says."""
    return max(when, x509.load_der_x509_certificate(signer.chain[0]).not_valid_before_utc)


def sign(payload: bytes, signer: Signer, when: datetime) -> str:
    """A detached signature (JWS compact, middle part empty) that carries the certificates and the time."""
    header = {
        "alg": "ES384",
        "x5c": [base64.b64encode(certificate).decode() for certificate in signer.chain],
        "iat": int(when.timestamp()),
    }
    return jws.detach_content(jws.serialize_compact(header, payload, signer.key, registry=_signatures()))


def verify(payload: bytes, signature: str, roots: Iterable[bytes], at: datetime) -> Signature:
    """Who signed these bytes; Unprocessable says why not.

    ``roots`` are PEM certificates; the signer's must be valid ``at`` receipt and when it signed.
    """
    try:
        letter = jws.extract_compact(signature.encode(), payload, _signatures())
        header = letter.headers()
        chain = [x509.load_der_x509_certificate(base64.b64decode(text)) for text in header["x5c"]]
        key = _public_key(chain[0])
        signed = datetime.fromtimestamp(header["iat"], UTC)
    except (*BROKEN, IndexError, OverflowError, OSError) as error:
        raise Unprocessable("the signature is no detached JWS with x5c and iat", "signature") from error
    _check_bytes(letter, key)
    _check_time(signed, at)
    _check_chain(chain, roots, (signed, at))
    return _described(chain[0], signed)


def vouched(chain: Sequence[bytes], roots: Iterable[bytes], at: datetime, *, check: bool = True) -> Signature:
    """Whom a chain of certificates (DER) names, its own first; Unprocessable when no root vouches for it ``at`` a time.

    A root may be the signer's own certificate. Without ``check`` the name is read and nothing is proved.
    """
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain]
        first = certificates[0]
    except (*BROKEN, IndexError) as error:
        raise Unprocessable("the signer's certificate cannot be read", "signature") from error
    pems = tuple(roots)
    pinned = [known for pem in pems for known in x509.load_pem_x509_certificates(pem)] if check else []
    if check and first not in pinned:
        _check_chain(certificates, pems, (at,))
    return _described(first, at)


def encrypt(payload: bytes, receiver: Mapping[str, Any]) -> str:
    """A compact JWE only the owner of ``receiver`` (a public JWK) can open."""
    try:
        key = ECKey.import_key({name: value for name, value in receiver.items() if name != "d"})
        key.ensure_kid()
        header = {"alg": ENCRYPTION[0], "enc": ENCRYPTION[1], "kid": key.kid}
        return jwe.encrypt_compact(header, payload, key, registry=_envelopes())
    except BROKEN as error:
        raise Unprocessable("the receiver's key is no elliptic-curve key for encryption", "receiver") from error


def decrypt(envelope: str, key: ECKey) -> bytes:
    """The bytes that were encrypted for ``key``; Unprocessable when it is not for it or was altered."""
    try:
        opened = jwe.decrypt_compact(envelope.encode(), key, registry=_envelopes())
    except BROKEN as error:
        raise Unprocessable("the envelope cannot be opened with this gateway's key", "envelope") from error
    return opened.plaintext or b""


def _signatures() -> jws.JWSRegistry:
    registry = jws.JWSRegistry({"iat": HeaderParameter("time of signing", "int")}, ALGORITHMS)
    registry.max_payload_length = LARGEST_PAYLOAD_BYTES * 4 // 3 + 4
    registry.max_header_length = LARGEST_HEADER_BYTES
    return registry


def _envelopes() -> jwe.JWERegistry:
    registry = jwe.JWERegistry(algorithms=ENCRYPTION)
    registry.max_ciphertext_length = LARGEST_PAYLOAD_BYTES * 4 // 3 + 4
    return registry


def _public_key(certificate: x509.Certificate) -> ECKey | RSAKey:
    public = certificate.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return ECKey.import_key(pem) if isinstance(public, ec.EllipticCurvePublicKey) else RSAKey.import_key(pem)


def _check_bytes(letter: jws.CompactSignature, key: ECKey | RSAKey) -> None:
    try:
        whole = jws.validate_compact(letter, key, registry=_signatures())
    except BROKEN as error:
        raise Unprocessable("the signature's algorithm or key is not accepted", "signature") from error
    if not whole:
        raise Unprocessable("the signature does not belong to these bytes", "signature")


def _check_time(signed: datetime, at: datetime) -> None:
    if signed > at + CLOCK_SKEW:
        raise Unprocessable("the signature is dated in the future", "signature")


def _check_chain(chain: list[x509.Certificate], roots: Iterable[bytes], times: Iterable[datetime]) -> None:
    trusted = [certificate for pem in roots for certificate in x509.load_pem_x509_certificates(pem)]
    if not trusted:
        raise Unprocessable("no certificate authority is trusted for this signature", "signature")
    try:
        for time in times:
            _verifier(trusted, time).verify(chain[0], chain[1:])
    except (verification.VerificationError, ValueError) as error:
        reason = str(error).split(" (encountered")[0]
        raise Unprocessable(f"the signer's certificate is not trusted: {reason}", "signature") from error


def _verifier(trusted: list[x509.Certificate], time: datetime) -> verification.ClientVerifier:
    leaf = (
        verification.ExtensionPolicy.permit_all()
        .may_be_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_no_authority)
        .may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _may_sign)
    )
    return (
        verification.PolicyBuilder()
        .store(verification.Store(trusted))
        .time(time)
        .max_chain_depth(LONGEST_CHAIN)
        .extension_policies(ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(), ee_policy=leaf)
        .build_client_verifier()
    )


def _is_no_authority(
    _policy: verification.Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints | None
) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("a certificate authority does not sign documents")


def _may_sign(_policy: verification.Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise ValueError("the certificate is not for signatures")


def _described(certificate: x509.Certificate, signed: datetime) -> Signature:
    def part(oid: x509.ObjectIdentifier) -> str:
        return ", ".join(str(value.value) for value in certificate.subject.get_attributes_for_oid(oid))

    return Signature(
        name=part(NameOID.COMMON_NAME),
        unit=part(NameOID.ORGANIZATIONAL_UNIT_NAME),
        organization=part(NameOID.ORGANIZATION_NAME),
        serial=f"{certificate.serial_number:x}",
        signed=signed,
    )

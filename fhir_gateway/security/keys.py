"""The key ring of one gateway: every private key in a file that only its owner may read.

https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html

A file that is there is used as it is; in development a missing one is made, under an authority of its own.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from fhir_gateway.problem import NotFound, Unavailable, Unprocessable
from fhir_gateway.security.seal import Signer

CLIENT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")
DEVELOPMENT = "DEVELOPMENT – not for production"
GATEWAY, FACILITY, PRACTITIONER = "gateway", "facility", "practitioner"
OTHERS_MAY = 0o077
VALID_FOR = timedelta(days=5 * 365)
# Partners' clocks differ: a certificate made this second must not be "not yet valid" over there.
BACKDATED = timedelta(days=1)
LONGEST_COMMON_NAME_BYTES = 64


class KeyRing:
    """The keys under ``folder`` for the gateway called ``name``; without ``development`` no key is ever made.

    Two processes that start at once on an empty folder end with the same keys.
    """

    def __init__(self, folder: Path, name: str, development: bool = True) -> None:
        self.folder = folder
        self.name = name
        self.development = development
        self._opened: dict[str, ECKey | Signer] = {}
        _closed_folder(folder)

    @property
    def tokens(self) -> ECKey:
        """Signs the access tokens this gateway issues."""
        return self._plain("token.pem")

    @property
    def encryption(self) -> ECKey:
        """Opens what partners encrypt for this gateway."""
        return self._plain("encryption.pem")

    @property
    def delivery(self) -> ECKey:
        """Signs this gateway's client assertions at its partners."""
        return self._plain("delivery.pem")

    @property
    def gateway(self) -> Signer:
        """Signs audit blocks and deliveries."""
        return self._certified("gateway.pem", GATEWAY, self.name)

    @cached_property
    def cursor_secret(self) -> bytes:
        return self._once("cursor.secret", lambda: secrets.token_bytes(32))

    @cached_property
    def authority(self) -> bytes:
        """The certificate (PEM) that partners must trust to believe this gateway's signatures."""
        return b"".join(
            certificate.public_bytes(Encoding.PEM) for certificate in x509.load_pem_x509_certificates(self._authority())
        )

    def client(self, name: str) -> ECKey:
        """The private key of one of the built-in development clients."""
        if not CLIENT_NAME.fullmatch(name):
            raise NotFound("a client's name is made of lower-case letters, digits and hyphens", "client")
        return self._plain(f"clients/{name}.pem")

    def client_keys(self, name: str) -> dict[str, Any]:
        """The public JWK set of one of the built-in development clients."""
        return {"keys": [self.client(name).as_dict(private=False, use="sig", alg="ES384")]}

    def facility(self, code: str) -> Signer:
        """Signs for a hospital; ``code`` is its facility code."""
        return self._certified(f"facilities/{_file_name(code)}", FACILITY, code)

    def practitioner(self, licence: str) -> Signer:
        """Signs for a doctor; ``licence`` is the practising certificate's number."""
        return self._certified(f"practitioners/{_file_name(licence)}", PRACTITIONER, licence)

    def public_keys(self) -> dict[str, Any]:
        """The JWK set partners need: to believe our tokens and client assertions, and to encrypt for us."""
        return {
            "keys": [
                self.tokens.as_dict(private=False, use="sig", alg="ES384"),
                self.delivery.as_dict(private=False, use="sig", alg="ES384"),
                self.encryption.as_dict(private=False, use="enc", alg="ECDH-ES+A256KW"),
            ]
        }

    def _plain(self, path: str) -> ECKey:
        if path not in self._opened:
            self._opened[path] = _key(self._once(path, lambda: _pem(_generated())))
        key = self._opened[path]
        assert isinstance(key, ECKey)
        return key

    def _certified(self, path: str, unit: str, code: str) -> Signer:
        if path not in self._opened:
            pem = self._once(path, lambda: _certified(self._authority(), unit, code))
            chain = x509.load_pem_x509_certificates(pem)
            self._opened[path] = Signer(_key(pem), tuple(c.public_bytes(Encoding.DER) for c in chain))
        signer = self._opened[path]
        assert isinstance(signer, Signer)
        return signer

    def _authority(self) -> bytes:
        return self._once("authority.pem", lambda: _self_signed(self.name))

    def _once(self, path: str, make: Callable[[], bytes]) -> bytes:
        """The file's bytes; made first when it is missing, by whichever process is quickest."""
        file = self.folder / path
        with suppress(FileNotFoundError):
            return _closed_file(file)
        if not self.development:
            raise Unavailable(f"the key file {path} is missing and development keys are switched off", path)
        _closed_folder(file.parent)
        _place(file, make())
        return _closed_file(file)


def _closed_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & OTHERS_MAY:
        raise Unavailable(f"other users may enter the key folder {folder.name}: chmod 700 it", folder.name)


def _closed_file(file: Path) -> bytes:
    with file.open("rb") as stream:
        if os.fstat(stream.fileno()).st_mode & OTHERS_MAY:
            raise Unavailable(f"other users may read the key file {file.name}: chmod 600 it", file.name)
        return stream.read()


def _place(file: Path, content: bytes) -> None:
    """Put a whole file there unless another process was first: a link is made at once or not at all."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    with suppress(FileExistsError):
        os.link(draft, file)
    draft.unlink()


def _file_name(code: str) -> str:
    """Licence numbers hold slashes and national letters, so the file is named by their hash."""
    if not code.strip():
        raise Unprocessable("a signer needs a licence or facility code", "signer")
    return hashlib.sha256(code.encode()).hexdigest()[:32] + ".pem"


def _generated() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _key(pem: bytes) -> ECKey:
    private = _private(pem)
    key = ECKey.import_key(_pem(private))
    key.ensure_kid()
    return key


def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except ValueError as error:
        raise Unavailable("a key file holds no readable private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.key_size != 384:
        raise Unavailable("a key file must hold an elliptic-curve key on P-384")
    return key


def _self_signed(name: str) -> bytes:
    key = _generated()
    subject = _subject("authority", f"{name} development authority")
    certificate = _certificate(subject, key.public_key(), subject, key)
    return _pem(key) + certificate.public_bytes(Encoding.PEM)


def _certified(authority: bytes, unit: str, code: str) -> bytes:
    key = _generated()
    issuer = x509.load_pem_x509_certificates(authority)[0].subject
    certificate = _certificate(_subject(unit, code), key.public_key(), issuer, _private(authority))
    return _pem(key) + certificate.public_bytes(Encoding.PEM)


def _subject(unit: str, code: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name(code)),
        ]
    )


def common_name(code: str) -> str:
    """X.509 stops at 64 bytes; a longer code keeps its beginning and ends with its hash."""
    text = code.encode()
    if len(text) <= LONGEST_COMMON_NAME_BYTES:
        return code
    return f"{text[:47].decode(errors='ignore')}~{hashlib.sha256(text).hexdigest()[:16]}"


def _certificate(
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuing: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    authority = subject == issuer
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.BasicConstraints(authority, 0 if authority else None), True)
        .add_extension(_usage(authority), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.public_key()), False)
    )
    return builder.sign(issuing, hashes.SHA384())


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )

"""Which client certificates speak for a hospital, and why a connection that should be encrypted was turned away.

https://www.rfc-editor.org/rfc/rfc8446#section-4.4.2
"""

import ssl
from asyncio import BaseTransport
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fhir_gateway.problem import Unavailable

FINGERPRINT = "sha256:"
PLAIN_SPEECH = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL"})


@dataclass(frozen=True, slots=True)
class Spoken:
    """``clients`` are names (common name, DNS name) or fingerprints ``sha256:…``; each is enough."""

    clients: tuple[str, ...]

    def objection(self, transport: BaseTransport) -> str:
        """Why the certificate shown does not speak for the hospital; empty where it does."""
        shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if shown is None:
            return "the sender shows no client certificate"
        fingerprint = FINGERPRINT + sha256(shown).hexdigest()
        named = {*_names(transport.get_extra_info("peercert") or {}), fingerprint}
        if named & {_plain(client) for client in self.clients}:
            return ""
        return f"the client certificate is of the right authority but not of this hospital: {fingerprint}"


def _names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for row in certificate.get("subject", ()):
        yield from (value.lower() for name, value in row if name == "commonName")
    yield from (value.lower() for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")


def _plain(client: str) -> str:
    text = client.strip().lower()
    return FINGERPRINT + text.removeprefix(FINGERPRINT).replace(":", "") if text.startswith(FINGERPRINT) else text


def reason_of(fault: OSError) -> str:
    """A failed handshake in words for whoever looks after the line."""
    code = str(getattr(fault, "reason", "") or "")
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"the client certificate is not trusted: {fault.verify_message}"
    if code == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "the sender shows no client certificate"
    if code in PLAIN_SPEECH:
        return "the sender does not speak TLS on a TLS port"
    return f"the TLS handshake failed: {code or fault.strerror or type(fault).__name__}"


def server_context(certificate: Path, client_ca: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate and key; ``client_ca`` lets in only who has a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as fault:
        named = str(fault.filename or certificate.name)
        raise Unavailable(f"the MLLP certificate cannot be read: {fault.strerror or fault}", named) from fault
    return context

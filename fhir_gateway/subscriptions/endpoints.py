"""Where notifications may go: only to hosts that the operator named, so that nobody aims the gateway at its neighbours.

https://hl7.org/fhir/uv/subscriptions-backport/safety_security.html
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from fhir_gateway.problem import Invalid

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# What the connection itself needs, and what would lead the request elsewhere.
_CONNECTION = ("connection", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
_CONTENT = ("content-encoding", "content-length", "content-type")
RESERVED = frozenset((*_CONNECTION, *_CONTENT, "proxy-authorization", "proxy-connection"))
_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}):[ \t]*([\x20-\x7e]{0,4000})")
WHERE = "Subscription.channel.endpoint"
HEADER = "Subscription.channel.header"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """``hosts`` are patterns like ``his.example.vn`` or ``*.hospital.vn:8443``; ``loopback`` allows this machine."""

    hosts: tuple[str, ...] = ()
    loopback: bool = False

    def must_allow(self, url: str) -> None:
        """Raises Invalid unless notifications may be posted there."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise Invalid("the endpoint is no URL", WHERE) from None
        if parts.scheme not in ("http", "https") or not host or parts.fragment or "@" in parts.netloc or " " in url:
            raise Invalid("the endpoint must be an http(s) URL without user and fragment", WHERE)
        if host in LOOPBACK and self.loopback:
            return
        if not any(fnmatchcase(host, name) or fnmatchcase(f"{host}:{port}", name) for name in self.hosts):
            raise Invalid("this gateway may not send notifications to that host (subscription_hosts)", WHERE)
        if parts.scheme != "https":
            raise Invalid("another machine is notified over https only", WHERE)


def header(line: str) -> tuple[str, str]:
    """Name and value of one ``Subscription.channel.header``. Raises Invalid."""
    found = _HEADER.fullmatch(line)
    if found is None or found[1].lower() in RESERVED:
        raise Invalid("a header is 'Name: value' in ASCII, and none the connection itself needs", HEADER)
    return found[1], found[2].strip()

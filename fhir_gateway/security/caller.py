"""Who is asking: the registered clients, and the caller a request turns out to come from.

https://hl7.org/fhir/smart-app-launch/backend-services.html#registering-a-smart-backend-service-communicating-public-keys
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_gateway.security.keys import CLIENT_NAME, KeyRing

EVERY_SCOPE = "system/*.cruds"
SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]+)\.(\*|read|write|(?=[cruds])c?r?u?d?s?)")

# The clients of the embedded default: name, role, organization (empty: it belongs to no hospital).
DEVELOPMENT_CLIENTS = (
    ("qn-general", "hospital", "qn-general"),
    ("bai-chay", "hospital", "bai-chay"),
    ("san-nhi", "hospital", "san-nhi"),
    ("bach-mai", "central", "bach-mai"),
    ("doctor", "doctor", "qn-general"),
    ("population", "population", ""),
    ("auditor", "auditor", ""),
    ("admin", "admin", ""),
)


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client: ``keys`` is its public JWK set, ``organization`` the reader it acts for."""

    name: str
    role: str
    organization: str
    keys: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes this request; ``token`` is its access token's id, empty where it showed a certificate.

    ``unlocked`` are the ids of the patients whose secret records it sees in an emergency, or EVERY_PATIENT.
    """

    client: str
    role: str
    organization: str
    scopes: tuple[str, ...] = (EVERY_SCOPE,)
    token: str = ""
    unlocked: tuple[str, ...] = ()


def development_clients(ring: KeyRing, hospitals: Iterable[str] = ()) -> dict[str, Client]:
    """The built-in clients and one for each further hospital, with keys made on the ring where they are missing."""
    built_in = {name for name, _, _ in DEVELOPMENT_CLIENTS}
    further = ((name, "hospital", name) for name in hospitals if name not in built_in and CLIENT_NAME.fullmatch(name))
    return {
        name: Client(name, role, organization, ring.client_keys(name))
        for name, role, organization in (*DEVELOPMENT_CLIENTS, *further)
    }

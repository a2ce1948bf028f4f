"""The clients of a hospital, a doctor's system or an authority: one TOML file each, with their public keys.

https://hl7.org/fhir/smart-app-launch/backend-services.html#registering-a-smart-backend-service-communicating-public-keys
"""

import json
import tomllib
from pathlib import Path
from typing import Any

from fhir_gateway.problem import Problem
from fhir_gateway.security.access import ROLES
from fhir_gateway.security.caller import Client
from fhir_gateway.security.keys import CLIENT_NAME

PARTNER = "gateway"
FIELDS = frozenset({"name", "role", "organization", "jwks"})


def registered(folder: Path) -> dict[str, Client]:
    """The clients that the files of ``folder`` name. Raises Problem naming the file that makes no sense."""
    files = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    found = [_client(file) for file in files]
    return {client.name: client for client in found}


def _client(file: Path) -> Client:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"{file.name}: not readable as TOML", file.name) from error
    _check(table, file.name)
    return Client(table["name"], table["role"], table.get("organization", ""), _keys(file, table["jwks"]))


def _check(table: dict[str, Any], name: str) -> None:
    if unknown := table.keys() - FIELDS:
        raise Problem(f"{name}: a client file has no {', '.join(sorted(unknown))}", name)
    for field in ("name", "role", "jwks"):
        if not isinstance(table.get(field), str):
            raise Problem(f"{name}: the client file lacks {field}", name)
    if not CLIENT_NAME.fullmatch(table["name"]):
        raise Problem(f"{name}: a client's name is small letters, digits and -", name)
    if table["role"] not in ROLES or table["role"] == PARTNER:
        roles = ", ".join(role for role in ROLES if role != PARTNER)
        raise Problem(f"{name}: role is one of {roles}; partner gateways have files of their own", name)
    if table["role"] in ("hospital", "doctor", "central") and not table.get("organization"):
        raise Problem(f"{name}: the role {table['role']} acts for an organization", name)


def _keys(file: Path, jwks: str) -> dict[str, Any]:
    try:
        keys = json.loads((file.parent / jwks).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(f"{file.name}: jwks names no readable JWK set", file.name) from error
    if not isinstance(keys, dict) or not isinstance(keys.get("keys"), list) or not keys["keys"]:
        raise Problem(f"{file.name}: jwks is a JWK set with at least one key", file.name)
    if any(not isinstance(key, dict) or "d" in key or "k" in key for key in keys["keys"]):
        raise Problem(f"{file.name}: jwks holds public keys only; the private ones stay with the client", file.name)
    return keys

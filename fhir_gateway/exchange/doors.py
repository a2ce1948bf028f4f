"""The doors a hospital's file opens for it: its MLLP port, its folder, its account at the insurance gateway's door.

Tables ``[mllp]``, ``[folder]`` and ``[portal]`` of the hospital's TOML file; a table that is not there opens nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_gateway.problem import Problem

ACKNOWLEDGEMENTS = ("original", "enhanced", "as-asked")
KNOWN = {
    "mllp": ({"listen"}, {"certificate", "client_ca", "clients"}),
    "folder": ({"path"}, {"marker", "settle_seconds"}),
    "portal": ({"username", "password"}, set[str]()),
}


@dataclass(frozen=True, slots=True)
class MllpDoor:
    """``listen`` is host:port; ``clients`` are the certificates that speak for the hospital.

    Each is a name (common name or DNS name) or ``sha256:`` and the certificate's fingerprint; without any, the
    hospital's own name and its facility code are the names that count.
    """

    listen: str
    certificate: Path | None = None
    client_ca: Path | None = None
    clients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FolderDoor:
    """``marker`` is the ending of the file that says another is complete; ``settle_seconds`` what counts as stable."""

    path: Path
    marker: str = ""
    settle_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class PortalDoor:
    """``password`` is the hash that ``fhir-gateway password`` prints."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors of one hospital."""

    mllp: MllpDoor | None = None
    folder: FolderDoor | None = None
    portal: PortalDoor | None = None


def doors_of(table: Mapping[str, Any], file: str, folder: Path) -> Doors:
    """What the file opens; paths in it start from its ``folder``. Raises Problem naming the line that is wrong."""
    asked = table.get("quirks", {}).get("acknowledgement", ACKNOWLEDGEMENTS[0])
    if asked not in ACKNOWLEDGEMENTS:
        raise Problem(f"{file}: acknowledgement is one of {', '.join(ACKNOWLEDGEMENTS)}", file)
    return Doors(
        _mllp(_table(table, "mllp", file), folder),
        _folder(_table(table, "folder", file), folder),
        _portal(_table(table, "portal", file)),
    )


def _table(table: Mapping[str, Any], name: str, file: str) -> Mapping[str, Any]:
    rows: Mapping[str, Any] = table.get(name, {})
    needed, possible = KNOWN[name]
    unknown = sorted(rows.keys() - needed - possible)
    if unknown:
        raise Problem(f"{file}: [{name}] has no {unknown[0]}; known: {', '.join(sorted(needed | possible))}", file)
    missing = sorted(needed - rows.keys())
    if rows and missing:
        raise Problem(f"{file}: [{name}] lacks {missing[0]}", file)
    return rows


def _mllp(rows: Mapping[str, Any], folder: Path) -> MllpDoor | None:
    if not rows:
        return None
    files = {name: folder / rows[name] for name in ("certificate", "client_ca") if name in rows}
    return MllpDoor(rows["listen"], clients=tuple(rows.get("clients", ())), **files)


def _folder(rows: Mapping[str, Any], folder: Path) -> FolderDoor | None:
    if not rows:
        return None
    return FolderDoor(folder / rows["path"], rows.get("marker", ""), float(rows.get("settle_seconds", 2.0)))


def _portal(rows: Mapping[str, Any]) -> PortalDoor | None:
    return PortalDoor(rows["username"], rows["password"]) if rows else None

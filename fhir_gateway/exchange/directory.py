"""Who takes part in the exchange: the hospitals that send here and the gateways this one talks to.

Both are TOML files, so that a fourth hospital costs a file and no code.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from adapters.contract import Hospital
from fhir_gateway.exchange.attestation import signing_of, trusting
from fhir_gateway.exchange.code_tables import code_tables
from fhir_gateway.exchange.doors import Doors, doors_of
from fhir_gateway.problem import NotFound, Problem


@dataclass(frozen=True, slots=True)
class Partner:
    """Another gateway. ``url`` is empty while its address is unknown: deliveries to it then wait, visibly."""

    name: str
    title: str
    facilities: tuple[str, ...]
    url: str = ""
    jwks: str = ""
    ca: bytes = b""

    @property
    def client(self) -> str:
        """The client its gateway is, apart from the people of that hospital who may have a client of their own."""
        return gateway_client(self.name)


def gateway_client(name: str) -> str:
    """The client id under which the gateway called ``name`` asks its partners for tokens."""
    return f"{name}-gateway"


@dataclass(frozen=True, slots=True)
class Directory:
    """The participants, by name and by facility code. ``own`` is the name of who runs this gateway."""

    own: str
    hospitals: Mapping[str, Hospital]
    partners: Mapping[str, Partner]
    own_facility: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    systems: Mapping[str, str] = field(default_factory=dict)
    doors: Mapping[str, Doors] = field(default_factory=dict)

    def hospital(self, name: str) -> Hospital:
        """Raises NotFound, naming the hospitals there are."""
        if name not in self.hospitals:
            raise NotFound(f"no hospital of that name; known: {', '.join(sorted(self.hospitals))}", "hospital")
        return self.hospitals[name]

    def partner_of(self, facility: str) -> Partner | None:
        """The partner gateway that answers for a facility code."""
        return next((p for p in self.partners.values() if facility in p.facilities), None)

    def party_of(self, facility: str) -> str | None:
        """The reader name of a facility: a hospital here, a partner, or this gateway's own organization."""
        for hospital in self.hospitals.values():
            if hospital.facility_code == facility:
                return hospital.name
        if facility and facility == self.own_facility:
            return self.own
        partner = self.partner_of(facility)
        return partner.name if partner else None

    def facilities_of(self, party: str) -> tuple[str, ...]:
        """The facility codes a reader name stands for."""
        if party in self.hospitals:
            return (self.hospitals[party].facility_code,)
        if party == self.own and self.own_facility:
            return (self.own_facility,)
        return self.partners[party].facilities if party in self.partners else ()

    def is_local(self, facility: str) -> bool:
        """Whether the facility works through this gateway, so that nothing needs to be sent to it."""
        return facility == self.own_facility or any(h.facility_code == facility for h in self.hospitals.values())

    def title_of(self, facility: str) -> str:
        """The facility's name for people; its code where no name is known."""
        party = self.party_of(facility)
        return self.titles.get(party or "", facility)


def load(
    own: str, own_facility: str | None, hospitals: Path | None, partners: Path, trust: Path | None = None
) -> Directory:
    """Read the hospital files (the province's three without a folder) and partner files (ours, then the folder's).

    ``trust`` holds a folder of certificates (PEM) for each hospital whose signatures they vouch for. A hospital that
    works through a partner's gateway does not send here.
    """
    shipped = files("adapters.hospitals")
    defaults = _toml(shipped / "defaults.toml")["systems"]
    known = _hospitals(hospitals if hospitals is not None else shipped, defaults)
    gateways = _partners(partners)
    titles = {p.name: p.title for p in gateways.values()} | {h.name: h.title for h in known.values()}
    itself = gateways.pop(own, None)
    facility = own_facility or (itself.facilities[0] if itself and itself.facilities else "")
    away = {code for partner in gateways.values() for code in partner.facilities}
    here = {name: trusting(hospital, trust) for name, hospital in known.items() if hospital.facility_code not in away}
    doors = _doors(hospitals if hospitals is not None else shipped)
    return Directory(
        own, here, gateways, facility, titles, defaults, {name: doors[name] for name in here if name in doors}
    )


def _doors(folder: Traversable) -> dict[str, Doors]:
    start = folder if isinstance(folder, Path) else Path()
    tables = [(_toml(f), f.name) for f in _toml_files(folder) if f.name != "defaults.toml"]
    return {table["name"]: doors_of(table, name, start.resolve()) for table, name in tables}


def _hospitals(folder: Traversable, defaults: Mapping[str, str]) -> dict[str, Hospital]:
    found = [_hospital(_toml(f), defaults, (folder, f.name)) for f in _toml_files(folder) if f.name != "defaults.toml"]
    return {hospital.name: hospital for hospital in found}


def _toml_files(folder: Traversable) -> list[Traversable]:
    if not folder.is_dir():
        return []
    return sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)


def _toml(file: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as fault:
        raise Problem(f"{file.name}: {fault}", file.name) from fault


def _hospital(table: Mapping[str, Any], defaults: Mapping[str, str], place: tuple[Traversable, str]) -> Hospital:
    folder, file = place
    missing = [key for key in ("name", "title", "facility_code", "adapters") if key not in table]
    if missing:
        raise Problem(f"{file}: the hospital file lacks {', '.join(missing)}", file)
    return Hospital(
        name=table["name"],
        title=table["title"],
        facility_code=table["facility_code"],
        adapters=tuple(table["adapters"]),
        offset=table.get("offset", "+07:00"),
        systems={**defaults, **_own_systems(table["name"]), **table.get("systems", {})},
        codes=code_tables(table, folder, file),
        quirks=table.get("quirks", {}),
        outbound=_outbound(table.get("outbound", {}), file),
        tables=table.get("tables", {}),
        signing=signing_of(table, folder, file),
    )


def _outbound(table: Mapping[str, str], file: str) -> Mapping[str, str]:
    """``[outbound]``: where the hospital's own system reads what became of its cases, and in which encoding."""
    address = table.get("v2", "")
    if address and address != "fetch" and not address.startswith(("mllp://", "mllps://")):
        raise Problem(f'{file}: [outbound] v2 is "fetch", "mllp://host:port" or "mllps://host:port"', file)
    return table


def _own_systems(name: str) -> dict[str, str]:
    return {kind: f"urn:vn:quang-ninh:{name}:{kind}" for kind in ("mrn", "visit", "order", "document")}


def _partners(folder: Path) -> dict[str, Partner]:
    tables: dict[str, dict[str, Any]] = {}
    for place in (files("fhir_gateway.exchange") / "partners", folder):
        for file in _toml_files(place):
            table = _toml(file)
            if "name" not in table:
                raise Problem(f"{file.name}: the partner file lacks name", file.name)
            tables[table["name"]] = {**tables.get(table["name"], {}), **table}
    return {name: _partner(table, folder) for name, table in tables.items()}


def _partner(table: Mapping[str, Any], folder: Path) -> Partner:
    return Partner(
        name=table["name"],
        title=table.get("title", table["name"]),
        facilities=tuple(table.get("facilities", ())),
        url=table.get("url", "").rstrip("/"),
        jwks=(folder / table["jwks"]).read_text(encoding="utf-8") if "jwks" in table else "",
        ca=(folder / table["ca"]).read_bytes() if "ca" in table else b"",
    )

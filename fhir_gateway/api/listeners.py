"""The MLLP ports of this gateway: those of its settings and those the hospitals' files ask for."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fhir_gateway.api.certificates import Spoken, server_context
from fhir_gateway.api.mllp import Listener
from fhir_gateway.exchange.directory import Directory
from fhir_gateway.exchange.doors import Doors, MllpDoor
from fhir_gateway.exchange.reception import Reception
from fhir_gateway.problem import BadRequest
from fhir_gateway.security.caller import Caller

LOOPBACK = frozenset({"127.0.0.1", "::1", "[::1]", "localhost"})


@dataclass(frozen=True, slots=True)
class Port:
    """Where one hospital is listened to."""

    hospital: str
    host: str
    number: int
    door: MllpDoor


def ports(mllp: str | None, known: Directory, certificate: Path | None, client_ca: Path | None) -> list[Port]:
    """Every port; ``certificate`` and ``client_ca`` count where the hospital's file names none of its own."""
    asked = [mllp_address(text.strip(), known) for text in (mllp or "").split(",") if text.strip()]
    found = [_port(address, _own(known, address[0]), certificate, client_ca) for address in asked]
    for name, doors in known.doors.items():
        if doors.mllp is not None and name not in {port.hospital for port in found}:
            found.append(_port(mllp_address(f"{name}@{doors.mllp.listen}", known), doors.mllp, certificate, client_ca))
    return found


def _own(known: Directory, hospital: str) -> MllpDoor:
    return known.doors.get(hospital, Doors()).mllp or MllpDoor("")


def _port(address: tuple[str, str, int], own: MllpDoor, certificate: Path | None, client_ca: Path | None) -> Port:
    name, host, number = address
    door = MllpDoor(own.listen, own.certificate or certificate, own.client_ca or client_ca, own.clients)
    if host not in LOOPBACK and (door.certificate is None or door.client_ca is None):
        raise BadRequest(
            "MLLP beyond the loopback address needs TLS: a certificate, and the authority of the clients' certificates",
            "mllp",
        )
    return Port(name, host, number, door)


def mllp_address(text: str, known: Directory) -> tuple[str, str, int]:
    """``[hospital@]host:port``; without a hospital the first whose own format is HL7 v2."""
    name, at, address = text.rpartition("@")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise BadRequest("MLLP listens on [hospital@]host:port", "mllp")
    speakers = [hospital.name for hospital in known.hospitals.values() if hospital.adapters[:1] == ("hl7v2",)]
    if not at and not speakers:
        raise BadRequest("no hospital sends HL7 v2 first: name one, as hospital@host:port", "mllp")
    return known.hospital(name if at else speakers[0]).name, host, int(port)


@asynccontextmanager
async def opened(reception: Reception, wanted: Iterable[Port], wait_seconds: float) -> AsyncIterator[list[str]]:
    """Listen on every port while the context is open; gives each ``host:port``."""
    async with AsyncExitStack() as stack:
        addresses = []
        for port in wanted:
            caller, door = Caller(port.hospital, "hospital", port.hospital), port.door
            spoken = Spoken(door.clients or _usual_names(reception, port.hospital)) if door.client_ca else None
            listener = Listener(reception, caller, port.hospital, wait_seconds, spoken)
            tls = server_context(door.certificate, door.client_ca) if door.certificate else None
            stack.push_async_callback(listener.stop)
            addresses.append(f"{port.host}:{await listener.start(port.host, port.number, tls)}")
        yield addresses


def _usual_names(reception: Reception, hospital: str) -> tuple[str, ...]:
    return hospital, reception.house.directory.hospital(hospital).facility_code

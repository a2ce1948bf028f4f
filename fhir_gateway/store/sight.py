"""Whether a reader sees a record: as a stage of a search, and of a version that is at hand.

https://hl7.org/fhir/R4/security-labels.html#core

``readers`` confines by index; ``secret`` is a mark on the few records that it hides from those whom nothing else does.
"""

from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.search.extract import index
from fhir_gateway.security.sight import Outsider, Reader
from fhir_gateway.store.port import Version

AUDIT = "AuditEvent"


def confinement(reader: Reader, type_: str | None = None) -> dict[str, Any]:
    """What a stored document has to meet for the reader to see it; empty where nothing is hidden."""
    if reader is None or (type_ == AUDIT and isinstance(reader, Outsider)):
        return {}
    if isinstance(reader, str):
        return {"readers": reader}
    ways: list[dict[str, Any]] = [{"secret": {"$ne": True}}]
    if reader.organization is not None:
        ways.append({"readers": reader.organization} if reader.organization else {"owner": ""})
    if reader.patients:
        ways.append({"patients": {"$in": list(reader.patients)}})
    return {"$or": ways} if len(ways) > 1 else ways[0]


def sees(reader: Reader, version: Version) -> bool:
    """The same of one version."""
    if reader is None:
        return True
    if isinstance(reader, str):
        return reader in version.readers
    if not version.secret or reader.organization in version.readers or reader.organization == version.owner:
        return True
    return bool(reader.patients and version.body and _is_about(version, reader.patients))


def _is_about(version: Version, patients: tuple[str, ...]) -> bool:
    found = index(decode_resource(version.body)).get("patients", ())
    return any(patient in found for patient in patients)

"""A resource as a JSON value, and what the server alone writes into it.

https://hl7.org/fhir/R4/resource.html
"""

import re
from datetime import UTC, datetime
from typing import Any

Resource = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def instant(moment: datetime) -> str:
    """The moment in UTC with milliseconds: ``2026-11-23T10:00:00.123Z``. Raises ValueError without a zone."""
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamp(resource: Resource, identity: str, number: int, updated: datetime) -> Resource:
    """A copy with id, version and time of writing set; the rest of ``meta`` stays as it came."""
    meta = {name: item for name, item in resource.get("meta", {}).items() if name not in _STAMPED}
    stamped = {"versionId": str(number), "lastUpdated": instant(updated), **meta}
    rest = {name: item for name, item in resource.items() if name not in ("resourceType", "id", "meta")}
    return {"resourceType": resource["resourceType"], "id": identity, "meta": stamped, **rest}


_STAMPED = ("versionId", "lastUpdated", "_versionId", "_lastUpdated")


def reference(resource: Resource) -> str:
    """``Type/id`` of a resource that has an id."""
    return f"{resource['resourceType']}/{resource['id']}"

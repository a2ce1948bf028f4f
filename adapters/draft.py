"""A transaction Bundle while it is being written: ids that a re-send meets again, links by ``urn:uuid``.

https://hl7.org/fhir/R4/http.html#transaction
"""

from hashlib import sha1
from typing import Any
from uuid import UUID

from adapters.contract import Resource

NAMESPACE = UUID("6f0d3f2e-6d9e-5c53-9a53-8b9d0f0c2a11")
_SEED = NAMESPACE.bytes


def resource_id(hospital: str, resource_type: str, key: str) -> str:
    """The id of what a hospital calls ``key``: the same today and on every re-send."""
    # What uuid5 answers, without building a UUID object: an episode asks for a hundred ids.
    digest = bytearray(sha1(_SEED + f"{hospital}|{resource_type}|{key}".encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def pruned(value: Any) -> Any:
    """The value without None, empty strings, lists and objects, which FHIR forbids at any depth; 0 and false stay."""
    if isinstance(value, dict):
        return _object(value)
    return _array(value) if isinstance(value, list) else value


def _object(value: Resource) -> Resource:
    # Asking for the exact type first halves the price: two thirds of all values are texts.
    kept = {}
    for name, item in value.items():
        kind = type(item)
        if kind is str:
            if item:
                kept[name] = item
        elif item is not None:
            inner = _object(item) if kind is dict else _array(item) if kind is list else item
            if inner or inner == 0:
                kept[name] = inner
    return kept


def _array(value: list[Any]) -> list[Any]:
    kept = []
    for item in value:
        kind = type(item)
        inner = _object(item) if kind is dict else _array(item) if kind is list else item
        if inner or inner == 0:
            kept.append(inner)
    return kept


def _holds_empty(value: Any) -> bool:
    """Whether pruning would change the value: cheaper than pruning, and most resources are clean."""
    for item in value.values() if type(value) is dict else value:
        kind = type(item)
        if kind is str:
            if not item:
                return True
        elif kind is dict or kind is list:
            if not item or _holds_empty(item):
                return True
        elif item is None:
            return True
    return False


class Draft:
    """Collects resources by (type, local key); each becomes one ``PUT Type/id`` entry of the transaction."""

    def __init__(self, hospital: str) -> None:
        self._hospital = hospital
        self._resources: dict[str, Resource] = {}
        self._ids: dict[tuple[str, str], str] = {}

    def id(self, resource_type: str, key: str) -> str:
        known = self._ids.get((resource_type, key))
        if known is None:
            known = self._ids[resource_type, key] = resource_id(self._hospital, resource_type, key)
        return known

    def reference(self, resource_type: str, key: str, display: str | None = None) -> Resource:
        """A link to a resource of this Bundle, added already or later."""
        link = {"reference": f"urn:uuid:{self.id(resource_type, key)}"}
        return {**link, "display": display} if display else link

    def add(self, resource_type: str, key: str, elements: Resource) -> Resource:
        """Add a resource or complete one added before (elements given now win). Returns the live resource."""
        resource = self.live(resource_type, key)
        resource.update(_object(elements))
        return resource

    def live(self, resource_type: str, key: str) -> Resource:
        """The resource as it stands, opened where nothing was added yet."""
        identity = self.id(resource_type, key)
        resource = self._resources.get(identity)
        if resource is None:
            resource = self._resources[identity] = {"resourceType": resource_type, "id": identity}
        return resource

    def has(self, resource_type: str, key: str) -> bool:
        return self.id(resource_type, key) in self._resources

    def bundle(self) -> Resource:
        """The transaction Bundle, entries in the order they were first added."""
        entries = [
            {
                "fullUrl": f"urn:uuid:{resource['id']}",
                "resource": pruned(resource) if _holds_empty(resource) else resource,
                "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
            }
            for resource in self._resources.values()
        ]
        bundle: Resource = {"resourceType": "Bundle", "type": "transaction"}
        return {**bundle, "entry": entries} if entries else bundle

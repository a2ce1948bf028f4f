"""A transaction Bundle while it is being written: ids that a re-send meets again, links by ``urn:uuid``.

https://hl7.org/fhir/R4/http.html#transaction
"""

from functools import lru_cache
from hashlib import sha1
from typing import Any
from uuid import UUID

from adapters.contract import Resource

NAMESPACE = UUID("6f0d3f2e-6d9e-5c53-9a53-8b9d0f0c2a11")
_SEED = NAMESPACE.bytes
# The digit of a UUID that also names its variant: the upper two of its four bits are 10.
_VARIANT = {digit: f"{int(digit, 16) & 3 | 8:x}" for digit in "0123456789abcdef"}
_OPENED = ("resourceType", "id")


# The hospital itself, its staff and its places return in most messages: an answer from memory costs a tenth.
@lru_cache(maxsize=2048)
def resource_id(hospital: str, resource_type: str, key: str) -> str:
    """The id of what a hospital calls ``key``: the same today and on every re-send."""
    # What uuid5 answers, without building a UUID object, from where the hospital's name ends: 1.8 µs for 4.2.
    digest = _begun(hospital).copy()
    digest.update(f"{resource_type}|{key}".encode())
    text = digest.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


@lru_cache(maxsize=64)
def _begun(hospital: str) -> Any:
    return sha1(_SEED + f"{hospital}|".encode(), usedforsecurity=False)


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


def _holds_empty(value: Resource) -> bool:
    """Whether pruning would change the value: cheaper than pruning, and most resources are clean."""
    for item in value.values():
        kind = type(item)
        if kind is str:
            if not item:
                return True
        elif kind is dict:
            if not item or _holds_empty(item):
                return True
        elif kind is list and item:
            # Walked here: most lists hold one object, and a call for the list as well would cost a third more.
            for one in item:
                if _holds_empty(one) if type(one) is dict and one else _is_empty(one):
                    return True
        elif item is None or kind is list:
            return True
    return False


def _is_empty(item: Any) -> bool:
    """The same of a member of a list that is no object, or an empty one: text, number, list."""
    return (not item and item != 0) or (type(item) is list and _holds_empty({"": item}))


class Draft:
    """Collects resources by (type, local key); each becomes one ``PUT Type/id`` entry of the transaction."""

    def __init__(self, hospital: str) -> None:
        self._hospital = hospital
        self._resources: dict[str, Resource] = {}
        self._ids: dict[tuple[str, str], str] = {}
        self._clean: set[str] = set()
        #: What was said twice, not with the same words (``Type/id``): an element of it gave way to another.
        self.rewritten: set[str] = set()

    def id(self, resource_type: str, key: str) -> str:
        known = self._ids.get((resource_type, key))
        if known is None:
            known = self._ids[resource_type, key] = resource_id(self._hospital, resource_type, key)
        return known

    def reference(self, resource_type: str, key: str, display: str | None = None) -> Resource:
        """A link to a resource of this Bundle, added already or later."""
        link = {"reference": f"urn:uuid:{self.id(resource_type, key)}"}
        return {**link, "display": display} if display else link

    def add(self, resource_type: str, key: str, elements: Resource, *, clean: bool = False) -> Resource:
        """Add a resource or complete one added before (elements given now win). Returns the live resource.

        ``clean`` as for ``put``: nobody writes anything empty in it later.
        """
        return self._said(resource_type, key, _object(elements), clean)

    def put(self, resource_type: str, key: str, elements: Resource, *, clean: bool = False) -> Resource:
        """As ``add`` of what was built for this resource alone and holds nothing empty below its first level.

        It is not copied, which saves a sixth of the time of a long episode. The Bundle looks it through in any case,
        but not what is ``clean`` to the end, whoever writes in it, and was said once and not given out by ``live``.
        """
        said = {name: item for name, item in elements.items() if item or item == 0}
        return self._said(resource_type, key, said, clean)

    def _said(self, resource_type: str, key: str, said: Resource, clean: bool) -> Resource:
        identity = self.id(resource_type, key)
        if identity in self._resources:
            return self._complete(resource_type, key, said)
        # Most are said once: nothing to compare with.
        if clean:
            self._clean.add(identity)
        resource = self._resources[identity] = {"resourceType": resource_type, "id": identity, **said}
        return resource

    def _complete(self, resource_type: str, key: str, said: Resource) -> Resource:
        resource = self.live(resource_type, key)
        if len(resource) > len(_OPENED) and any(resource.get(name, part) != part for name, part in said.items()):
            self.rewritten.add(f"{resource_type}/{resource['id']}")
        resource.update(said)
        return resource

    def live(self, resource_type: str, key: str) -> Resource:
        """The resource as it stands, opened where nothing was added yet."""
        identity = self.id(resource_type, key)
        resource = self._resources.get(identity)
        if resource is None:
            resource = self._resources[identity] = {"resourceType": resource_type, "id": identity}
        self._clean.discard(identity)
        return resource

    def has(self, resource_type: str, key: str) -> bool:
        return self._ids.get((resource_type, key)) in self._resources

    def bundle(self) -> Resource:
        """The transaction Bundle, entries in the order they were first added."""
        clean = self._clean
        entries = [
            {
                "fullUrl": f"urn:uuid:{identity}",
                "resource": pruned(resource) if identity not in clean and _holds_empty(resource) else resource,
                "request": {"method": "PUT", "url": f"{resource['resourceType']}/{identity}"},
            }
            for identity, resource in self._resources.items()
        ]
        bundle: Resource = {"resourceType": "Bundle", "type": "transaction"}
        return {**bundle, "entry": entries} if entries else bundle

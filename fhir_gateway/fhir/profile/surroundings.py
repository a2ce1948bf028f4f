"""What lies around an element: the resources in the whole that is checked, and where links inside it lead.

https://hl7.org/fhir/R4/bundle.html#references, https://hl7.org/fhir/R4/references.html#contained
"""

from collections.abc import Iterator
from typing import Any

from fhir_gateway.fhir.reference import parse
from fhir_gateway.fhir.resource import Resource

_MEMBERS = ("contained", "entry", "parameter", "part")


class Surroundings:
    """The whole, with each resource in it by its path."""

    def __init__(self, whole: Resource, path: str = "") -> None:
        self._at = dict(_resources(path or str(whole.get("resourceType")), whole))

    def resolve(self, path: str, reference: Any) -> tuple[str, Resource] | None:
        """Where a link that stands at ``path`` leads inside the whole; None when it leads out of it or nowhere."""
        if not isinstance(reference, str) or not reference:
            return None
        own = self._owner(path)
        if reference.startswith("#"):
            return self._contained(own, reference[1:])
        bundle = next((one for one in self._above(own) if self._at[one].get("resourceType") == "Bundle"), None)
        return self._entry(bundle, own, reference) if bundle else None

    def anywhere(self, reference: Any) -> Resource | None:
        """What a link leads to whose own place is not known: by its address, or by the type and id it ends with."""
        if not isinstance(reference, str) or not reference:
            return None
        if reference.startswith("#"):
            contained = ((path, one) for path, one in self._at.items() if _is_contained(path))
            return next((one for _, one in contained if one.get("id") == reference[1:]), None)
        for bundle in [one for one in self._at.values() if one.get("resourceType") == "Bundle"]:
            for entry in _listed(bundle.get("entry")):
                address = str(entry.get("fullUrl", ""))
                if (address == reference or address.endswith(f"/{reference}")) and "resource" in entry:
                    return dict(entry["resource"])
        return None

    def _owner(self, path: str) -> str:
        return next((one for one in _prefixes(path) if one in self._at), path)

    def _above(self, path: str) -> Iterator[str]:
        return (one for one in _prefixes(path) if one in self._at)

    def _contained(self, own: str, identity: str) -> tuple[str, Resource] | None:
        holder = next((one for one in self._above(own) if not _is_contained(one)), own)
        if not identity:
            return holder, self._at[holder]
        for path, resource in self._at.items():
            if path.startswith(f"{holder}.contained[") and resource.get("id") == identity:
                return path, resource
        return None

    def _entry(self, bundle: str, own: str, reference: str) -> tuple[str, Resource] | None:
        wanted, version = self._absolute(bundle, own, reference), parse(reference).version
        for place, entry in enumerate(_listed(self._at[bundle].get("entry"))):
            path = f"{bundle}.entry[{place}].resource"
            if not wanted or entry.get("fullUrl") != wanted or path not in self._at:
                continue
            if not version or _version(self._at[path]) in ("", version):
                return path, self._at[path]
        return None

    def _absolute(self, bundle: str, own: str, reference: str) -> str:
        """The address, on the server that the fullUrl of its own entry names; empty when that names none."""
        target = parse(reference)
        if target.form != "relative":
            return reference.partition("/_history/")[0] if target.form == "absolute" else reference
        place = own.removeprefix(f"{bundle}.entry[").partition("]")[0]
        entries = _listed(self._at[bundle].get("entry"))
        address = entries[int(place)].get("fullUrl") if place.isdecimal() and int(place) < len(entries) else ""
        home = parse(str(address or ""))
        return f"{home.base}/{target.reference}" if home.form == "absolute" and home.id else ""


def _resources(path: str, element: Any) -> Iterator[tuple[str, Resource]]:
    if "resourceType" in element:
        yield path, element
    for name in _MEMBERS:
        for place, one in enumerate(_listed(element.get(name))):
            yield from _resources(f"{path}.{name}[{place}]", one)
    if isinstance(element.get("resource"), dict):
        yield from _resources(f"{path}.resource", element["resource"])


def _version(resource: Resource) -> str:
    """The version that a resource says it is of; empty when it says none."""
    meta = resource.get("meta")
    return str(meta.get("versionId", "")) if isinstance(meta, dict) else ""


def _is_contained(path: str) -> bool:
    return path.rpartition(".")[2].startswith("contained[")


def _listed(value: Any) -> list[dict[str, Any]]:
    return [one if isinstance(one, dict) else {} for one in value] if isinstance(value, list) else []


def _prefixes(path: str) -> Iterator[str]:
    """The path and all that it lies in, the nearest first."""
    while path:
        yield path
        path = path.rpartition(".")[0]

"""Walks through Bundles that several tests take."""

from collections.abc import Iterator

from adapters.contract import Resource, Translation


def containers(element: object) -> Iterator[object]:
    """Every object and list of it, with itself."""
    if isinstance(element, dict | list):
        yield element
        for part in element.values() if isinstance(element, dict) else element:
            yield from containers(part)


def links(element: object) -> Iterator[str]:
    """Every reference that has to lead to a ``fullUrl`` of the same Bundle."""
    for one in containers(element):
        if isinstance(one, dict) and str(one.get("reference", "")).startswith("urn:uuid:"):
            yield one["reference"]


def made(translation: Translation, kind: str) -> list[Resource]:
    """The resources of one type, in their order."""
    return [entry["resource"] for entry in translation.bundle["entry"] if entry["resource"]["resourceType"] == kind]

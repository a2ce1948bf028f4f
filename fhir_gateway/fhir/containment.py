"""Contained resources: no nesting, no life of their own, and each of them used.

https://hl7.org/fhir/R4/references.html#contained
"""

import re
from collections import ChainMap
from collections.abc import Iterator, MutableMapping
from typing import Any

from fhir_gateway.fhir.reference import links
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Issue

Scope = MutableMapping[str, str]

_SOURCE = re.compile(r"""\s(?:src|href)\s*=\s*["']#([^"']+)["']""")


def scope(resource: Resource, outer: Scope) -> Scope:
    """What links inside a resource can point to without a server, by type: ``#id`` and a Bundle's fullUrls."""
    if "contained" not in resource and resource["resourceType"] != "Bundle":
        return outer
    own = {f"#{item.get('id')}": str(item["resourceType"]) for item in _contained(resource)}
    if resource["resourceType"] == "Bundle":
        own |= dict(_entries(resource))
    return ChainMap(own, outer) if own and outer else own or outer


def _entries(bundle: Resource) -> Iterator[tuple[str, str]]:
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else []:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and isinstance(entry.get("fullUrl"), str):
            yield entry["fullUrl"], str(resource.get("resourceType"))


def faults(path: str, resource: Resource) -> Iterator[Issue]:
    """What a resource that contains others does against the rules of containment."""
    used = {link.target[1:] for link in links(resource) if link.target.startswith("#")} | set(_shown(resource))
    for position, item in enumerate(_contained(resource)):
        where = f"{path}.contained[{position}]"
        if "contained" in item:
            yield Issue("a contained resource contains none itself (dom-2)", f"{where}.contained", "invariant")
        if str(item.get("id")) not in used and not _points_out(item):
            yield Issue("a contained resource must be referred to (dom-3)", where, "invariant")
        yield from _meta_faults(where, item)


def _shown(value: Any) -> Iterator[str]:
    """What narratives show: ``<img src="#picture">``."""
    if isinstance(value, dict):
        if isinstance(div := value.get("div"), str):
            yield from _SOURCE.findall(div)
        for item in value.values():
            yield from _shown(item)
    elif isinstance(value, list):
        for item in value:
            yield from _shown(item)


def _meta_faults(where: str, item: Resource) -> Iterator[Issue]:
    meta = item.get("meta")
    present = meta if isinstance(meta, dict) else {}
    for name, key in (("versionId", "dom-4"), ("lastUpdated", "dom-4"), ("security", "dom-5")):
        if name in present:
            text = f"a contained resource has no {name} ({key})"
            yield Issue(text, f"{where}.meta.{name}", "invariant")


def _points_out(item: Resource) -> bool:
    return any(link.target == "#" for link in links(item))


def _contained(resource: Resource) -> list[Resource]:
    contained = resource.get("contained")
    items = contained if isinstance(contained, list) else []
    return [item for item in items if isinstance(item, dict) and isinstance(item.get("resourceType"), str)]

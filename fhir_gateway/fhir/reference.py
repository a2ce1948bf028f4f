"""Links between resources: found, read, and pointed elsewhere.

https://hl7.org/fhir/R4/references.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import is_
from typing import Any, Literal

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.elements import children, is_primitive, kind_of, members
from fhir_gateway.fhir.resource import Resource, is_id

Form = Literal["relative", "absolute", "urn", "contained", "conditional", "unknown"]

_LINKING = frozenset({"uri", "url", "canonical", "oid", "uuid"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):[^\s\\]+\Z")
_NARRATIVE_LINK = re.compile(r"""(\s(?:href|src)\s*=\s*)(["'])(.*?)\2""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Link:
    """``path`` names the element that holds the link; ``kind`` is Reference or the uri datatype."""

    path: str
    kind: str
    target: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a link's text says; ``id`` is what follows ``#`` or ``urn:uuid:``, ``base`` an absolute link's server."""

    form: Form
    type: str = ""
    id: str = ""
    version: str = ""
    query: str = ""
    base: str = ""

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"


@lru_cache(maxsize=8192)
def parse(text: str) -> Target:
    """The parts of a link; form ``unknown`` when it is none that FHIR describes."""
    if text.startswith("#"):
        return Target("contained", id=text[1:])
    if text.startswith("urn:"):
        return Target("urn", id=text.split(":", 2)[-1])
    head, mark, query = text.partition("?")
    if mark and head in resource_types():
        return Target("conditional", type=head, query=query)
    return _literal(text)


def _literal(text: str) -> Target:
    path, _, version = text.partition("#")[0].partition("/_history/")
    base, _, rest = ("/" + path).rpartition("/")[0].rpartition("/")
    kind, identity = rest, path.rpartition("/")[2]
    is_absolute = "://" in text or _is_of_scheme(text)
    if kind in resource_types() and is_id(identity):
        return Target("absolute" if is_absolute else "relative", kind, identity, version, base=base[1:])
    return Target("absolute" if is_absolute else "unknown")


def _is_of_scheme(text: str) -> bool:
    """Whether it begins with the scheme of an address, as ``resource:0`` does; ``Patient:0`` is a slip of the pen."""
    match = _SCHEME.match(text)
    return match is not None and match[1] not in resource_types()


def links(resource: Resource) -> Iterator[Link]:
    """Every Reference and uri-typed element, contained resources included, entries of a Bundle not."""
    kind = resource["resourceType"]
    yield from _links(kind, kind, resource)


def references(resource: Resource) -> Iterator[Link]:
    """The links that are Reference.reference."""
    return (link for link in links(resource) if link.kind == "Reference")


def _links(path: str, kind: str, element: Any) -> Iterator[Link]:
    if kind in _LINKING:
        if isinstance(element, str):
            yield Link(path, kind, element)
        return
    if not isinstance(element, dict) or kind == "Bundle":
        return
    if kind == "Reference" and isinstance(target := element.get("reference"), str):
        yield Link(path, kind, target)
    for below, child, value in children(kind, element):
        if isinstance(value, dict) or child in _LINKING:
            yield from _links(f"{path}.{below}", child, value)


def rewrite(resource: Resource, mapping: Mapping[str, str]) -> Resource:
    """The resource with links found in ``mapping`` pointing to its values: references, uris, narrative links.

    Strings of other datatypes (``Identifier.value``) stay, and so does a Bundle, which is a scope of its own. What has
    no such link is not copied.
    """
    if not mapping:
        return resource
    return _rewritten(resource["resourceType"], resource, mapping)  # type: ignore[no-any-return]


def _rewritten(kind: str, value: Any, mapping: Mapping[str, str]) -> Any:
    """The same object where nothing in it changes."""
    if type(value) is dict:
        return _rewritten_element(kind_of(kind, value), value, mapping)
    if type(value) is list:
        items = [_rewritten(kind, item, mapping) for item in value]
        return value if all(map(is_, items, value)) else items
    if type(value) is not str:
        return value
    if kind in _LINKING:
        return _pointed(value, mapping)
    return _narrative(value, mapping) if kind == "xhtml" else value


def _rewritten_element(kind: str, element: Resource, mapping: Mapping[str, str]) -> Resource:
    if kind == "Bundle":
        return element
    leading = _leading(kind)
    changed: Resource = {}
    for name, item in element.items():
        if name in leading and (pointed := _rewritten(leading[name], item, mapping)) is not item:
            changed[name] = pointed
    if kind == "Reference" and isinstance(target := element.get("reference"), str):
        changed["reference"] = _pointed(target, mapping)
    return {**element, **changed} if changed else element


@cache
def _leading(kind: str) -> Mapping[str, str]:
    """The members that may hold a link: the linking datatypes, narrative, and every object."""
    found = members(kind).items()
    return {name: child for name, child in found if not is_primitive(child) or child in _LINKING or child == "xhtml"}


def at_home(resource: Resource, base: str) -> Resource:
    """The resource with references to records of the server at ``base`` as ``Type/id``; not so in a Bundle inside it.

    https://hl7.org/fhir/R4/search.html#reference: a search by the one finds what was written as the other.
    """
    return {name: _at_home(item, f"{base}/") for name, item in resource.items()}


def _at_home(value: Any, base: str) -> Any:
    if type(value) is list:
        return [_at_home(item, base) for item in value]
    if type(value) is not dict or value.get("resourceType") == "Bundle":
        return value
    nearer = {name: _at_home(item, base) for name, item in value.items()}
    target = value.get("reference")
    if type(target) is str and target.startswith(base) and parse(rest := target.removeprefix(base)).form == "relative":
        nearer["reference"] = rest
    return nearer


def _pointed(target: str, mapping: Mapping[str, str]) -> str:
    found = mapping.get(target)
    if found is not None or "#" not in target:
        return found or target
    head, _, fragment = target.partition("#")
    return f"{mapping[head]}#{fragment}" if head in mapping else target


def _narrative(div: str, mapping: Mapping[str, str]) -> str:
    return _NARRATIVE_LINK.sub(lambda found: f"{found[1]}{found[2]}{_pointed(found[3], mapping)}{found[2]}", div)

"""From a ValueSet resource to a Selection: what it names is fetched, checked and put together.

https://hl7.org/fhir/R4/valueset.html#compositions

A selection is kept with the stamps of all that it was made of, and used again while all of them are the newest.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import NotFound, Unprocessable
from fhir_gateway.terminology import filters
from fhir_gateway.terminology.library import Edition, Library, Stamp, builtin_value_set
from fhir_gateway.terminology.selection import NotHeld, Part, Selection, of_codings
from fhir_gateway.terminology.supplements import editions, named_by, supplemented
from fhir_gateway.terminology.system import Concept, System

DEPTH_LIMIT = 20

Element = dict[str, Any]
Used = dict[tuple[str, str, str], Stamp | None]


async def value_set(
    library: Library, canonical: str, version: str | None = None, supplements: tuple[str, ...] = ()
) -> Selection:
    """The value set of that address, with what supplements say of its codes. Raises NotFound for an unknown one."""
    key = ("selection", canonical, version, supplements)
    kept = library.remembered(key)
    if kept is not None and await _is_current(library, kept[1]):
        return kept[0]  # type: ignore[no-any-return]
    composing = _Composing(library, list(supplements))
    selection = await composing.named(canonical, version)
    library.keep(key, (selection, composing.used))
    return selection


async def of_resource(library: Library, resource: Resource, supplements: tuple[str, ...] = ()) -> Selection:
    """The value set of a resource that is at hand, stored or not."""
    return await _Composing(library, list(supplements)).read(resource, ())


async def _is_current(library: Library, used: Used) -> bool:
    asked = (library.find(type_, canonical, version or None) for type_, canonical, version in used)
    editions = await asyncio.gather(*asked)
    return [edition.stamp if edition else None for edition in editions] == list(used.values())


@dataclass(slots=True)
class _Composing:
    """One selection on its way; ``used`` are the definitions it is made of, None where none was stored."""

    library: Library
    supplements: list[str]
    used: Used = field(default_factory=dict)

    async def named(self, canonical: str, version: str | None = None, above: tuple[str, ...] = ()) -> Selection:
        if canonical in above or len(above) > DEPTH_LIMIT:
            raise Unprocessable("the value set contains itself", "ValueSet.compose.include.valueSet")
        edition = await self._edition("ValueSet", canonical, version)
        resource = edition.resource if edition else _unstored(canonical, version)
        if resource is None:
            raise NotFound("no value set of this address is known", "url")
        return await self.read(resource, (*above, canonical))

    async def read(self, resource: Resource, above: tuple[str, ...]) -> Selection:
        facts = (resource.get("url", ""), resource.get("version", ""))
        self.supplements += named_by(resource)
        compose = resource.get("compose")
        if compose is None:
            return Selection(*facts, of_codings(resource.get("expansion", {}).get("contains", ())))
        includes = [await self._part(item, above) for item in compose.get("include", ())]
        excludes = [await self._part(item, above) for item in compose.get("exclude", ())]
        return Selection(*facts, tuple(includes), tuple(excludes), compose.get("inactive", True))

    async def _edition(self, type_: str, canonical: str, version: str | None) -> Edition | None:
        edition = await self.library.find(type_, canonical, version)
        self.used[type_, canonical, version or ""] = edition.stamp if edition else None
        return edition

    async def _part(self, item: Element, above: tuple[str, ...]) -> Part:
        url, version = item.get("system", ""), item.get("version")
        imports = tuple([await self.named(one, None, above) for one in item.get("valueSet", ())])
        if not url and not imports:
            raise Unprocessable("an include names neither a system nor a value set (vsd-1)", "ValueSet.compose.include")
        source = await self._source(url, version) if url else None
        listed = _enumerated(source, item["concept"]) if "concept" in item else None
        branches = listed is None and not imports and all(filters.keeps_branches(one) for one in item.get("filter", ()))
        return Part(url, source, listed, _tests(source, item), imports, version or "", branches)

    async def _source(self, url: str, version: str | None) -> System | None:
        await self._edition("CodeSystem", url, version)
        source = await self.library.system(url, version)
        if source is None or not self.supplements:
            return source
        found = await editions(self.library, self.supplements)
        for canonical, edition in zip(self.supplements, found, strict=True):
            self.used["CodeSystem", canonical, ""] = edition.stamp
        return supplemented(source, found)


def _tests(source: System | None, item: Element) -> tuple[filters.Test, ...]:
    wanted = item.get("filter", ())
    if wanted and source is None:
        raise NotHeld(item.get("system", ""))
    return tuple(filters.test(source, one) for one in wanted) if source else ()


def _enumerated(source: System | None, items: list[Element]) -> dict[str, Concept]:
    """The codes that are listed one by one, but for those that a wholly known system does not have."""
    known = source if source is not None and source.complete else None
    return {one["code"]: _listed(one) for one in items if known is None or known.get(one["code"]) is not None}


def _listed(item: Element) -> Concept:
    return Concept(item["code"], item.get("display", ""), designations=tuple(item.get("designation", ())))


def _unstored(canonical: str, version: str | None) -> Resource | None:
    """FHIR's own value sets, and those that a code system implies: ``SYSTEM?fhir_vs``, ``SYSTEM?fhir_vs=isa/CODE``."""
    url = canonical.partition("|")[0]
    system, mark, what = url.partition("?fhir_vs")
    if not mark:
        return builtin_value_set(url) if version in (None, "4.0.1") else None
    include: Element = {"system": system}
    if what.startswith("=isa/"):
        include["filter"] = [{"property": "concept", "op": "is-a", "value": unquote(what.removeprefix("=isa/"))}]
    elif what:
        return None
    return {"resourceType": "ValueSet", "url": url, "status": "active", "compose": {"include": [include]}}

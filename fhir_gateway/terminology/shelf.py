"""What a check by profiles must look up, fetched before it begins: the profiles they build on, their value sets.

https://hl7.org/fhir/R4/profiling.html#binding
"""

from collections.abc import Callable, Sequence

from fhir_gateway.fhir.profile.check import Shelf
from fhir_gateway.fhir.profile.tree import is_core, needed
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import NotFound, Unprocessable
from fhir_gateway.terminology import compose
from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.selection import NotHeld, Selection

PROFILE_LIMIT = 60
VALUE_SET_LIMIT = 300

Holds = Callable[[str | None, str], bool | None]


async def shelf(library: Library, canonicals: Sequence[str]) -> Shelf:
    """All that these profiles need, as far as it is held here."""
    profiles = await _profiles(library, canonicals)
    wanted = dict.fromkeys(url for one in profiles.values() for type_, url in needed(one) if type_ == "ValueSet")
    return Shelf(profiles, await codes_of(library, list(wanted)))


async def codes_of(library: Library, canonicals: Sequence[str]) -> dict[str, Holds]:
    """Which codes value sets have, of those that are held here."""
    value_sets: dict[str, Holds] = {}
    for url in canonicals[:VALUE_SET_LIMIT]:
        holds = await _holds(library, url)
        if holds is not None:
            value_sets[url] = holds
    return value_sets


async def _profiles(library: Library, canonicals: Sequence[str]) -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    waiting = list(dict.fromkeys(canonicals))
    seen = set(waiting)
    while waiting and len(found) < PROFILE_LIMIT:
        url = waiting.pop(0)
        edition = None if is_core(url) else await library.find("StructureDefinition", url)
        if edition is None:
            continue
        found[url] = edition.resource
        further = [one for type_, one in needed(edition.resource) if type_ == "StructureDefinition" and one not in seen]
        seen.update(further)
        waiting += dict.fromkeys(further)
    return found


async def _holds(library: Library, url: str) -> Holds | None:
    try:
        return _asking(await compose.value_set(library, url))
    except (NotFound, Unprocessable):
        return None


def _asking(selection: Selection) -> Holds:
    def holds(system: str | None, code: str) -> bool | None:
        try:
            return selection.find(system, code) is not None
        except NotHeld:
            return None

    return holds

"""ValueSet/$expand: the codes of a value set, or those of them whose words begin as asked.

https://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import uuid4

from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.fhir.resource import Resource, instant
from fhir_gateway.problem import TooCostly
from fhir_gateway.search.folding import fold
from fhir_gateway.terminology.nesting import nested
from fhir_gateway.terminology.selection import Member, Selection

UNPAGED_LIMIT = 10_000
SCAN_LIMIT = 200_000

KNOWN = frozenset(
    {"url", "valueSet", "valueSetVersion", "filter", "date", "offset", "count", "includeDesignations", "activeOnly",
     "includeDefinition", "excludeNested", "displayLanguage", "excludeNotForUI", "designation",
     "context", "contextDirection", "useSupplement", "exclude-system"}
)  # fmt: skip
LATER = frozenset(
    {"excludePostCoordinated", "system-version",
     "check-system-version", "force-system-version", "profile"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much of the value set is wanted, and in which words."""

    filter: str = ""
    offset: int = 0
    count: int | None = None
    active: bool = False
    selectable: bool = False
    designations: bool = False
    language: str = ""
    without: tuple[str, ...] = ()
    flat: bool | None = None

    @property
    def nested(self) -> bool:
        """Whether codes may stand inside each other: of a page or of words that were looked for they are a list."""
        return not (self.flat or self.filter or self.offset or self.count is not None)


def wanted(arguments: Arguments) -> Wanted:
    return Wanted(
        fold(arguments.text("filter") or ""),
        arguments.number("offset") or 0,
        arguments.number("count"),
        arguments.flag("activeOnly"),
        arguments.flag("excludeNotForUI"),
        arguments.flag("includeDesignations"),
        arguments.text("displayLanguage") or "",
        tuple(arguments.texts("exclude-system")),
        arguments.flag("excludeNested") if arguments.all("excludeNested") else None,
    )


def expanded(resource: Resource, selection: Selection, asked: Wanted, now: datetime) -> Resource:
    """The value set with its expansion. Raises TooCostly when it is too large and no page is asked for."""
    found = list(islice((one for one in selection.members() if _fits(one, asked)), SCAN_LIMIT + 1))
    if len(found) > (UNPAGED_LIMIT if asked.count is None else SCAN_LIMIT):
        raise TooCostly(f"the value set has more than {UNPAGED_LIMIT} codes; ask for a page with count", "count")
    stop = None if asked.count is None else asked.offset + asked.count
    page = found[asked.offset : stop]
    items = [_contained(one, asked) for one in page]
    if asked.nested:
        items = nested(page, items, {url: source for url, source in selection.trees().items() if source})
    kept = ("resourceType", "id", "url", "version", "name", "title", "status", "experimental")
    return {
        **{name: resource[name] for name in kept if name in resource},
        "expansion": {
            "identifier": f"urn:uuid:{uuid4()}",
            "timestamp": instant(now),
            "total": len(found),
            "offset": asked.offset,
            **_parameters(asked, found),
            **_contains(items),
        },
    }


def _contains(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"contains": items} if items else {}


def _parameters(asked: Wanted, found: Sequence[Member]) -> dict[str, Any]:
    """What the expansion was asked for, so that a reader can tell a part from the whole."""
    said: list[dict[str, Any]] = []
    if asked.filter:
        said.append({"name": "filter", "valueString": asked.filter})
    if asked.count is not None:
        said.append({"name": "count", "valueInteger": asked.count})
    said += [] if asked.flat is None else [{"name": "excludeNested", "valueBoolean": asked.flat}]
    said += [{"name": "activeOnly", "valueBoolean": True}] if asked.active else []
    said += [{"name": "displayLanguage", "valueCode": asked.language}] if asked.language else []
    said += [{"name": "exclude-system", "valueUri": system} for system in asked.without]
    editions = dict.fromkeys(f"{one.system}|{one.version}" for one in found if one.system and one.version)
    said += [{"name": "version", "valueUri": edition} for edition in editions]
    return {"parameter": said} if said else {}


def _fits(member: Member, asked: Wanted) -> bool:
    if asked.active and member.concept.inactive:
        return False
    if asked.selectable and member.concept.abstract:
        return False
    if asked.without and not {member.system, f"{member.system}|{member.version}"}.isdisjoint(asked.without):
        return False
    return not asked.filter or _says(member, asked.filter)


def _says(member: Member, text: str) -> bool:
    """Each word asked for begins a word of one of the concept's names; or the code begins with it all."""
    if member.concept.code.casefold().startswith(text):
        return True
    parts = [f" {part}" for part in text.split()]
    return any(all(part in _folded(name) for part in parts) for name in (member.display, *member.concept.words))


@lru_cache(maxsize=100_000)
def _folded(name: str) -> str:
    """A space before each word. Folding all names of ICD-10 anew took 0.2 s for each letter that somebody typed."""
    return f" {fold(name)}"


def _contained(member: Member, asked: Wanted) -> dict[str, Any]:
    concept = member.concept
    item: dict[str, Any] = {"system": member.system} if member.system else {}
    if concept.abstract:
        item["abstract"] = True
    if concept.inactive:
        item["inactive"] = True
    if member.version:
        item["version"] = member.version
    item["code"] = concept.code
    if display := in_language(member, asked.language):
        item["display"] = display
    if asked.designations and concept.designations:
        item["designation"] = list(concept.designations)
    return item


def in_language(member: Member, language: str) -> str:
    """The display in the language asked for, where there is a designation of it."""
    wanted_language = language.partition("-")[0].casefold()
    for item in member.concept.designations if language else ():
        if str(item.get("language", "")).partition("-")[0].casefold() == wanted_language:
            return str(item["value"])
    return member.display

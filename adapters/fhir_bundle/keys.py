"""What a hospital calls its records: the local key behind each id, and what the links of a message stand for.

https://hl7.org/fhir/R4/bundle.html#references
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from json import dumps
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from adapters.contract import Hospital, Resource
from adapters.draft import resource_id
from adapters.fhir_bundle.parse import Entry, Pointer

_OWN = {
    "Patient": ("mrn", "MR"),
    "Encounter": ("visit", "VN"),
    "Practitioner": ("practitioner", ""),
}
_RELATIVE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]+)?")
# A hospital that sends everything under its source ids may keep its links to what came earlier.
SOURCE_IDS = "source"


def source_system(hospital: Hospital, kind: str) -> str:
    """The system of the ids that the hospital's own FHIR server gave."""
    return f"urn:vn:quang-ninh:{hospital.name}:fhir:{kind}"


@dataclass(slots=True)
class Names:
    """Which id a link of this message means."""

    hospital: Hospital
    ids: dict[str, tuple[str, str]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    here: set[tuple[str, str]] = field(default_factory=set)

    @property
    def by_source(self) -> bool:
        """Whether ids are made of source ids alone (``fhir_ids = "source"`` among the hospital's quirks)."""
        return self.hospital.quirks.get("fhir_ids") == SOURCE_IDS

    def enter(self, entry: Entry) -> None:
        """Know a resource by its fullUrl, its source id and its identifiers."""
        kind = entry.resource.get("resourceType")
        if not isinstance(kind, str):
            return
        key = self.key(entry.resource)
        record = (kind, resource_id(self.hospital.name, kind, key))
        self.here.add(record)
        self._know(entry.url, kind, key)
        self._know(f"{kind}/{entry.resource.get('id', '')}", kind, key)
        for row in _rows(entry.resource):
            self._know(f"{kind}?identifier={row.get('system', '')}|{row.get('value', '')}", kind, key)

    def point(self, pointer: Pointer) -> None:
        kind, _, key = pointer.self.partition("/")
        self._know(pointer.url, kind, unquote(key))

    def _know(self, name: str, kind: str, key: str) -> None:
        if name and not name.endswith("/"):
            identity = resource_id(self.hospital.name, kind, key)
            self.ids.setdefault(name, (kind, identity))
            self.keys[f"{kind}/{identity}"] = key

    def key(self, resource: Resource) -> str:
        """The hospital's own number where the type has one, else the source id, a business identifier, the content."""
        kind = resource["resourceType"]
        numbers = [] if self.by_source else self._numbers(kind, resource)
        if numbers:
            return numbers[0]
        if isinstance(resource.get("id"), str):
            return f"fhir:{resource['id']}"
        for row in _rows(resource):
            if row.get("value"):
                return f"{row.get('system', '')}|{row['value']}"
        return sha256(dumps(resource, sort_keys=True, default=str).encode()).hexdigest()[:32]

    def _numbers(self, kind: str, resource: Resource) -> list[str]:
        sort, code = _OWN.get(kind, ("", ""))
        if kind == "Organization":
            codes = [str(row.get("value")) for row in _rows(resource)]
            own = self.hospital.facility_code
            return [f"facility:{own}"] if own in codes else []
        rows = _rows(resource) if sort else []
        named = [row for row in rows if row.get("system") == self.hospital.systems[sort]]
        typed = [row for row in rows if code and code in _codes(row)]
        return [str(row["value"]) for row in (*named, *typed) if row.get("value")]

    def meant(self, link: str) -> tuple[str, str] | None:
        """Type and id of what a link means within this message; None when it leads out of it."""
        found = self.ids.get(link)
        if found:
            return found
        relative = _RELATIVE.fullmatch(link)
        if relative:
            known = self.ids.get(f"{relative[1]}/{relative[2]}")
            # An absolute link is ours only when the entry it means says so by its fullUrl.
            if known and (":" not in link or link.split("/_history/", maxsplit=1)[0] in self.ids):
                return known
            if self.by_source and ":" not in link:
                return relative[1], resource_id(self.hospital.name, relative[1], f"fhir:{relative[2]}")
        return None

    def logical(self, link: str) -> Resource:
        """A link that leads out of the message as an identifier."""
        relative = _RELATIVE.fullmatch(link) if ":" not in link else None
        if relative:
            return {"system": source_system(self.hospital, relative[1]), "value": relative[2]}
        kind, mark, query = link.partition("?")
        asked = parse_qs(query) if mark and kind.isalpha() else {}
        if set(asked) == {"identifier"}:
            system, bar, value = asked["identifier"][0].rpartition("|")
            return {"system": system, "value": value} if bar and system else {"value": value}
        return {"system": "urn:ietf:rfc:3986", "value": link}

    def pointer(self, link: str) -> str:
        """What a fullUrl stands for, as ``Type/key``, to be told to a piece that stands alone."""
        kind, identity = self.ids[link]
        return f"{kind}/{quote(self.keys[f'{kind}/{identity}'], safe='')}"


def kind_of(link: str) -> str:
    """The type a link names, where it does."""
    relative = _RELATIVE.fullmatch(link)
    return relative[1] if relative else ""


def _rows(resource: Resource) -> list[dict[str, Any]]:
    found = resource.get("identifier", [])
    return [row for row in (found if isinstance(found, list) else [found]) if isinstance(row, dict)]


def _codes(row: Resource) -> Iterable[str]:
    kind = row.get("type")
    codings = kind.get("coding", []) if isinstance(kind, dict) else []
    return [str(coding.get("code")) for coding in codings if isinstance(coding, dict)]

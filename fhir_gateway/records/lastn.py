"""Observation/$lastn: of each thing observed the newest few.

https://hl7.org/fhir/R4/observation-operation-lastn.html
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, TooCostly
from fhir_gateway.records.cost import must_be_affordable
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import Pairs
from fhir_gateway.records.journal import Touched, Visit, patients, record
from fhir_gateway.records.settle import settle
from fhir_gateway.search import cursor
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import Query, parse
from fhir_gateway.security.access import may
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import Version

INTERACTION = "$lastn"
SCAN_LIMIT = 10_000
CHUNK = 1000
OF_A_PATIENT = frozenset({"patient", "subject"})
REFUSED = frozenset({"_sort", "_include", "_revinclude", "_cursor", "_total", "_count", "_summary", "_elements"})

Code = tuple[str, str]


@dataclass(slots=True)
class _Group:
    """Observations of one thing: their codes overlap."""

    codes: set[Code] = field(default_factory=set)
    versions: list[Version] = field(default_factory=list)


async def lastn(desk: Desk, visit: Visit, pairs: Pairs, maximum: int) -> list[Version]:
    """The newest ``maximum`` of each code among a patient's Observations; entered in error is none of them."""
    access = may(visit.caller, "search-type", "Observation")
    if not any(name.partition(":")[0].partition(".")[0] in OF_A_PATIENT for name, _ in pairs):
        raise BadRequest("'patient' or 'subject' is required", "patient")
    for name, _ in pairs:
        if name in REFUSED:
            raise BadRequest(f"'{name}' has no meaning here", name)
    query = await settle(desk, visit, parse("Observation", [*pairs, ("_sort", "-date")]))
    await must_be_affordable(desk, query, access.reader)
    groups: list[_Group] = []
    async for version in _newest_first(desk, replace(query, size=CHUNK), access.reader):
        _sort_in(groups, version, maximum)
    found = [version for group in groups for version in group.versions]
    about = Touched(patients(found)[:5], "&".join(f"{name}={value}" for name, value in pairs))
    await record(desk, visit, INTERACTION, about)
    return found


async def _newest_first(desk: Desk, query: Query, reader: Reader) -> AsyncIterator[Version]:
    seen = 0
    while True:
        versions = await desk.store.find(query, reader)
        for version in versions:
            yield version
        seen += len(versions)
        if len(versions) < query.size:
            return
        if seen >= SCAN_LIMIT:
            raise TooCostly(f"there are more than {SCAN_LIMIT} observations; narrow it by code, category or date")
        last = versions[-1]
        query = replace(query, after=cursor.position(query, last.reference, last.updated, index(_read(last))))


def _read(version: Version) -> Resource:
    return decode_resource(version.body)


def _sort_in(groups: list[_Group], version: Version, maximum: int) -> None:
    observation = _read(version)
    if observation.get("status") == "entered-in-error":
        return
    codes = _codes(observation)
    same = [group for group in groups if not group.codes.isdisjoint(codes)]
    group = same[0] if same else _Group()
    if not same:
        groups.append(group)
    group.codes |= codes
    if len(group.versions) < maximum:
        group.versions.append(version)


def _codes(observation: Resource) -> set[Code]:
    """What is observed: its codings, or where there is none its text."""
    code = observation.get("code", {})
    found = {(item.get("system", ""), item["code"]) for item in code.get("coding", ()) if "code" in item}
    return found or {("", code.get("text", ""))}

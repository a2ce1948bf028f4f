"""Patient/$summary: the International Patient Summary of one human, from every hospital that the caller may see.

https://hl7.org/fhir/uv/ips/STU1.1/OperationDefinition-summary.html
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from fhir_gateway.fhir import ips
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.ips import SECTIONS, Section
from fhir_gateway.fhir.reference import references
from fhir_gateway.fhir.resource import Resource, instant, reference
from fhir_gateway.problem import Forbidden, NotFound, PreconditionFailed
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.document import bundle
from fhir_gateway.records.everything import INTERACTION as EVERYTHING
from fhir_gateway.records.everything import sees, supporting, visible
from fhir_gateway.records.journal import Touched, Visit, record
from fhir_gateway.search.criteria import Compartment
from fhir_gateway.search.query import parse
from fhir_gateway.security.access import may
from fhir_gateway.store.port import Version

INTERACTION = "$summary"
SECTION_LIMIT = 200

_UNSAID = frozenset({"entered-in-error"})


@dataclass(slots=True)
class _Summary:
    """A summary while it grows: its sections, and the records they cite."""

    desk: Desk
    visit: Visit
    patients: tuple[Version, ...]
    sections: list[dict[str, Any]] = field(default_factory=list)
    cited: dict[str, Version] = field(default_factory=dict)
    made: list[Resource] = field(default_factory=list)


async def summary(desk: Desk, visit: Visit, identity: str) -> Resource:
    """The summary of ``Patient/identity`` and of all records that are certainly of the same human."""
    focal = await visible(desk, visit, f"Patient/{identity}", EVERYTHING)
    others = await same_person(desk, visit, focal)
    draft = _Summary(desk, visit, (focal, *others))
    for each in SECTIONS:
        await _fill(draft, each)
    contents = await _contents(draft)
    await record(desk, visit, INTERACTION, Touched(tuple(one.reference for one in draft.patients)))
    made = bundle(desk, contents, str(uuid4()))
    return {"resourceType": "Bundle", "id": made["id"], "meta": {"profile": [ips.PROFILE]}, **made}


async def identified(desk: Desk, visit: Visit, identifier: str) -> str:
    """The id of the patient with that identifier; several are fine when they are one human."""
    access = may(visit.caller, EVERYTHING, "Patient")
    query = replace(parse("Patient", [("identifier", identifier)]), size=50)
    found = await desk.store.find(query, access.reader)
    if not found:
        raise NotFound("no patient has this identifier", "identifier")
    alike = {one.reference for one in await same_person(desk, visit, found[0])} | {found[0].reference}
    if any(version.reference not in alike for version in found):
        raise PreconditionFailed("the identifier belongs to several patients who are not known to be one", "identifier")
    return found[0].id


async def same_person(desk: Desk, visit: Visit, patient: Version) -> list[Version]:
    """The other records of the same human, linked with certainty, as far as the caller may see them."""
    query = replace(parse("Person", [("link", patient.reference)]), size=50)
    try:
        reader = may(visit.caller, "search-type", "Person").reader
    except Forbidden:
        return []
    persons = [decode_resource(version.body) for version in await desk.store.find(query, reader)]
    known = [row for person in persons for row in _certain(person)]
    if patient.reference not in known:
        return []
    wanted = [name for name in dict.fromkeys(known) if name != patient.reference]
    there = await desk.store.currents(wanted) if wanted else {}
    return [there[name] for name in wanted if name in there and sees(visit, there[name])]


def _certain(person: Resource) -> list[str]:
    rows = [row for row in person.get("link", ()) if row.get("assurance") in ("level3", "level4")]
    targets = [str(row.get("target", {}).get("reference", "")) for row in rows]
    return [target for target in targets if target.startswith("Patient/")]


async def _fill(draft: _Summary, each: Section) -> None:
    """A section with its records, newest first; a required one that has none says so."""
    found = [version for type_, pairs in each.sources for version in await _records(draft, type_, pairs)]
    versions = [(version, decode_resource(version.body)) for version in found]
    valid = [(version, one) for version, one in versions if not _is_wrong(one)]
    shown = valid[:SECTION_LIMIT]
    if shown:
        draft.cited |= {version.reference: version for version, _ in shown}
        draft.sections.append(ips.section(each, [one for _, one in shown], len(valid) - len(shown)))
    elif each.absent:
        nothing = ips.unknown(each, str(uuid4()), draft.patients[0].reference)
        draft.made.append(nothing)
        draft.sections.append(ips.section(each, [nothing]))


async def _records(draft: _Summary, type_: str, pairs: ips.Pairs) -> list[Version]:
    access = may(draft.visit.caller, EVERYTHING, type_)
    query = parse(type_, [*pairs, ("_sort", "-_lastUpdated")])
    own = Compartment(tuple(version.id for version in draft.patients))
    asked = replace(query, criteria=(own, *query.criteria), size=5 * SECTION_LIMIT)
    return await draft.desk.store.find(asked, access.reader)


def _is_wrong(resource: Resource) -> bool:
    verification = resource.get("verificationStatus", {}).get("coding", ())
    return resource.get("status") in _UNSAID or any(one.get("code") in _UNSAID for one in verification)


async def _contents(draft: _Summary) -> list[Resource]:
    """Composition, author, patients, what is cited, and what that refers to."""
    desk = draft.desk
    author: Resource = {"resourceType": "Device", "id": str(uuid4())}
    author["deviceName"] = [{"name": desk.name, "type": "user-friendly-name"}]
    facts = (draft.patients[0].reference, reference(author), instant(desk.now()))
    first = ips.composition(str(uuid4()), *facts, draft.sections)
    around: Sequence[Version] = (*_cited_patients(draft), *draft.cited.values())
    further = await supporting(desk, draft.visit, around)
    stored = {version.reference: version for version in (*around, *further)}
    return [first, author, *draft.made, *(decode_resource(version.body) for version in stored.values())]


def _cited_patients(draft: _Summary) -> list[Version]:
    """The patient asked about, and those of the same human whom something cited names: a document holds no others."""
    named = {link.target for version in draft.cited.values() for link in references(decode_resource(version.body))}
    return [one for place, one in enumerate(draft.patients) if not place or one.reference in named]

"""What a hospital filed under a visit, an account or a number follows it to another patient: HL7 v2 A43, A44, A45.

http://www.hl7.eu/refactored/msgADT_A43.html - "all subordinate data sets are moved along"

Each record that goes gets one more version, which names the message; its history stays. What was sent out in a case or
signed stays as it was sent. A move the other way round brings back what the first one took, and of a patient's number
that alone: somebody else may have gone on under the other number before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.contract import Account, Fate, Move, Translation
from fhir_gateway.exchange.inbox import Receipt
from fhir_gateway.exchange.parts import RECEIPT, part_id
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.reference import references
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.store.port import Note, Store, Version

SHELF = "moves"
# What is nobody's record, is the person, or was said of the past.
STAYS = frozenset({"Patient", "Person", "Task", "Bundle", "Provenance", "AuditEvent"})
# What a person keeps, whichever visit names it.
LASTING = frozenset({"Coverage", "RelatedPerson", "Encounter", "EpisodeOfCare", "Account"})
_TIES = frozenset({"encounter", "context", "partOf", "account"})
SENT = "a referral of the former patient was sent: it and its text stay as they are; cancel it and refer again"
SHARED_OUT = "it belongs to several visits, not all of which were moved: it stays with the former patient"
FOLLOWED = "{} records follow to the patient that the message names; their history stays"


@dataclass(slots=True)
class Moving:
    """The records that go with a message as they become, by ``Type/id``, the versions they follow, and what to tell."""

    records: dict[str, Resource] = field(default_factory=dict)
    current: dict[str, Version] = field(default_factory=dict)
    targets: dict[str, list[str]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    notices: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Way:
    """One move from one patient, and what that patient's compartment holds of the hospital."""

    move: Move
    whence: str
    held: Mapping[str, tuple[Resource, Version]]


async def moving(
    store: Store, receipt: Receipt, moves: Sequence[Move], known: Mapping[str, Resource], current: Mapping[str, Version]
) -> Moving:
    """What the moves of a message take along; ``known`` is what the message itself says, upon ``current``."""
    found = Moving()
    for move in moves:
        for whence in _whences(move, current):
            held = await _held(store, receipt.hospital, whence, known)
            way = _Way(move, whence, {ref: one for ref, one in held.items() if ref not in found.records})
            gone = await (_gone_with(store, way, found) if move.under else _gone_whole(store, receipt, way, found))
            await _take(store, way, gone, found)
    return found


def _whences(move: Move, current: Mapping[str, Version]) -> list[str]:
    """From whom: whom the message names, and whoever has the visit in the records."""
    theirs = [_subject(current[ref]) for ref in move.under if ref in current and not current[ref].deleted]
    return [ref for ref in dict.fromkeys([move.whence, *theirs]) if ref and ref != move.to]


def _subject(version: Version) -> str:
    subject = decode_resource(version.body).get("subject", {})
    # An Account has several.
    first = subject[0] if isinstance(subject, list) and subject else subject
    return str(first.get("reference", "")) if isinstance(first, dict) else ""


async def _held(
    store: Store, hospital: str, whence: str, known: Mapping[str, Resource]
) -> dict[str, tuple[Resource, Version]]:
    """What the hospital itself has in the patient's compartment; what the message says it says itself."""
    return {
        version.reference: (decode_resource(version.body), version)
        async for version in store.of_patient(whence.partition("/")[2], hospital)
        if version.owner == hospital and version.type not in STAYS and version.reference not in known
    }


async def _gone_with(store: Store, way: _Way, found: Moving) -> list[str]:
    """What belongs to the visits and accounts of the move."""
    gone = _belonging(way.held, _seeds(way))
    seeds = {*way.move.under, *gone}
    for ref, (resource, _) in way.held.items():
        if ref not in gone and not seeds.isdisjoint(_visits(resource)):
            found.notices.append({"where": ref, "text": SHARED_OUT})
    return gone


def _seeds(way: _Way) -> set[str]:
    """The visits and accounts themselves, the visits on those accounts, and the visits that are parts of them."""
    named = {*way.move.accounts}
    seeds = {*way.move.under}
    for ref, (resource, _) in way.held.items():
        if resource["resourceType"] == "Encounter" and named & _account_numbers(resource):
            seeds.add(ref)
    return seeds


def _account_numbers(visit: Resource) -> set[str]:
    return {str(row.get("identifier", {}).get("value")) for row in visit.get("account", ())}


def _belonging(held: Mapping[str, tuple[Resource, Version]], seeds: set[str]) -> list[str]:
    """The seeds, what names no visit but theirs, and what names none and is named by such records alone."""
    gone = [ref for ref in held if ref in seeds]
    grown = True
    while grown:
        around = {*seeds, *gone}
        fresh = [
            ref
            for ref, (resource, _) in held.items()
            if ref not in around and (ties := _visits(resource)) and around.issuperset(ties)
        ]
        gone, grown = gone + fresh, bool(fresh)
    return gone + _cited_by(held, gone)


def _cited_by(held: Mapping[str, tuple[Resource, Version]], gone: Sequence[str]) -> list[str]:
    """A specimen goes with its results, unless some of them stay."""
    cited = {ref: {link.target for link in references(resource)} for ref, (resource, _) in held.items()}
    found: list[str] = []
    while True:
        going = {*gone, *found}
        stays = {target for ref, targets in cited.items() if ref not in going for target in targets - {ref}}
        goes = {target for ref in going for target in cited[ref]} - stays
        fresh = [ref for ref in held if ref in goes and ref not in going and _is_loose(held[ref][0])]
        if not fresh:
            return found
        found += fresh


def _is_loose(resource: Resource) -> bool:
    return resource["resourceType"] not in LASTING and not _visits(resource)


def _visits(resource: Resource) -> set[str]:
    """The visits and accounts that a record says it belongs to."""
    ties = {link.target: link.path.rpartition(".")[2].partition("[")[0] for link in references(resource)}
    kinds = ("Encounter/", "Account/")
    return {target for target, name in ties.items() if name in _TIES and target.startswith(kinds)}


async def _gone_whole(store: Store, receipt: Receipt, way: _Way, found: Moving) -> list[str]:
    """All there is of the patient; where this takes a former move back, what that one took."""
    move = way.move
    ahead, back = f"{receipt.hospital}/{way.whence}>{move.to}", f"{receipt.hospital}/{move.to}>{way.whence}"
    taken = await store.note(SHELF, back)
    if taken is not None and taken["records"]:
        found.notes.append(Note(SHELF, back, {"records": []}, expected={"records": list(taken["records"])}))
        await _give_back(store, way, found)
        return _belonging(way.held, {*taken["records"]})
    before = await store.note(SHELF, ahead)
    gone = list(way.held)
    known = list(before["records"]) if before is not None else []
    expected = {"records": known} if before is not None else None
    found.notes.append(Note(SHELF, ahead, {"records": list(dict.fromkeys([*known, *gone]))}, expected=expected))
    return gone


async def _give_back(store: Store, way: _Way, found: Moving) -> None:
    """The number that the former move took along is no old one of that patient any longer."""
    both = await store.currents([way.whence, way.move.to])
    if len(both) < 2 or any(version.deleted for version in both.values()):
        return
    theirs, ours = (decode_resource(both[ref].body) for ref in (way.whence, way.move.to))
    given = _without(theirs, ours)
    if given is not theirs:
        found.records[way.whence], found.current[way.whence] = given, both[way.whence]
        own = next((n for n, row in enumerate(given["identifier"]) if row.get("use") != "old"), 0)
        found.targets.setdefault(way.move.place, []).append(f"{way.whence}#identifier[{own}].value")


def _without(patient: Resource, other: Mapping[str, Any]) -> Resource:
    """The patient without the old numbers that are another's own."""
    own = [(r.get("system"), r.get("value")) for r in other.get("identifier", ()) if r.get("use") != "old"]
    rows = patient.get("identifier", ())
    kept = [r for r in rows if r.get("use") != "old" or (r.get("system"), r.get("value")) not in own]
    return {**patient, "identifier": kept} if kept and len(kept) < len(rows) else patient


async def _take(store: Store, way: _Way, gone: Iterable[str], found: Moving) -> None:
    """Lead those records to the other patient."""
    sent = await _sent(store, {ref: way.held[ref][0] for ref in gone})
    found.notices += [{"where": ref, "text": SENT} for ref in sent if ref.startswith("ServiceRequest/")]
    going = [ref for ref in gone if ref not in sent]
    for ref in going:
        resource, version = way.held[ref]
        found.records[ref], found.current[ref] = _led(resource, way.whence, way.move.to), version
        paths = (link.path.partition(".")[2] for link in references(resource) if link.target == way.whence)
        found.targets.setdefault(way.move.place, []).extend(f"{ref}#{path}" for path in paths)
    if going:
        found.notices.append({"where": way.move.place, "text": FOLLOWED.format(len(going))})


async def _sent(store: Store, gone: Mapping[str, Resource]) -> set[str]:
    """The referrals that have a case, and the texts that were written for them."""
    tasks = {
        f"Task/{part_id('task', resource['id'])}": ref
        for ref, resource in gone.items()
        if resource["resourceType"] == "ServiceRequest"
    }
    requests = {tasks[task] for task in await store.currents(list(tasks))} if tasks else set()
    written = {ref for ref, resource in gone.items() if requests & _details(resource)}
    return requests | written


def _details(resource: Resource) -> set[str]:
    if resource["resourceType"] != "Composition":
        return set()
    return {detail.get("reference", "") for event in resource.get("event", ()) for detail in event.get("detail", ())}


def _led(value: Any, whence: str, to: str) -> Any:
    """The same with its links to one patient led to another; the name beside a link was the former one's."""
    if isinstance(value, list):
        return [_led(item, whence, to) for item in value]
    if not isinstance(value, dict) or value.get("resourceType") == "Bundle":
        return value
    if value.get("reference") == whence:
        kept = {name: item for name, item in value.items() if name not in ("display", "identifier")}
        return {**kept, "reference": to}
    return {name: _led(item, whence, to) for name, item in value.items()}


def sourced(found: Moving, receipt: Receipt) -> dict[str, Resource]:
    """The records as they are to be written: their new version is this message's."""
    source = f"{RECEIPT}:{receipt.key}"
    return {ref: {**one, "meta": {**one.get("meta", {}), "source": source}} for ref, one in found.records.items()}


def told(said: Translation, found: Moving) -> Translation:
    """The translation with a ledger that says which records each move led where."""
    return replace(said, ledger=tuple(_line(account, found.targets) for account in said.ledger))


def _line(account: Account, targets: Mapping[str, Sequence[str]]) -> Account:
    fresh = [target for target in targets.get(account.place, ()) if target not in account.targets]
    if not fresh:
        return account
    return replace(account, fate=Fate.MAPPED, targets=(*account.targets, *fresh), reason="")


def carried(receipt: Receipt, known: Mapping[str, Resource], rows: Iterable[Mapping[str, Any]]) -> Moving:
    """What the message took along when it was filed, as its ledger of that day has it."""
    took = {ref for ref in receipt.resources if ref not in known}
    found = Moving()
    for row in rows:
        targets = [target for target in row["targets"] if target.partition("#")[0] in took]
        if targets:
            found.targets[str(row["place"])] = targets
    return found


def refs(found: Moving) -> list[str]:
    """The records it leads to, each once."""
    led = (target.partition("#")[0] for targets in found.targets.values() for target in targets)
    return list(dict.fromkeys(led))

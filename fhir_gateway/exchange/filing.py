"""From a translated message to one commit: resources folded into what is known, people linked, cases opened.

https://hl7.org/fhir/R4/provenance.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.contract import Hospital
from fhir_gateway.exchange import attestation, cases, division, inbox, moving, parts, provenances, replacement
from fhir_gateway.exchange.completion import completed, says_more
from fhir_gateway.exchange.dossier import Dossier, Resolve, assemble, author_of
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Receipt, State
from fhir_gateway.exchange.translation import Translated, followed
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.reference import references
from fhir_gateway.fhir.resource import Resource, reference
from fhir_gateway.identity.link import Linking, link
from fhir_gateway.problem import Issue
from fhir_gateway.records.revision import revision
from fhir_gateway.records.turns import alongside, in_turns
from fhir_gateway.security import secrecy
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import Change, Commit, Job, Note, Store
from fhir_gateway.store.sight import sees

FIELDS = 4
"""Of a ledger, that cost as much to write down as a resource."""
ALREADY_SENT = {
    "where": "ServiceRequest",
    "text": "this referral was opened before: what changed is stored here and not sent; cancel it and refer again",
}
KEPT_HOME = {
    "where": "ServiceRequest",
    "text": "the original file holds secret records that are no part of the referral: it is not sent along",
}


@dataclass(frozen=True, slots=True)
class Filed:
    """What one message asks to be committed, and its receipt afterwards."""

    commit: Commit
    receipt: Receipt


async def changes_for(
    store: Store, resources: Iterable[Resource], readers: tuple[str, ...], now: datetime
) -> tuple[Change, ...]:
    """The next version of each resource, under its own id."""
    wanted = {reference(resource): resource for resource in resources}
    current = await store.currents(list(wanted))
    return tuple(revision(wanted[ref], ref, current.get(ref), now, readers) for ref in wanted)


async def cited(store: Store, resources: Mapping[str, Resource], reader: Reader) -> dict[str, Resource]:
    """What those resources refer to and ``reader`` (None: anyone) may see, followed until nothing new appears."""
    known, frontier = dict(resources), list(resources.values())
    while frontier:
        wanted = {link.target for resource in frontier for link in references(resource)} - known.keys()
        found = await store.currents(sorted(ref for ref in wanted if "/" in ref and ":" not in ref))
        seen = (v for v in found.values() if not v.deleted and sees(reader, v))
        frontier = [decode_resource(version.body) for version in seen]
        known |= {reference(resource): resource for resource in frontier}
    return {ref: resource for ref, resource in known.items() if ref not in resources}


async def file(house: House, receipt: Receipt, translated: Translated, body: bytes) -> Filed:
    """Everything a good message brings about. The caller commits it, and files anew on a Conflict."""
    hospital = house.directory.hospital(receipt.hospital)
    now = house.clock()
    said = translated.translation
    assert said is not None
    known, current = await completed(house.store, hospital, said.bundle, receipt.key)
    translated = followed(translated, known)
    linking = await link(house.store, house.systems, _patients(known))
    mapped = replace(receipt, mapping=translated.mapping, signature=_signature(translated))
    gone = await moving.moving(house.store, receipt, said.moves, known, current)
    translated, led = _led(translated, gone), moving.sourced(gone, receipt)
    named = [*known, *led, *_person_references(linking)]
    told = provenances.of_message(mapped, house.name, _facility(hospital), named)
    source = attestation.on_provenance(told[0], translated.verdict, _facility(hospital), receipt.received)
    told = (source, told[1])
    opened, notices = await _openings(house, hospital, known, (receipt, body))
    fresh = [*(r for r in known.values() if says_more(r, current.get(reference(r)))), *led.values(), *told]
    owner, current = (hospital.name,), {**current, **gone.current}
    changes = [revision(r, reference(r), current.get(reference(r)), now, owner) async for r in in_turns(fresh)]
    changes += [revision(p, reference(p), version, now, (hospital.name,)) for p, version in linking.persons]
    apart, kept_back = await division.set_apart(house.store, receipt, translated.apart, now)
    withdrawn = await replacement.replaced(house.store, receipt, said.units, known, now)
    kept_back = [*kept_back, *withdrawn.notices, *gone.notices]
    stored = _stored(mapped, translated, [*known, *led, *map(reference, told)], [*notices, *kept_back], now)
    changes += await changes_for(house.store, _new_in_cases(opened, known), (hospital.name,), now)
    noted = await alongside(len(said.ledger) // FIELDS, _receipt_notes, receipt, stored, translated)
    return Filed(
        Commit(
            changes=(*changes, *withdrawn.changes),
            claims=linking.claims,
            grants=tuple(grant for effect in opened for grant in effect.grants),
            notes=(
                *noted,
                *apart,
                *withdrawn.notes,
                *gone.notes,
                *_delivery_notes(opened),
            ),
            jobs=_jobs(opened),
            settled=(f"{inbox.TRANSLATE}/{receipt.key}",),
        ),
        stored,
    )


def _led(translated: Translated, gone: moving.Moving) -> Translated:
    """With a ledger that names what the message took along to another patient."""
    said = translated.translation
    return replace(translated, translation=moving.told(said, gone)) if said and gone.targets else translated


def divided(receipt: Receipt, translated: Translated, now: datetime, order: int = 0) -> Filed:
    """A message of many lives on as its pieces, each a message of its own in its place; ``order`` as in its job."""
    return Filed(*division.divided(receipt, translated.adapter, translated.pieces, now, order))


def quarantined(receipt: Receipt, translated: Translated | None, faults: Iterable[Issue], now: datetime) -> Filed:
    """The message is kept with its place and reason; nothing of it enters the records."""
    problems = tuple({"where": f.where or "message", "text": f.text, "code": f.code} for f in faults)
    counted = translated.counts if translated and translated.translation else {}
    held = replace(
        receipt,
        state=State.QUARANTINED,
        settled=now.isoformat(timespec="milliseconds"),
        adapter=translated.adapter if translated else "",
        mapping=translated.mapping if translated else "",
        signature=_signature(translated) if translated else {},
        ledger=counted,
        problems=problems,
    )
    notes = _receipt_notes(receipt, held, translated if counted else None)
    return Filed(Commit(notes=notes, settled=(f"{inbox.TRANSLATE}/{receipt.key}",)), held)


def _signature(translated: Translated) -> dict[str, str]:
    return translated.verdict.content() if translated.verdict else {}


def _patients(known: Mapping[str, Resource]) -> dict[str, Resource]:
    return {ref: resource for ref, resource in known.items() if resource["resourceType"] == "Patient"}


def _person_references(linking: Linking) -> list[str]:
    return [reference(person) for person, _ in linking.persons]


def _facility(hospital: Hospital) -> Resource:
    return parts.facility(hospital.facility_code, hospital.title)


async def _openings(
    house: House, hospital: Hospital, known: Mapping[str, Resource], message: tuple[Receipt, bytes]
) -> tuple[list[cases.Effect], list[dict[str, str]]]:
    """A case for each referral in the message that has none yet."""
    requests = [r for r in known.values() if r["resourceType"] == "ServiceRequest" and cases.is_referral(r)]
    opened, notices = [], []
    for request in requests:
        task = f"Task/{parts.part_id('task', request['id'])}"
        written = _composition_of(request, known)
        if await house.store.current(task) is not None:
            notices.append(ALREADY_SENT)
            continue
        if written is None:
            continue
        receiver = parts.facility_code(next(iter(request.get("performer", ())), None))
        if house.directory.party_of(receiver) is None:
            notices.append(
                {"where": "ServiceRequest.performer", "text": "no gateway is known for the receiving facility"}
            )
        # A resource completed from the store cites what earlier messages brought: diagnoses, a merged patient.
        within = {**known, **await cited(house.store, known, hospital.name)}
        opened.append(_opened(house, hospital, (request, written, receiver), within, message))
        if all(resource["resourceType"] != "DocumentReference" for resource in opened[-1].resources):
            notices.append(KEPT_HOME)
    return opened, notices


def _opened(
    house: House,
    hospital: Hospital,
    case: tuple[Resource, Resource, str],
    known: Mapping[str, Resource],
    message: tuple[Receipt, bytes],
) -> cases.Effect:
    request, written, receiver = case
    receipt, body = message
    resolve: Resolve = known.get
    author = author_of(written, resolve, hospital.facility_code)
    dossier = assemble(house, request["id"], written, author, resolve)
    secret = _keeps_secrets(receipt, dossier, known)
    originals = () if secret else parts.original(body, receipt.media_type, receipt.key, request["subject"])
    return cases.open_case(house, request, (hospital.facility_code, receiver), dossier, originals)


def _keeps_secrets(receipt: Receipt, dossier: Dossier, known: Mapping[str, Resource]) -> bool:
    """Whether the message holds more that is secret than its referral tells, such as an HIV table beside it."""
    told = {reference(resource) for resource in dossier.contents}
    own = f"{parts.RECEIPT}:{receipt.key}"
    return any(
        secrecy.is_restricted(resource) and resource.get("meta", {}).get("source") == own
        for ref, resource in known.items()
        if ref not in told
    )


def _composition_of(request: Resource, known: Mapping[str, Resource]) -> Resource | None:
    """The Composition whose event is this request."""
    wanted = {"reference": reference(request)}
    for resource in known.values():
        if resource["resourceType"] == "Composition":
            details = [d for event in resource.get("event", ()) for d in event.get("detail", ())]
            if any(detail.get("reference") == wanted["reference"] for detail in details):
                return resource
    return None


def _new_in_cases(opened: Iterable[cases.Effect], known: Mapping[str, Resource]) -> list[Resource]:
    return [r for effect in opened for r in effect.resources if reference(r) not in known]


def _delivery_notes(opened: Iterable[cases.Effect]) -> tuple[Note, ...]:
    return tuple(note for effect in opened for delivery in effect.deliveries for note in delivery.notes)


def _jobs(opened: Iterable[cases.Effect]) -> tuple[Job, ...]:
    return tuple(delivery.job for effect in opened for delivery in effect.deliveries)


def _stored(
    receipt: Receipt, translated: Translated, made: list[str], notices: list[dict[str, str]], now: datetime
) -> Receipt:
    assert translated.translation is not None
    own = [{"where": n.where, "text": n.text} for n in translated.translation.notices]
    return replace(
        receipt,
        state=State.STORED,
        settled=now.isoformat(timespec="milliseconds"),
        adapter=translated.adapter,
        resources=tuple(made),
        ledger=translated.counts,
        notices=(*own, *notices),
    )


def _receipt_notes(before: Receipt, after: Receipt, translated: Translated | None) -> tuple[Note, ...]:
    settled = Note(inbox.SHELF, after.key, after.content(), expected={"state": str(State.RECEIVED)}, entire=True)
    return (settled, inbox.ledger_note(before, translated.accounts, translated.mapping)) if translated else (settled,)

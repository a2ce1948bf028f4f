"""A stored message mapped again under the mapping in force: what would be different, and the commit that makes it so.

Nothing is sent anywhere by it: a referral that only the new mapping finds is told, not opened.
"""

import asyncio
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from adapters.contract import Hospital, Message, Translation
from fhir_gateway.exchange import attestation, cases, inbox, ledgers, moving, parts, provenances
from fhir_gateway.exchange.completion import SHARED, folded_into, is_same, told
from fhir_gateway.exchange.difference import Edit, edits
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox, Receipt, State
from fhir_gateway.exchange.moving import Moving
from fhir_gateway.exchange.rebasing import Past, bases, pasts, rebased
from fhir_gateway.exchange.replacement import WITHDRAWN
from fhir_gateway.exchange.standing import standing
from fhir_gateway.exchange.translation import Adapters, Translated, followed, translate
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource, reference
from fhir_gateway.identity.link import link
from fhir_gateway.records.revision import deletion, revision
from fhir_gateway.search import query as search
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Change, Commit, Note, Version

QUARANTINED_AS = " is in quarantine as "
FOUND_ANEW = {"where": "ServiceRequest", "text": "this referral was found by a later mapping: it is not opened or sent"}


class Outcome(StrEnum):
    """What became of a message."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Remapped:
    """What mapping a message again comes to. ``commit`` is None where nothing is to be written.

    ``problems`` say where and why the mapping in force refuses the message: it then stays as it is.
    """

    outcome: Outcome
    receipt: Receipt
    edits: tuple[Edit, ...] = ()
    problems: tuple[Mapping[str, str], ...] = ()
    commit: Commit | None = None
    translated: Translated | None = None


@dataclass(frozen=True, slots=True)
class _Made:
    """The records a message makes today: what is to be written, what is no longer made, and what is different."""

    known: dict[str, Resource]
    written: dict[str, tuple[Resource, Version | None]]
    gone: tuple[Version, ...]
    edits: tuple[Edit, ...]
    notes: tuple[Note, ...] = ()
    taken: Moving = field(default_factory=Moving)


@dataclass(frozen=True, slots=True)
class Remapping:
    """Maps messages again in the name of ``caller``; ``thorough`` also those that were mapped under this version."""

    house: House
    letters: Inbox
    adapters: Adapters
    caller: Caller
    thorough: bool = False

    async def of(self, receipt: Receipt) -> Remapped:
        """What would be different, and the commit; the store may refuse it with a Conflict: then ask again."""
        hospital = self.house.directory.hospital(receipt.hospital)
        if receipt.state is not State.STORED:
            return Remapped(Outcome.SKIPPED, receipt)
        if not self.thorough and ledgers.is_present(self.adapters, hospital, receipt):
            return Remapped(Outcome.UNCHANGED, receipt)
        translated = await self._translated(hospital, receipt)
        problems = _problems(receipt, translated)
        if problems or translated.translation is None:
            return Remapped(Outcome.FAILED, receipt, problems=problems)
        made = await self._made(hospital, receipt, translated.translation)
        outcome = Outcome.CHANGED if made.edits else Outcome.UNCHANGED
        commit = await self._commit(receipt, _led(followed(translated, made.known), made.taken), made)
        return Remapped(outcome, receipt, made.edits, commit=commit, translated=translated)

    async def _translated(self, hospital: Hospital, receipt: Receipt) -> Translated:
        media_type, body = await self.letters.original(receipt.hospital, receipt.receipt)
        message = Message(hospital, media_type, bytes(body), datetime.fromisoformat(receipt.received))
        # What was filed in one is mapped again in one, however many rows it holds.
        return await asyncio.to_thread(translate, self.adapters, message, sys.maxsize)

    async def _made(self, hospital: Hospital, receipt: Receipt, translation: Translation) -> _Made:
        resources = told(translation.bundle)
        references = list(dict.fromkeys([*map(reference, resources), *receipt.resources]))
        past = await pasts(self.house.store, references, receipt)
        known, _ = await folded_into(self.house.store, hospital, (resources, receipt.key), bases(past))
        restated, notes = await standing(self.house.store, receipt, translation.units)
        known = {ref: said for ref, said in known.items() if ref in past or ref not in restated}
        written = {}
        for ref, said in known.items():
            now = rebased(said, past.get(ref))
            if now is not None:
                written[ref] = (now, past[ref].newest if ref in past else None)
        gone = await self._gone(receipt, known, past)
        found = [edit for ref, (now, before) in written.items() for edit in edits(ref, _content(before), now)]
        found += [edit for version in gone for edit in edits(version.reference, _content(version), None)]
        # What it took along to another patient it took when it was filed: others may have moved it since.
        rows = await self.letters.ledger(receipt.hospital, receipt.receipt) if translation.moves else []
        return _Made(known, written, gone, tuple(found), notes, moving.carried(receipt, known, rows))

    async def _gone(
        self, receipt: Receipt, known: Mapping[str, Resource], past: Mapping[str, Past]
    ) -> tuple[Version, ...]:
        """Records that the message alone made and today's mapping does not make; shared ones stay."""
        found = []
        for ref in receipt.resources:
            one = past.get(ref)
            if ref in known or one is None or ref.partition("/")[0] in SHARED or ref in _testimony_of(receipt):
                continue
            if not one.newest.deleted and all(map(one.wrote, one.versions)) and await self._is_alone(receipt, ref):
                found.append(one.newest)
        return tuple(found)

    async def _is_alone(self, receipt: Receipt, ref: str) -> bool:
        """Whether no other message made the record too: each names what it made."""
        others = await self.house.store.references(search.parse("Provenance", [("target", ref), ("_count", "3")]))
        return set(others) <= {*_testimony_of(receipt)}

    async def _commit(self, receipt: Receipt, translated: Translated, made: _Made) -> Commit | None:
        now = self.house.clock()
        changes, claims, persons = await self._changes(receipt.hospital, made, now)
        after = self._receipt(receipt, translated, made, now)
        if changes:
            changes += await self._testimony(after, translated, [*made.known, *moving.refs(made.taken), *persons], now)
        elif not made.edits and after == replace(receipt, remapped=after.remapped):
            return None
        ledger = inbox.ledger_note(receipt, translated.accounts, translated.mapping)
        settled = Note(inbox.SHELF, receipt.key, after.content(), expected={"state": str(State.STORED)})
        patients = tuple(ref for ref in made.written if ref.startswith("Patient/"))
        act = Act("transaction", self.caller, 200, entities=tuple(made.written), patients=patients, request=receipt.key)
        return Commit(
            changes=tuple(changes), claims=claims, notes=(settled, ledger, *made.notes), events=(self.house.event(act),)
        )

    async def _changes(self, hospital: str, made: _Made, now: datetime) -> tuple[list[Change], tuple, list[str]]:  # type: ignore[type-arg]
        readers = (hospital,)
        changes = [revision(r, ref, before, now, readers) for ref, (r, before) in made.written.items()]
        changes += [deletion(version, now) for version in made.gone]
        patients = {ref: r for ref, (r, _) in made.written.items() if ref.startswith("Patient/")}
        linking = await link(self.house.store, self.house.systems, patients)
        changes += [revision(p, reference(p), version, now, readers) for p, version in linking.persons]
        return changes, linking.claims, [reference(person) for person, _ in linking.persons]

    def _receipt(self, receipt: Receipt, translated: Translated, made: _Made, now: datetime) -> Receipt:
        assert translated.translation is not None
        testimony = [ref for ref in receipt.resources if ref in _testimony_of(receipt)]
        own = [{"where": n.where, "text": n.text} for n in translated.translation.notices]
        kept = [dict(notice) for notice in receipt.notices if _is_gateways(notice)]
        fresh = [FOUND_ANEW] if _is_referral_new(made) else []
        return replace(
            receipt,
            adapter=translated.adapter,
            mapping=translated.mapping,
            remapped=(*receipt.remapped, now.isoformat(timespec="milliseconds")) if made.edits else receipt.remapped,
            resources=(*made.known, *moving.refs(made.taken), *testimony),
            ledger=translated.counts,
            notices=tuple({str(notice): notice for notice in (*own, *kept, *fresh)}.values()),
        )

    async def _testimony(
        self, receipt: Receipt, translated: Translated, targets: Iterable[str], now: datetime
    ) -> list[Change]:
        """The two Provenances, where they say anything new; Persons that were named before stay named."""
        hospital = self.house.directory.hospital(receipt.hospital)
        facility = parts.facility(hospital.facility_code, hospital.title)
        before = await self.house.store.currents(_testimony_of(receipt))
        told_before = [_content(version) or {} for version in before.values()]
        persons = [t["reference"] for p in told_before for t in p.get("target", ()) if "reference" in t]
        named = dict.fromkeys([*targets, *(ref for ref in persons if ref.startswith("Person/"))])
        source, made = provenances.of_message(receipt, self.house.name, facility, named)
        source = attestation.on_provenance(source, translated.verdict, facility, receipt.received)
        pairs = [(one, before.get(reference(one))) for one in (source, made)]
        return [
            revision(one, reference(one), version, now, (hospital.name,))
            for one, version in pairs
            if version is None or not is_same(_content(version) or {}, one)
        ]


def _led(translated: Translated, taken: Moving) -> Translated:
    said = translated.translation
    return replace(translated, translation=moving.told(said, taken)) if said and taken.targets else translated


def _testimony_of(receipt: Receipt) -> list[str]:
    """The two Provenances that are the gateway's own; a message may bring others."""
    return [f"Provenance/{parts.part_id(kind, receipt.key)}" for kind in ("source", "provenance")]


def _problems(receipt: Receipt, translated: Translated) -> tuple[Mapping[str, str], ...]:
    """Why a message stays as it is: it is refused, or rows of it that were filed would be set apart."""
    apart = sum(QUARANTINED_AS in notice["text"] for notice in receipt.notices)
    rows = [fault for row in translated.apart for fault in row.faults] if len(translated.apart) > apart else []
    found = [{"where": f.where or "message", "text": f.text, "code": f.code} for f in (*translated.faults, *rows)]
    return tuple(found)


def _is_gateways(notice: Mapping[str, str]) -> bool:
    """Whether the gateway told this when the message was filed; the adapter tells its own again."""
    text = notice["text"]
    return notice["where"].startswith("ServiceRequest") or QUARANTINED_AS in text or text == WITHDRAWN


def _is_referral_new(made: _Made) -> bool:
    fresh = (resource for resource, before in made.written.values() if before is None)
    return any(r["resourceType"] == "ServiceRequest" and cases.is_referral(r) for r in fresh)


def _content(version: Version | None) -> Resource | None:
    return None if version is None or version.deleted else decode_resource(version.body)

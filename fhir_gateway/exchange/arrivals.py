"""What partner gateways deliver: opened, verified, checked against the case's own table, stored exactly once.

https://build.fhir.org/ig/HL7/bser/
"""

import json
from base64 import b64decode
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_gateway.exchange import answers, cases, parts
from fhir_gateway.exchange.directory import Partner
from fhir_gateway.exchange.house import House
from fhir_gateway.fhir import validation
from fhir_gateway.fhir.canonical import canonical
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource, instant, reference
from fhir_gateway.identity.link import link
from fhir_gateway.problem import IllegalMove, Unprocessable
from fhir_gateway.records.revision import revision
from fhir_gateway.security.seal import Signature, decrypt, verify
from fhir_gateway.store.port import Change, Commit, Note, Version

SHELF = "arrivals"


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery, opened and believed: the partner signed exactly this message."""

    partner: Partner
    message: Resource
    signature: Signature

    @property
    def identity(self) -> str:
        return str(self.message["entry"][0]["resource"]["id"])

    @property
    def event(self) -> str:
        return str(self.message["entry"][0]["resource"]["eventCoding"]["code"])

    @property
    def resources(self) -> list[Resource]:
        """What the message carries, the Task first."""
        return [entry["resource"] for entry in self.message["entry"][1:]]


def opened(house: House, partner: Partner, envelope: str) -> Letter:
    """Open and verify an envelope. Raises Unprocessable or Invalid, naming what does not hold."""
    try:
        letter = json.loads(decrypt(envelope, house.keys.encryption))
        body, jws = letter["message"].encode(), letter["signature"]
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise Unprocessable("the envelope does not hold a message and its signature", "envelope") from fault
    signature = verify(body, jws, [partner.ca], house.clock())
    message = decode_resource(body)
    validation.check(message)
    _check_shape(message)
    return Letter(partner, message, signature)


def _check_shape(message: Resource) -> None:
    kinds = [entry.get("resource", {}).get("resourceType") for entry in message.get("entry", ())]
    if message.get("type") != "message" or kinds[:2] != ["MessageHeader", "Task"]:
        raise Unprocessable("a delivery is a message Bundle: MessageHeader, then the Task", "Bundle.entry")


async def arrival(house: House, letter: Letter) -> Commit | None:
    """What a delivery asks to be committed; None when it arrived before. The caller files anew on a Conflict.

    Raises IllegalMove when the case cannot take the move, Unprocessable when a signature does not hold.
    """
    if await house.store.note(SHELF, letter.identity) is not None:
        return None
    now = house.clock()
    signers = _verified_documents(house, letter, now)
    task = letter.resources[0]
    current = await house.store.current(reference(task))
    _check_move(house, letter, task, decode_resource(current.body) if current else None)
    changes, claims = await _filed(house, letter, current, now)
    content = {
        "delivery": letter.identity,
        "partner": letter.partner.name,
        "event": letter.event,
        "task": task["id"],
        "arrived": instant(now),
        "signers": [*signers, letter.signature.name],
    }
    told = answers.owed(house, letter.event, task, now)
    notes = (Note(SHELF, letter.identity, content), *(note for one in told for note in one.notes))
    return Commit(changes=changes, claims=claims, notes=notes, jobs=tuple(one.job for one in told))


def _check_move(house: House, letter: Letter, task: Resource, current: Resource | None) -> None:
    workflow = cases.workflow_of(task)
    name = letter.event.removeprefix(f"{workflow.name}.")
    if current is None:
        if name != "open" or task["status"] != workflow.start:
            raise IllegalMove(f"'{name}' came before the case was opened here", "Task.status")
        return
    if name == "open":
        raise IllegalMove("a case of that number is open already", "Task.id")
    earlier = current.get("output", ())
    kinds = [row["type"]["text"] for row in task.get("output", ()) if row not in earlier]
    kinds += ["reason"] if task.get("statusReason") != current.get("statusReason") else []
    step = cases.step_of(house, current, name, letter.partner.name, kinds)
    if task["status"] != step.target:
        raise IllegalMove(f"after '{name}' the Task must be {step.target}", "Task.status")
    if cases.facilities(task) != cases.facilities(current) or task.get("focus") != current.get("focus"):
        raise IllegalMove("a move may not change the parties or the focus of a case", "Task")


async def _filed(
    house: House, letter: Letter, task: Version | None, now: datetime
) -> tuple[tuple[Change, ...], tuple[Any, ...]]:
    """New versions of what the partner may write: its own resources, new ones, and the Task it moved."""
    sent = {reference(r): r for r in _exploded(letter.resources)}
    current = await house.store.currents(list(sent))
    own = {ref: r for ref, r in sent.items() if _may_write(ref, current.get(ref), letter, task)}
    patients = {ref: r for ref, r in own.items() if r["resourceType"] == "Patient"}
    linking = await link(house.store, house.systems, patients)
    readers = _readers(house, letter)
    changes = [revision(r, ref, current.get(ref), now, readers) for ref, r in own.items()]
    changes += await _endings(house, letter.resources[0], own.keys(), now)
    changes += [revision(p, reference(p), version, now, readers) for p, version in linking.persons]
    return tuple(changes), linking.claims


async def _endings(house: House, task: Resource, written: Collection[str], now: datetime) -> list[Change]:
    """Our own request, appointment and visit, when the partner's move ended the case."""
    versions = await house.store.currents([ref for ref in cases.concerned(task) if ref not in written])
    held = [decode_resource(version.body) for version in versions.values() if not version.deleted]
    last = cases.ended(task, held)
    return [revision(r, reference(r), versions[reference(r)], now, ()) for r in last]


def _exploded(resources: Iterable[Resource]) -> list[Resource]:
    """The message's resources and, beside each document, what it holds: so that what it cites can be read alone."""
    found: list[Resource] = []
    for resource in resources:
        found.append(resource)
        if resource["resourceType"] == "Bundle":
            found += [entry["resource"] for entry in resource.get("entry", ())]
    return found


def _may_write(ref: str, current: Version | None, letter: Letter, task: Version | None) -> bool:
    """A partner never overwrites what another party wrote; a cited copy of our own record is left alone."""
    if task is not None and ref == task.reference:
        return True
    return current is None or current.owner == letter.partner.name


def _readers(house: House, letter: Letter) -> tuple[str, ...]:
    parties = [house.directory.party_of(code) for code in cases.facilities(letter.resources[0])]
    return tuple(dict.fromkeys([letter.partner.name, *(party for party in parties if party)]))


def _verified_documents(house: House, letter: Letter, now: datetime) -> list[str]:
    """Names of those who signed the documents of a message; every document must be signed by its facility."""
    documents = {reference(r): r for r in letter.resources if r["resourceType"] == "Bundle"}
    signed: dict[str, list[str]] = {ref: [] for ref in documents}
    for provenance in letter.resources:
        for target in provenance.get("target", ()) if provenance["resourceType"] == "Provenance" else ():
            if target.get("reference") in documents:
                bundle = documents[target["reference"]]
                signed[target["reference"]] += _signers(house, letter.partner, bundle, provenance, now)
    unsigned = [ref for ref, kinds in signed.items() if not any(kind.startswith("facility") for kind in kinds)]
    if unsigned:
        raise Unprocessable("a document came without the signature of its facility", unsigned[0])
    return [name for names in signed.values() for name in names]


def _signers(
    house: House, partner: Partner, bundle: Resource, provenance: Mapping[str, Any], now: datetime
) -> list[str]:
    payload = canonical(bundle)
    found = []
    for row in provenance.get("signature", ()):
        if row.get("targetFormat") != parts.CANONICAL_JSON:
            raise Unprocessable("the signature is over a form this gateway does not know", "Provenance.signature")
        signature = verify(payload, b64decode(row["data"]).decode("ascii", "replace"), [partner.ca], now)
        _check_signer(row, signature)
        found.append(f"{signature.unit} {signature.name}")
    return found


def _check_signer(row: Mapping[str, Any], signature: Signature) -> None:
    """The certificate must be that of the doctor or facility the signature row names."""
    named = row.get("who", {}).get("identifier", {}).get("value", "")
    if signature.name != named:
        raise Unprocessable("the certificate is not that of the named signer", "Provenance.signature.who")

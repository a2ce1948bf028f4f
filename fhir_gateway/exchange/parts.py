"""The resources a case is made of: Task, signed document, original file, message. Pure: values in, resources out.

https://hl7.org/fhir/R4/documents.html
https://build.fhir.org/ig/HL7/bser/
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1, sha256
from typing import Any
from uuid import UUID, uuid5

from fhir_gateway.fhir.resource import Resource
from fhir_gateway.records.unalterable import CASE

NAMESPACE = UUID("1d0bfb62-3f2e-5b7c-8d0f-0c5f3a3f6c55")
FACILITY = "http://fhir.hl7.org.vn/core/sid/ma-cskcb"
LICENCE = "http://fhir.hl7.org.vn/core/sid/cchn"
WORKFLOW = CASE
MOVE = "urn:vn:quang-ninh:fhir-gateway:case-move"
CLIENT = "urn:fhir-gateway:client"
RECEIPT = "urn:vn:quang-ninh:fhir-gateway:receipt"
BUSINESS_STATUS = {
    "referral": "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS",
    "teleconsult": "urn:vn:quang-ninh:fhir-gateway:teleconsult-status",
}
CANONICAL_JSON = "application/fhir+json;canonicalization=http://hl7.org/fhir/canonicalization/json#document"
SIGNATURE_TYPES = "urn:iso-astm:E1762-95:2013"
AUTHOR_SIGNATURE = ("1.2.840.10065.1.12.1.1", "Author's Signature")
FACILITY_SIGNATURE = ("1.2.840.10065.1.12.1.5", "Verification Signature")
LOINC = "http://loinc.org"


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature over a document: who made it, in which quality, the detached JWS."""

    kind: tuple[str, str]
    who: Resource
    jws: str


def part_id(*key: str) -> str:
    """A stable id: the same key gives the same resource, here and on a second try."""
    return str(uuid5(NAMESPACE, "|".join(key)))


def facility(code: str, title: str = "") -> Resource:
    """A logical reference to a facility by its code."""
    reference: Resource = {"type": "Organization", "identifier": {"system": FACILITY, "value": code}}
    return reference | ({"display": title} if title else {})


def facility_code(reference: Mapping[str, Any] | None) -> str:
    """The facility code a logical reference names, empty when it names none."""
    identifier = (reference or {}).get("identifier", {})
    return str(identifier.get("value", "")) if identifier.get("system") == FACILITY else ""


def coded(text: str, *codings: tuple[str, str, str]) -> Resource:
    """A CodeableConcept of (system, code, display) rows and its text."""
    rows = [{"system": s, "code": c, **({"display": d} if d else {})} for s, c, d in codings]
    return {**({"coding": rows} if rows else {}), "text": text}


def business_status(workflow: str, code: str) -> Resource:
    return coded(code, (BUSINESS_STATUS[workflow], code, ""))


def output(kind: str, reference: str) -> Resource:
    """One Task.output (or input) row: what it is and where."""
    return {"type": {"text": kind}, "valueReference": {"reference": reference}}


def task(workflow: str, request: Resource, parties: tuple[Resource, Resource], when: str) -> Resource:
    """The Task that follows ``request``; ``parties`` are requester and receiver."""
    requester, receiver = parties
    return {
        "resourceType": "Task",
        "id": part_id("task", request["id"]),
        "identifier": [{"system": f"{WORKFLOW}case", "value": part_id("case", request["id"])[:13].upper()}],
        "instantiatesUri": WORKFLOW + workflow,
        "status": "requested",
        "businessStatus": business_status(workflow, "requested"),
        "intent": "order",
        "code": coded(workflow, ("http://hl7.org/fhir/CodeSystem/task-code", "fulfill", "")),
        "focus": {"reference": f"ServiceRequest/{request['id']}"},
        "for": request["subject"],
        "authoredOn": when,
        "lastModified": when,
        "requester": requester,
        "owner": receiver,
    }


def original(body: bytes, media_type: str, receipt: str, subject: Resource) -> tuple[Resource, Resource]:
    """DocumentReference and Binary of the file as it came: size, SHA-1 as R4 asks, SHA-256 as identifier."""
    identity = part_id("original", receipt)
    binary = {"resourceType": "Binary", "id": identity, "contentType": media_type, "data": b64encode(body).decode()}
    digest = b64encode(sha1(body, usedforsecurity=False).digest()).decode()
    reference = {
        "resourceType": "DocumentReference",
        "id": part_id("original-reference", receipt),
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:sha256:{sha256(body).hexdigest()}"},
        "identifier": [{"system": RECEIPT, "value": receipt}],
        "status": "current",
        "docStatus": "final",
        "type": {"text": "original message"},
        "subject": subject,
        "content": [
            {
                "attachment": {
                    "contentType": media_type,
                    "url": f"Binary/{identity}",
                    "size": len(body),
                    "hash": digest,
                }
            }
        ],
    }
    return reference, binary


def decision(key: str, recorded: str, client: str, made: tuple[str, Sequence[str]]) -> Resource:
    """A person's decision about records: ``made`` is the reason in words and what it is about."""
    reason, targets = made
    return {
        "resourceType": "Provenance",
        "id": part_id("decision", key, recorded),
        "target": [{"reference": target} for target in targets],
        "recorded": recorded,
        "reason": [{"text": reason}],
        "agent": [{"who": {"identifier": {"system": CLIENT, "value": client}}}],
    }


def signature_provenance(document: str, when: str, signatures: Sequence[Signed]) -> Resource:
    """The signatures over a document Bundle, each as its signer made it."""
    return {
        "resourceType": "Provenance",
        "id": part_id("signatures", document),
        "target": [{"reference": document}],
        "recorded": when,
        "agent": [{"who": signed.who} for signed in signatures],
        "signature": [_signature(signed, when) for signed in signatures],
    }


def _signature(signed: Signed, when: str) -> Resource:
    code, display = signed.kind
    return {
        "type": [{"system": SIGNATURE_TYPES, "code": code, "display": display}],
        "when": when,
        "who": signed.who,
        "targetFormat": CANONICAL_JSON,
        "sigFormat": "application/jose",
        "data": b64encode(signed.jws.encode()).decode(),
    }


def message(
    identity: str, event: str, sender: tuple[str, str], receiver: str, resources: Sequence[Resource]
) -> Resource:
    """A message Bundle whose focus is the Task, the first of ``resources``. ``sender`` is name and endpoint."""
    name, endpoint = sender
    header: Resource = {
        "resourceType": "MessageHeader",
        "id": identity,
        "eventCoding": {"system": MOVE, "code": event},
        "source": {"name": name, "endpoint": endpoint},
        "destination": [{"name": receiver, "endpoint": f"urn:vn:quang-ninh:fhir-gateway:partner:{receiver}"}],
        "focus": [{"reference": f"{endpoint}/{r['resourceType']}/{r['id']}"} for r in resources[:1]],
    }
    entries = [{"fullUrl": f"urn:uuid:{identity}", "resource": header}]
    entries += [{"fullUrl": f"{endpoint}/{r['resourceType']}/{r['id']}", "resource": r} for r in resources]
    return {
        "resourceType": "Bundle",
        "id": identity,
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{identity}"},
        "type": "message",
        "entry": entries,
    }

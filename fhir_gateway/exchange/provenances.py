"""The two Provenances of a message: what a hospital sent, and what the gateway made of it by which mapping.

https://hl7.org/fhir/R4/provenance.html

Only the second names every resource: each target is a search key, and one chain of two answers the same questions.
"""

from collections.abc import Iterable

from fhir_gateway.exchange.inbox import Receipt
from fhir_gateway.exchange.parts import RECEIPT, coded, part_id
from fhir_gateway.fhir.resource import Resource, reference

MAPPING = "urn:vn:quang-ninh:fhir-gateway:mapping"
GATEWAY = "urn:vn:quang-ninh:fhir-gateway:name"
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
SENT = (LIFECYCLE, "originate", "Originate/Retain Record Lifecycle Event")
MADE = (LIFECYCLE, "transform", "Transform/Translate Record Lifecycle Event")


def of_message(receipt: Receipt, gateway: str, hospital: Resource, targets: Iterable[str]) -> tuple[Resource, Resource]:
    """Source and transformation. ``hospital`` is a reference; the mapping is the receipt's."""
    named = list(targets)
    source = _source(receipt, hospital, [target for target in named if target.startswith("Patient/")])
    return source, _transformation(receipt, (gateway, hospital), reference(source), named)


def _original(receipt: str, digest: str) -> Resource:
    return {"identifier": {"system": RECEIPT, "value": receipt}, "display": f"urn:sha256:{digest}"}


def _source(receipt: Receipt, hospital: Resource, patients: list[str]) -> Resource:
    original = _original(receipt.key, receipt.sha256)
    entity = [{"role": "source", "what": original}]
    if receipt.corrects:
        corrected = f"{receipt.hospital}/{receipt.corrects}"
        entity.append({"role": "revision", "what": {"identifier": {"system": RECEIPT, "value": corrected}}})
    return {
        "resourceType": "Provenance",
        "id": part_id("source", receipt.key),
        "target": [original, *({"reference": patient} for patient in patients)],
        "recorded": receipt.received,
        "activity": coded("message sent by a hospital", SENT),
        "agent": [{"type": coded("author", (PARTICIPANT, "author", "Author")), "who": hospital}],
        "entity": entity,
    }


def _transformation(receipt: Receipt, agents: tuple[str, Resource], source: str, targets: list[str]) -> Resource:
    gateway, hospital = agents
    device: Resource = {"type": "Device", "identifier": {"system": GATEWAY, "value": gateway}, "display": gateway}
    made: Resource = {
        "resourceType": "Provenance",
        "id": part_id("provenance", receipt.key),
        "target": [{"reference": target} for target in targets],
        "recorded": receipt.received,
        "activity": coded("message mapped to FHIR", MADE),
        "agent": [
            {"type": coded("assembler", (PARTICIPANT, "assembler", "Assembler")), "who": device, "onBehalfOf": hospital}
        ],
        "entity": [{"role": "source", "what": {"reference": source, **_original(receipt.key, receipt.sha256)}}],
    }
    return made | ({"policy": [f"{MAPPING}:{receipt.mapping}"]} if receipt.mapping else {})

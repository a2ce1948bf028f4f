"""CDA R2 and C-CDA documents into FHIR: a Composition, the resources of its entries, and the ledger of every field.

https://hl7.org/cda/stds/core/2.0.0-sd/
"""

from collections.abc import Mapping
from hashlib import sha256

from adapters.cda.chart import Chart
from adapters.cda.map_document import document, document_scope, is_revision
from adapters.cda.map_people import patient_key
from adapters.cda.parse import PREFIXES, looks_like_cda, parse
from adapters.contract import Message, Resource, Span, Translation, Unit, Untranslatable
from adapters.draft import Draft
from adapters.places import Finder
from adapters.settle import settle

NAME = "cda"
MEDIA_TYPES = frozenset({"application/hl7-cda+xml", "application/cda+xml", "application/xml", "text/xml"})
#: What many documents speak of: no document takes it out.
SHARED = frozenset(
    {
        "Patient", "Encounter", "Practitioner", "PractitionerRole", "Organization", "Location", "Coverage",
        "RelatedPerson", "Device",
    }
)  # fmt: skip

__all__ = ["MEDIA_TYPES", "NAME", "recognises", "spans", "translate"]


def recognises(body: bytes) -> bool:
    """Whether the first element is a ClinicalDocument of HL7 version 3."""
    return looks_like_cda(body)


def translate(message: Message) -> Translation:
    """The Bundle and ledger of one document. Raises Untranslatable when it cannot be read or names no patient."""
    source = parse(message.body)
    role = source.root.first("recordTarget", "patientRole")
    if not role:
        raise Untranslatable("the document does not say whose record it is", "/ClinicalDocument/recordTarget")
    # A document without a number is known by its bytes: the same again is the same, anything else is another.
    scope = document_scope(source.root) or sha256(message.body).hexdigest()
    chart = Chart(message.hospital, source, Draft(message.hospital.name), scope=scope)
    chart.patient = patient_key(role, chart)
    chart.scope = f"{chart.patient}|{scope}"
    chart.patient_ids = frozenset((node.get("root"), node.get("extension")) for node in role.all("id"))
    if len(source.root.all("recordTarget")) > 1:
        chart.notice("/ClinicalDocument/recordTarget[2]", "more than one patient: only the first one's record is made")
    document(chart)
    bundle = chart.draft.bundle()
    units = (_unit(chart.scope, bundle, is_revision(source.root)),) if document_scope(source.root) else ()
    ledger = source.tally.close()
    if chart.draft.rewritten:
        settle(ledger, bundle, chart.draft.rewritten)
    return Translation(bundle, ledger, tuple(chart.notices), units)


def _unit(scope: str, bundle: Resource, revises: bool) -> Unit:
    """A document states itself whole: its next version (same set and kind) takes out what it no longer says."""
    made = (entry["resource"] for entry in bundle.get("entry", ()))
    own = [f"{r['resourceType']}/{r['id']}" for r in made if r["resourceType"] not in SHARED]
    return Unit(f"document|{scope}", "document", tuple(own), revises)


def spans(body: bytes, offsets: Mapping[str, int | None]) -> dict[str, Span]:
    """The bytes of each place of the ledger, which are XPaths."""
    return Finder(body, names=PREFIXES).spans(offsets)

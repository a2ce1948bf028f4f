"""What no REST interaction may write: the cases of the exchange, and what was signed.

https://hl7.org/fhir/R4/documents.html#bundle
A case moves by its table alone, a document and the signatures over it never change; the exchange writes them itself.
"""

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Forbidden
from fhir_gateway.store.port import Version

CASE = "urn:vn:quang-ninh:fhir-gateway:workflow:"
GUARDED = frozenset({"Task", "Bundle", "Provenance"})


def must_be_alterable(resource: Resource | None, current: Version | None, where: str | None) -> None:
    """Raise Forbidden for a write to, or a forgery of, what only the exchange may write."""
    for version in (resource, _content(current)):
        refusal = _refusal(version) if version else ""
        if refusal and (version is not resource or refusal == _CASES):
            raise Forbidden(refusal, where)


_CASES = "a case is opened and moved through /exchange, where its table is held"
_SIGNED = "a document and its signatures never change"


def _content(current: Version | None) -> Resource | None:
    if current is None or current.deleted or current.type not in GUARDED:
        return None
    return decode_resource(current.body)


def _refusal(resource: Resource) -> str:
    match resource.get("resourceType"):
        case "Task" if str(resource.get("instantiatesUri", "")).startswith(CASE):
            return _CASES
        case "Bundle" if resource.get("type") == "document":
            return _SIGNED
        case "Provenance" if resource.get("signature"):
            return _SIGNED
    return ""

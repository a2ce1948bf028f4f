"""A patch as it arrives: its media type says which of the three kinds it is.

https://hl7.org/fhir/R4/http.html#patch
"""

from collections.abc import Callable, Mapping

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.patch import fhirpath, json
from fhir_gateway.fhir.patch.slots import pruned
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.xml import diff
from fhir_gateway.fhir.xml.reading import decode_resource as decode_xml
from fhir_gateway.problem import Unprocessable, UnsupportedMedia

Patch = Callable[[Resource], Resource]

JSON_PATCH = "application/json-patch+json"
XML_PATCH = "application/xml-patch+xml"

_READERS: Mapping[str, Callable[[bytes], Patch]] = {
    JSON_PATCH: json.read,
    XML_PATCH: diff.read,
    "application/fhir+json": lambda body: fhirpath.read(decode_resource(body)),
    "application/fhir+xml": lambda body: fhirpath.read(decode_xml(body)),
}
MEDIA_TYPES = frozenset(_READERS)


def read(media_type: str, body: bytes) -> Patch:
    """The patch of a body. Raises Malformed or BadRequest when it is none of its kind."""
    if media_type not in _READERS:
        raise UnsupportedMedia(f"a patch must be {' or '.join(sorted(MEDIA_TYPES))}", "Content-Type")
    return whole(_READERS[media_type](body))


def of_parameters(parameters: Resource) -> Patch:
    """The FHIRPath Patch that a Bundle entry brings as a Parameters resource."""
    return whole(fhirpath.read(parameters))


def whole(patch: Patch) -> Patch:
    """The patch, which leaves the resource what it is and nothing empty in it; else Unprocessable."""

    def patched(resource: Resource) -> Resource:
        found: Resource = pruned(patch(resource))
        for name in ("resourceType", "id"):
            if found.get(name) != resource.get(name):
                raise Unprocessable(f"a patch does not change {name}", name)
        return found

    return patched

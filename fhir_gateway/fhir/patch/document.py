"""A patch as it arrives: its media type says which kind it is.

https://hl7.org/fhir/R4/http.html#patch
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace

from fhir_gateway.fhir.codec import decode, decode_resource
from fhir_gateway.fhir.patch import fhirpath, json, merge
from fhir_gateway.fhir.patch.slots import pruned
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.xml import diff
from fhir_gateway.fhir.xml.reading import decode_resource as decode_xml
from fhir_gateway.problem import BadRequest, Problem, Unprocessable, UnsupportedMedia

Patch = Callable[[Resource], Resource]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
ANY_JSON = "application/json"
XML_PATCH = "application/xml-patch+xml"


def _by_its_shape(body: bytes) -> Patch:
    """A list is a JSON Patch, Parameters are a FHIRPath Patch, any other object is a JSON Merge Patch."""
    value = decode(body)
    if isinstance(value, list):
        return json.read(body)
    if isinstance(value, dict) and value.get("resourceType") == "Parameters":
        return fhirpath.read(value)
    return merge.read(body)


_READERS: Mapping[str, Callable[[bytes], Patch]] = {
    JSON_PATCH: json.read,
    MERGE_PATCH: merge.read,
    ANY_JSON: _by_its_shape,
    XML_PATCH: diff.read,
    "application/fhir+json": lambda body: fhirpath.read(decode_resource(body)),
    "application/fhir+xml": lambda body: fhirpath.read(decode_xml(body)),
}
_IN_BINARY = (JSON_PATCH, MERGE_PATCH, XML_PATCH)
MEDIA_TYPES = frozenset(_READERS) - {ANY_JSON}


def read(media_type: str, body: bytes) -> Patch:
    """The patch of a body. Raises Malformed or BadRequest when it is none of its kind."""
    if media_type not in _READERS:
        raise UnsupportedMedia(f"a patch must be {' or '.join(sorted(MEDIA_TYPES))}", "Content-Type")
    return whole(_READERS[media_type](body))


def of_parameters(parameters: Resource) -> Patch:
    """The FHIRPath Patch that a Bundle entry brings as a Parameters resource."""
    return whole(fhirpath.read(parameters))


def of_binary(binary: Resource) -> Patch:
    """The patch that a Bundle entry brings as the content of a Binary."""
    media_type, content = binary.get("contentType"), binary.get("data")
    if not isinstance(media_type, str) or media_type not in _IN_BINARY:
        raise BadRequest(f"the Binary is a patch of type {' or '.join(_IN_BINARY)}", "Binary.contentType")
    try:
        body = base64.b64decode(content if isinstance(content, str) else "", validate=False)
    except ValueError as error:
        raise BadRequest("the Binary's data is not base64", "Binary.data") from error
    return read(media_type, body)


def within(problem: Problem, where: str) -> Problem:
    """The same problem of a patch, its places put under ``where``."""
    problem.issues = tuple(
        replace(issue, where=f"{where}: {issue.where}" if issue.where else where) for issue in problem.issues
    )
    return problem


def whole(patch: Patch) -> Patch:
    """The patch, which leaves the resource what it is and nothing empty in it; else Unprocessable."""

    def patched(resource: Resource) -> Resource:
        found: Resource = pruned(patch(resource))
        for name in ("resourceType", "id"):
            if found.get(name) != resource.get(name):
                raise Unprocessable(f"a patch does not change {name}", name)
        return found

    return patched

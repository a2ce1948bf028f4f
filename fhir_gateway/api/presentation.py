"""How an answer leaves: the stored JSON bytes as they are, or on demand as XML, indented, or in part.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from dataclasses import replace

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.negotiation import FHIR_JSON, FHIR_XML, Form
from fhir_gateway.fhir import codec
from fhir_gateway.fhir.subset import Subset
from fhir_gateway.fhir.xml import writing


def presented(answer: Answer, form: Form) -> Answer:
    """The answer in the form asked for; what is no FHIR stays as it is."""
    form = answer.form or form
    if not answer.body or answer.media_type != FHIR_JSON:
        return answer
    if form.media_type == FHIR_XML:
        body = writing.encode(codec.decode_resource(answer.body), form.pretty)
        return replace(answer, body=body, media_type=FHIR_XML)
    return replace(answer, body=codec.pretty(answer.body)) if form.pretty else answer


def part(body: bytes, subset: Subset) -> bytes:
    """The JSON text of the part of a resource that is wanted; the text itself when it is wanted whole."""
    return body if subset.is_whole or not body else codec.encode(subset.of(codec.decode_resource(body)))

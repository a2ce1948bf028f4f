"""What an operation is asked with: the arguments of the URL and those of the Parameters in the body.

https://hl7.org/fhir/R4/operations.html#request
"""

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import FORM, without_presentation
from fhir_gateway.api.negotiation import arguments as pairs_of
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.parameters import Arguments, arguments
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.fhir.validation import check


async def asked_with(services: Services, asked: Asked) -> Arguments:
    """All arguments. Raises BadRequest when the body is no Parameters, Invalid when they are not R4."""
    pairs = without_presentation(asked.pairs)
    if _is_form(asked):
        form = await asked.body(services.limits.form, frozenset({FORM}))
        return arguments([*pairs, *without_presentation(pairs_of(form, services.limits.parameters))])
    parameters = await sent(services, asked)
    if parameters is not None and parameters["resourceType"] == "Parameters":
        check(parameters)
    return arguments(pairs, parameters)


async def sent(services: Services, asked: Asked) -> Resource | None:
    """The resource in the body; None where there is no body."""
    length = asked.headers.get("content-length", "")
    if asked.request.method != "POST" or length == "0":
        return None
    if not length and "transfer-encoding" not in asked.headers:
        return None
    return await asked.resource(services.limits.body)


def _is_form(asked: Asked) -> bool:
    return asked.request.method == "POST" and asked.headers.get("content-type", "").startswith(FORM)


def answered(resource: Resource, status: int = 200) -> Answer:
    return Answer(status, encode(resource))


def reference(asked: Asked) -> str:
    """``Type/id`` of an operation on one record."""
    return f"{asked.path('type')}/{asked.path('id')}"

"""The terminology operations by HTTP.

https://hl7.org/fhir/R4/terminology-service.html
"""

from collections.abc import Awaitable, Callable

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.asked import answered, asked_with
from fhir_gateway.api.door import Asked
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Gone, NotFound
from fhir_gateway.records.journal import Touched, record
from fhir_gateway.security.access import may
from fhir_gateway.terminology import library, service
from fhir_gateway.terminology.library import Library

Act = Callable[[Services, Asked], Awaitable[Answer]]
Ask = Callable[[Library, Arguments, Resource | None], Awaitable[Resource]]


def _by(name: str, ask: Ask) -> Act:
    async def act(services: Services, asked: Asked) -> Answer:
        return await _answered(services, asked, name, ask)

    return act


async def _answered(services: Services, asked: Asked, name: str, ask: Ask) -> Answer:
    """Terminology is shared: a right to read its type is enough, whoever brought it."""
    may(asked.visit.caller, "read", asked.path("type"))
    held = await _held(services, asked)
    answer = await ask(library.of(services.desk.store), await asked_with(services, asked), held)
    about = (f"{held['resourceType']}/{held['id']}",) if held else ()
    await record(
        services.desk, asked.visit, name, Touched(about, asked.request.scope["query_string"].decode("latin-1"))
    )
    return answered(answer)


async def _held(services: Services, asked: Asked) -> Resource | None:
    if "id" not in asked.params:
        return None
    version = await services.desk.store.current(f"{asked.path('type')}/{asked.path('id')}")
    if version is None:
        raise NotFound("there is no such resource", "url")
    if version.deleted:
        raise Gone("the resource was deleted", "url")
    return decode_resource(version.body)


async def expand(services: Services, asked: Asked) -> Answer:
    """ValueSet/$expand."""

    async def ask(books: Library, arguments: Arguments, held: Resource | None) -> Resource:
        return await service.expansion(books, arguments, held, services.desk.now())

    return await _answered(services, asked, "$expand", ask)


lookup = _by("$lookup", service.lookup)
subsumes = _by("$subsumes", service.subsumes)
validate_in_system = _by("$validate-code", service.validate_in_system)
validate_in_set = _by("$validate-code", service.validate_in_set)
translate = _by("$translate", service.translation)

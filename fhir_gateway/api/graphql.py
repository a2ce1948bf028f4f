"""$graphql by HTTP: a question in the URL, as GraphQL text, or as JSON with its variables.

https://hl7.org/fhir/R4/operation-resource-graphql.html
"""

from typing import Any

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Asked
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.graphql.ask import Question, ask
from fhir_gateway.graphql.contained import opened
from fhir_gateway.problem import BadRequest
from fhir_gateway.records import read

JSON = "application/json"
TEXT = "application/graphql"
GIVEN = frozenset({"query", "variables", "operationName"})


async def system(services: Services, asked: Asked) -> Answer:
    """A question about the server."""
    question = Question(*await _asked(services, asked))
    return await _answered(services, asked, question)


async def instance(services: Services, asked: Asked) -> Answer:
    """A question about one record."""
    given = await _asked(services, asked)
    version = await read.read(services.desk, asked.visit, asked.path("type"), asked.path("id"))
    return await _answered(services, asked, Question(*given, opened(version)))


async def _answered(services: Services, asked: Asked, question: Question) -> Answer:
    found = await ask(services.desk, asked.visit, question)
    return Answer(200, found if isinstance(found, bytes) else encode(found), media_type=JSON)


async def _asked(services: Services, asked: Asked) -> tuple[str, dict[str, Any], str | None]:
    given: dict[str, Any] = {name: value for name, value in asked.pairs if name in GIVEN}
    if isinstance(given.get("variables"), str):
        given["variables"] = decode(given["variables"].encode())
    if asked.request.method == "POST":
        given |= await _sent(services, asked)
    text, variables, operation = given.get("query"), given.get("variables") or {}, given.get("operationName")
    if not isinstance(text, str) or not text:
        raise BadRequest("'query' is required", "query")
    if not isinstance(variables, dict) or not isinstance(operation, str | None):
        raise BadRequest("'variables' is an object, 'operationName' a text", "variables")
    return text, variables, operation


async def _sent(services: Services, asked: Asked) -> dict[str, Any]:
    types = frozenset({JSON, TEXT, "application/fhir+json"})
    body = await asked.body(services.limits.form, types)
    if asked.headers.get("content-type", "").startswith(TEXT):
        return {"query": body.decode("utf-8", "replace")}
    sent = decode(body)
    if not isinstance(sent, dict):
        raise BadRequest("a GraphQL request is a JSON object with a query", "query")
    return {name: value for name, value in sent.items() if name in GIVEN}

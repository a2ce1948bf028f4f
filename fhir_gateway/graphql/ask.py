"""One GraphQL question from its text to its answer.

https://hl7.org/fhir/R4/operation-resource-graphql.html
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import structlog
from anyio import to_thread
from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    execute,
    parse,
    validate,
)
from graphql import visit as walked
from graphql.utilities import get_operation_ast

from fhir_gateway.fhir import outcome
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.graphql import introspection
from fhir_gateway.graphql.limits import TOKEN_LIMIT, must_be_small
from fhir_gateway.graphql.resolve import Session
from fhir_gateway.graphql.schema import schema
from fhir_gateway.graphql.shape import shaped
from fhir_gateway.graphql.spelling import Words
from fhir_gateway.graphql.variables import RULES, as_texts
from fhir_gateway.problem import BadRequest, Issue, Problem, Unavailable
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit

log = structlog.get_logger("fhir_gateway.faults")

ERROR_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Question:
    """``focal`` is the record that the question is about; None when it is about the server."""

    text: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    operation: str | None = None
    focal: Resource | None = None


async def ask(desk: Desk, visit: Visit, question: Question) -> Resource | bytes:
    """``data`` and ``errors``; of a question about the schema their text.

    Raises BadRequest for what is no question of this schema, TooCostly for a large one.
    """
    # Made when first asked for, which takes half a second.
    known = await to_thread.run_sync(schema, question.focal["resourceType"] if question.focal else "")
    document, operation = _read(question, known)
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    of_schema = introspection.asks_of_the_schema(operation, fragments)
    must_be_small(document, of_schema)
    if of_schema:
        return await to_thread.run_sync(
            introspection.answer, known, document, question.operation, dict(question.variables)
        )
    session = Session(desk, visit)
    result = execute(
        known,
        document,
        question.focal,
        session,
        dict(question.variables),
        question.operation,
    )
    done = await cast(Awaitable[ExecutionResult], result) if hasattr(result, "__await__") else result
    assert isinstance(done, ExecutionResult)
    answer: Resource = {"data": shaped(done.data, [operation.selection_set], fragments, session.suffixes)}
    if done.errors:
        answer["errors"] = [_told(error, visit.request) for error in done.errors[:ERROR_LIMIT]]
    return answer


def _read(question: Question, known: GraphQLSchema) -> tuple[DocumentNode, OperationDefinitionNode]:
    try:
        document = as_texts(walked(parse(question.text, max_tokens=TOKEN_LIMIT), Words()))
    except GraphQLError as error:
        raise BadRequest(error.message, "query") from error
    if errors := validate(known, document, RULES, max_errors=ERROR_LIMIT):
        raise BadRequest(errors[0].message, "query", tuple(Issue(error.message, "query") for error in errors))
    operation = get_operation_ast(document, question.operation)
    if operation is None or operation.operation != OperationType.QUERY:
        raise BadRequest("one query is needed, and where there are several its name", "operationName")
    return document, operation


def _told(error: GraphQLError, request: str) -> dict[str, Any]:
    """An error as GraphQL writes it; a fault of ours without its words, which may quote a record."""
    cause = error.original_error
    if isinstance(cause, Unavailable):
        raise cause
    told: dict[str, Any] = {"path": error.path} if error.path else {}
    if isinstance(cause, Problem):
        return {"message": cause.text, **told, "extensions": {"resource": outcome.outcome(cause)}}
    if cause is not None and not isinstance(cause, GraphQLError):
        log.error("fault", request=request, type=type(cause).__name__, place="graphql")
        return {"message": "a fault of this server", **told}
    return {"message": error.message, **told}

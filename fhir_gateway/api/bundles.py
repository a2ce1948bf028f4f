"""POST [base]: a batch, whose entries stand alone, or a transaction, which is all or nothing.

https://hl7.org/fhir/R4/http.html#transaction
"""

from typing import Any
from urllib.parse import quote, unquote

from starlette.datastructures import Headers

from fhir_gateway.api import histories, resources, search
from fhir_gateway.api.answer import REASONS, WRITTEN, Answer, etag, location, of_problem, preference
from fhir_gateway.api.door import Asked
from fhir_gateway.api.entry_operations import is_operation, operated
from fhir_gateway.api.errors import caught
from fhir_gateway.api.negotiation import Pairs, arguments
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.bundle import Entry, Response, batch_response, transaction_response
from fhir_gateway.fhir.patch.document import within
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import BadRequest, NotSupported, Problem
from fhir_gateway.records import journal, write
from fhir_gateway.records.step import READS, Step, entries, step, steps
from fhir_gateway.records.transaction import Result
from fhir_gateway.records.turns import alongside, in_turns

# A url inside JSON may hold letters that nobody percent-encoded; what is encoded or reserved stays as it is.
RESERVED = "%&=+:/?,;$|!*'()@~[]"


async def bundle(services: Services, asked: Asked) -> Answer:
    """The response Bundle, its entries in the order of the request."""
    sent = await asked.resource(services.limits.body, services.desk.base_url)
    if sent["resourceType"] != "Bundle":
        raise BadRequest("only a Bundle can be posted here", "resourceType")
    if sent.get("type") == "transaction":
        done = await _transaction(services, asked, sent)
        return Answer(200, await alongside(len(done), transaction_response, done))
    if sent.get("type") == "batch":
        done = await _batch(services, asked, sent)
        return Answer(200, await alongside(len(done), batch_response, done))
    raise BadRequest("the Bundle must be a batch or a transaction", "Bundle.type")


async def _transaction(services: Services, asked: Asked, sent: Resource) -> list[Entry]:
    """Writes first and together; then the reads, which see them. All of it succeeds, or nothing is done."""
    wanted = entries(sent, services.limits.entries)
    found = await alongside(len(wanted), steps, sent, services.limits.entries, services.desk.base_url)
    writing = any(one.method not in READS for one in found)
    if writing:
        await _must_be_readable(services, asked, found)
    results = await write.run(services.desk, asked.visit, found)
    return [await _answered(services, asked, result, writing) async for result in in_turns(results)]


async def _must_be_readable(services: Services, asked: Asked, found: list[Step]) -> None:
    """Raises what a read of the transaction would fail with, where no write of it makes what is read."""
    made = {f"{one.type}/{one.id or (one.resource or {}).get('id')}" for one in found if one.method not in READS}
    for reading in found:
        named = "/".join(reading.url.partition("?")[0].split("/")[:2])
        if reading.method in READS and named not in made:
            await _seen(services, asked, reading)


async def _seen(services: Services, asked: Asked, reading: Step) -> Answer:
    try:
        return await _look(services, asked, reading)
    except Problem as problem:
        raise within(problem, f"{reading.where}.request.url") from None


async def _answered(services: Services, asked: Asked, result: Result, writing: bool) -> Entry:
    """What one entry is answered with; a failure is the entry's own only where the writes are done already."""
    if result.step.method not in READS:
        return _written(services, asked, result)
    if not writing:
        return _looked(await _seen(services, asked, result.step), result.step)
    answer = await caught(_look(services, asked, result.step), asked.visit.request)
    return await _failed(services, asked, answer) if isinstance(answer, Problem) else _looked(answer, result.step)


async def _batch(services: Services, asked: Asked, sent: Resource) -> list[Entry]:
    found = entries(sent, services.limits.entries)
    if not found:
        await journal.record(services.desk, asked.visit, "batch")
    return [await _alone(services, asked, place, entry) for place, entry in enumerate(found)]


async def _alone(services: Services, asked: Asked, place: int, entry: dict[str, Any]) -> Entry:
    """One entry of a batch: its failure is its own."""
    answer = await caught(_done(services, asked, place, entry), asked.visit.request)
    return await _failed(services, asked, answer) if isinstance(answer, Problem) else answer


async def _done(services: Services, asked: Asked, place: int, entry: dict[str, Any]) -> Entry:
    if (posted := _posted(entry, services)) is not None:
        return _looked(await operated(services, asked, posted, entry.get("resource")), Step("POST", ""))
    asked_for = step(entry, f"Bundle.entry[{place}]", services.desk.base_url)
    if asked_for.method in READS:
        return _looked(await _look(services, asked, asked_for), asked_for)
    (result,) = await write.run(services.desk, asked.visit, [asked_for], write.INTERACTIONS[asked_for.method])
    return _written(services, asked, result)


def _posted(entry: dict[str, Any], services: Services) -> tuple[str, str, Pairs] | None:
    """The POST of an operation, which a batch may hold: it changes nothing, or one record for itself."""
    request = entry.get("request")
    url = request.get("url") if isinstance(request, dict) else None
    if not isinstance(request, dict) or not isinstance(url, str) or request.get("method") != "POST":
        return None
    path, _, query = url.removeprefix(services.desk.base_url).strip("/").partition("?")
    return ("POST", path, _arguments(services, query)) if is_operation(path) else None


def _arguments(services: Services, query: str) -> Pairs:
    return arguments(quote(query, safe=RESERVED).encode("ascii"), services.limits.parameters)


def _written(services: Services, asked: Asked, result: Result) -> Entry:
    version, wanted = result.version, preference(asked.headers, "return")
    status = f"{result.status} {REASONS[result.status]}"
    if version is None:
        return Entry(response=Response(status))
    outcome = WRITTEN if wanted == "OperationOutcome" else b""
    response = Response(status, location(services.desk, version), etag(version), version.updated, outcome)
    return Entry(version.body if wanted == "representation" else b"", response=response)


async def _look(services: Services, asked: Asked, reading: Step) -> Answer:
    """What GET would answer to the entry's url."""
    path, _, query = reading.url.partition("?")
    pairs = _arguments(services, query)
    if is_operation(path):
        return await operated(services, asked, (reading.method, path, pairs))
    return await _fetched(services, asked, reading, (path, pairs))


async def _fetched(services: Services, asked: Asked, reading: Step, url: tuple[str, Pairs]) -> Answer:
    path, pairs = url
    parts = [unquote(part) for part in path.split("/")]
    third = "inner" if len(parts) == 3 else "history"
    params = dict(zip(("type", "id", third, "version"), parts, strict=False)) if path else {}
    inner = Asked(asked.visit, asked.request, params, pairs, Headers(dict(reading.unless)))
    match parts:
        case ["_history"]:
            return await histories.history_of_all(services, inner)
        case [_, "_history"]:
            return await histories.history_of_type(services, inner)
        case [_, _]:
            return await resources.read(services, inner)
        case [_, _, "_history"]:
            return await histories.history(services, inner)
        case [_, _, "_history", _]:
            return await resources.vread(services, inner)
        case [_] | [_, _, _]:
            return await search.search(services, inner)
    raise NotSupported("a reading entry must be a read, a search or a history", f"{reading.where}.request.url")


def _looked(answer: Answer, reading: Step) -> Entry:
    status = f"{answer.status} {REASONS[answer.status]}"
    body = b"" if reading.method == "HEAD" else answer.body
    return Entry(body, response=Response(status, etag=answer.header("etag") or ""))


async def _failed(services: Services, asked: Asked, problem: Problem) -> Entry:
    """The entry's own outcome, after its refusal is on the audit trail."""
    await journal.record(services.desk, asked.visit, "batch", status=problem.status)
    return Entry(response=Response(str(problem.status), outcome=of_problem(problem).body))

"""Bulk data over HTTP: kick-off, status, files and removal of exports and imports.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#sequence-overview
"""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Send

from fhir_gateway.api.answer import Answer, http_date
from fhir_gateway.api.asked import sent
from fhir_gateway.api.door import Act, Action, Asked, Door
from fhir_gateway.api.negotiation import JSON_TYPES, PRESENTATION, pieces
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.codec import decode_resource, encode
from fhir_gateway.fhir.outcome import success
from fhir_gateway.fhir.parameters import Arguments, arguments
from fhir_gateway.fhir.resource import instant, is_id
from fhir_gateway.population import shelf
from fhir_gateway.population.admission import Errand, Imports, must_import, named_files
from fhir_gateway.population.export import DONE, FAILED, Exports, Job, latest
from fhir_gateway.population.gathering import DELETED, legs
from fhir_gateway.population.imports import REFUSED
from fhir_gateway.population.intake import IMPORT, Counts
from fhir_gateway.population.order import EXPORT, FORMATS, ordered
from fhir_gateway.problem import BadRequest, NotFound, Problem, UnsupportedMedia
from fhir_gateway.records.read import read

NDJSON = "application/fhir+ndjson"
RETRY_SECONDS = "1"
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileAnswer(Answer):
    """A file, read and sent piece by piece."""

    path: Path = Path()

    async def send(self, send: Send, extra: tuple[tuple[bytes, bytes], ...], bodiless: bool) -> None:
        headers = [*extra, (b"content-type", self.media_type.encode("latin-1"))]
        headers.append((b"content-length", str(self.path.stat().st_size).encode("latin-1")))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if not bodiless:
            async for chunk in _pieces(self.path):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await to_thread.run_sync(file.read, CHUNK):
            yield chunk


@dataclass(frozen=True, slots=True)
class BulkDoors:
    """Where bulk data is asked for. ``ring`` wakes the one who works; ``keep`` is the life of finished files.

    ``open_folder`` is where an import may name files; ``import_limit`` how many bytes it may send.
    """

    data: Path
    keep: timedelta
    ring: Callable[[], None]
    open_folder: Path | None = None
    import_limit: int = 2**30

    def routes(self, services: Services) -> list[Route]:
        """To be tried before the routes of ``/fhir/{type}/{id}``."""
        job, kick_off = f"/fhir/{EXPORT}/{{job}}", {"": self.export_system, "Patient/": self.export_patients}
        doors = {f"/fhir/{level}{EXPORT}": _both(act) for level, act in kick_off.items()}
        doors[f"/fhir/Group/{{id}}/{EXPORT}"] = _both(self.export_group)
        doors[job] = {"GET": Action(EXPORT, self.status, raw=True), "DELETE": Action(EXPORT, self.remove)}
        doors[f"{job}/{{file}}"] = {"GET": Action("$export-file", self.file, raw=True)}
        errand = f"/fhir/{IMPORT}/{{job}}"
        doors[f"/fhir/{IMPORT}"] = {"POST": Action(IMPORT, self.import_)}
        doors[errand] = {"GET": Action(IMPORT, self.import_status, raw=True), "DELETE": Action(IMPORT, self.import_end)}
        doors[f"{errand}/{REFUSED}"] = {"GET": Action(IMPORT, self.refused, raw=True)}
        return [Route(path, Door(services, path, actions)) for path, actions in doors.items()]

    async def export_system(self, services: Services, asked: Asked) -> Answer:
        """Everything the caller may export."""
        return await self._begun(services, asked, "")

    async def export_patients(self, services: Services, asked: Asked) -> Answer:
        """What is in the compartment of any patient."""
        return await self._begun(services, asked, "Patient")

    async def export_group(self, services: Services, asked: Asked) -> Answer:
        """What is in the compartments of the members of a Group, as it is now."""
        if not is_id(asked.path("id")):
            raise NotFound("there is no such Group", "url")
        group = await read(services.desk, asked.visit, "Group", asked.path("id"))
        return await self._begun(services, asked, "Group", f"{group.reference}/_history/{group.number}")

    async def _begun(self, services: Services, asked: Asked, level: str, group: str = "") -> Answer:
        must_be_async(asked)
        given = await _arguments(services, asked)
        order = ordered(given, asked.visit.caller, await latest(services.desk), level, group)
        key = await self._exports(services).begin(asked.visit, order, _request(services, asked))
        self.ring()
        return accepted(f"{services.desk.base_url}/{EXPORT}/{key}")

    async def status(self, services: Services, asked: Asked) -> Answer:
        """202 while it runs, then the manifest."""
        job = await self._exports(services).job(asked.path("job"), asked.visit.caller)
        if job.state == FAILED:
            raise Problem(f"the export failed: {job.trouble}")
        if job.state != DONE:
            return Answer(202, headers=(("x-progress", _progress(job)), ("retry-after", RETRY_SECONDS)))
        expires = http_date((job.ended or job.begun) + self.keep)
        return Answer(200, encode(_manifest(services, job)), (("expires", expires),), "application/json")

    async def file(self, services: Services, asked: Asked) -> Answer:
        """One file of a finished export."""
        path = await self._exports(services).file(asked.visit, asked.path("job"), asked.path("file"))
        if not path.exists():
            raise NotFound("the export has no such file", "url")
        return FileAnswer(200, media_type=NDJSON, path=path)

    async def remove(self, services: Services, asked: Asked) -> Answer:
        """Cancels a running export, deletes the files of a finished one."""
        await self._exports(services).remove(asked.visit, asked.path("job"))
        return Answer(202, encode(success("the export and its files are removed")))

    async def import_(self, services: Services, asked: Asked) -> Answer:
        """Takes NDJSON or a Bundle as it comes, or Parameters that name files."""
        must_be_async(asked)
        must_import(asked.visit.caller)
        imports, limit = self._imports(services), self.import_limit
        if is_ndjson(asked.headers.get("content-type", "")):
            key, path = imports.spool(".ndjson.gz" if _is_gzip(asked) else ".ndjson")
            await _spooled(asked.request, path, limit)
            inputs = [("", str(path))]
        else:
            body = await asked.body(services.limits.body, JSON_TYPES)
            given = decode_resource(body)
            key, path = imports.spool(".json")
            if given["resourceType"] == "Parameters":
                inputs = named_files(arguments([], given), self.open_folder)
            else:
                await to_thread.run_sync(path.write_bytes, body)
                inputs = [("", str(path))]
        await imports.begin(asked.visit, key, inputs, _request(services, asked))
        self.ring()
        return accepted(f"{services.desk.base_url}/{IMPORT}/{key}")

    async def import_status(self, services: Services, asked: Asked) -> Answer:
        """202 while it runs, then what became of each input."""
        imports = self._imports(services)
        errand = await imports.errand(asked.path("job"), asked.visit.caller)
        reached = await imports.reached(errand)
        if errand.state == FAILED:
            raise Problem(f"the import failed: {errand.trouble}")
        if errand.state != DONE:
            read = sum(counts.read for counts in reached.values())
            return Answer(202, headers=(("x-progress", f"{read} resources read"), ("retry-after", RETRY_SECONDS)))
        address = f"{services.desk.base_url}/{IMPORT}/{errand.id}/{REFUSED}"
        return Answer(200, encode(_account(errand, reached, address)), media_type="application/json")

    async def refused(self, services: Services, asked: Asked) -> Answer:
        """What an import refused, each with its line and reason."""
        imports = self._imports(services)
        path = imports.refused(await imports.errand(asked.path("job"), asked.visit.caller))
        if not path.exists():
            raise NotFound("the import refused nothing", "url")
        return FileAnswer(200, media_type=NDJSON, path=path)

    async def import_end(self, services: Services, asked: Asked) -> Answer:
        """Stops a running import and deletes its files; what is stored stays."""
        await self._imports(services).remove(asked.visit, asked.path("job"))
        return Answer(202, encode(success("the import is ended and its files are removed")))

    def _imports(self, services: Services) -> Imports:
        return Imports(services.desk, self.data, self.open_folder)

    def _exports(self, services: Services) -> Exports:
        return Exports(services.desk, self.data)


def is_ndjson(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in FORMATS


def _is_gzip(asked: Asked) -> bool:
    encoding = asked.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise UnsupportedMedia("NDJSON is taken plain or as gzip", "Content-Encoding")
    return encoding == "gzip"


async def _spooled(request: Request, path: Path, limit: int) -> None:
    """The body into a file, piece by piece; nothing stays of one that is not taken."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, shelf.OWN), "wb") as file:
            async for chunk in pieces(request, limit):
                await to_thread.run_sync(file.write, chunk)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        shelf.remove(path.parent)
        raise


def _account(errand: Errand, reached: Mapping[str, Counts], address: str) -> dict[str, object]:
    """The counts of each input; they add up to what was read."""
    refused = sum(counts.refused for counts in reached.values())
    outcome = [{"input": name, "read": counts.read, **asdict(counts)} for name, counts in sorted(reached.items())]
    return {
        "transactionTime": instant(errand.begun),
        "request": errand.request,
        "requiresAccessToken": True,
        "output": outcome,
        "error": [{"type": "OperationOutcome", "count": refused, "url": address}] if refused else [],
    }


def _both(act: Act) -> dict[str, Action]:
    return {"GET": Action(EXPORT, act), "POST": Action(EXPORT, act)}


def _request(services: Services, asked: Asked) -> str:
    """The kick-off's address as the client sees it."""
    path, query = asked.request.url.path.removeprefix("/fhir"), asked.request.url.query
    return f"{services.desk.base_url}{path}?{query}" if query else f"{services.desk.base_url}{path}"


def must_be_async(asked: Asked) -> None:
    """Without Prefer the request is taken as asynchronous, which the guide allows."""
    wanted = ",".join(asked.headers.getlist("prefer")).replace(";", ",").split(",")
    for part in wanted:
        if part.strip().lower() not in ("", "respond-async") and not part.strip().lower().startswith("handling="):
            raise BadRequest("bulk data is answered with Prefer: respond-async only", "Prefer")


async def _arguments(services: Services, asked: Asked) -> Arguments:
    pairs = [pair for pair in asked.pairs if pair[0] not in PRESENTATION - {"_elements"}]
    return arguments(pairs, await sent(services, asked))


def accepted(address: str) -> Answer:
    """202 with the place to ask for the outcome."""
    body = encode(success("accepted; ask at Content-Location how far it is"))
    return Answer(202, body, (("content-location", address),))


def _progress(job: Job) -> str:
    ways = legs(job.order)
    now = ways[min(job.leg, len(ways) - 1)]
    return f"{job.written} resources written; {now.type or 'members'}, part {job.leg + 1} of {len(ways)}"[:100]


def _manifest(services: Services, job: Job) -> dict[str, object]:
    address = f"{services.desk.base_url}/{EXPORT}/{job.id}"
    listed = [
        {"type": "Bundle" if name == DELETED else name, "url": f"{address}/{name}", "count": count}
        for name, (count, _) in sorted(job.files.items())
    ]
    return {
        "transactionTime": instant(job.order.moment),
        "request": job.request,
        "requiresAccessToken": True,
        "output": [one for one in listed if not str(one["url"]).endswith(f"/{DELETED}")],
        "deleted": [one for one in listed if str(one["url"]).endswith(f"/{DELETED}")],
        "error": [],
    }

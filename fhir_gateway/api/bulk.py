"""Bulk data over HTTP: kick-off, status, files and removal of exports and imports.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#sequence-overview
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

from anyio import to_thread
from starlette.routing import Route
from starlette.types import Send

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Act, Action, Asked, Door
from fhir_gateway.api.negotiation import JSON_TYPES, PRESENTATION
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.codec import decode_resource, encode
from fhir_gateway.fhir.outcome import success
from fhir_gateway.fhir.parameters import Arguments, arguments
from fhir_gateway.fhir.resource import instant, is_id
from fhir_gateway.population.export import DONE, FAILED, Exports, Job
from fhir_gateway.population.gathering import DELETED, legs
from fhir_gateway.population.order import EXPORT, ordered
from fhir_gateway.problem import BadRequest, NotFound, Problem
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
    """Where bulk data is asked for. ``ring`` wakes the one who works; ``keep`` is the life of finished files."""

    data: Path
    keep: timedelta
    ring: Callable[[], None]

    def routes(self, services: Services) -> list[Route]:
        """To be tried before the routes of ``/fhir/{type}/{id}``."""
        job, kick_off = f"/fhir/{EXPORT}/{{job}}", {"": self.export_system, "Patient/": self.export_patients}
        doors = {f"/fhir/{level}{EXPORT}": _both(act) for level, act in kick_off.items()}
        doors[f"/fhir/Group/{{id}}/{EXPORT}"] = _both(self.export_group)
        doors[job] = {"GET": Action(EXPORT, self.status, raw=True), "DELETE": Action(EXPORT, self.remove)}
        doors[f"{job}/{{file}}"] = {"GET": Action("$export-file", self.file, raw=True)}
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
        sent = await _arguments(services, asked)
        order = ordered(sent, asked.visit.caller, services.desk.now(), level, group)
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
        expires = format_datetime(job.begun + self.keep, usegmt=True)
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

    def _exports(self, services: Services) -> Exports:
        return Exports(services.desk, self.data)


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
    if asked.request.method != "POST":
        return arguments(pairs)
    body = await asked.body(services.limits.body, JSON_TYPES)
    return arguments(pairs, decode_resource(body) if body.strip() else None)


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

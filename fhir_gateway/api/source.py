"""``$source``: where an element of a record came from, down to the bytes of the hospital's message.

https://hl7.org/fhir/R4/parameters.html

It gives places and no values; who may read the record may ask, and the asking is audited as a read. An element that no
field went to by itself, as the coding that a code table added, is answered with the fields of the element around it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.routing import Route

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.asked import answered, asked_with
from fhir_gateway.api.door import Action, Asked, Door
from fhir_gateway.api.resources import known_type
from fhir_gateway.api.services import Services
from fhir_gateway.exchange.origins import Origin, Origins
from fhir_gateway.fhir import element_path
from fhir_gateway.fhir.resource import Resource, is_id
from fhir_gateway.problem import BadRequest
from fhir_gateway.records import read

PATH = "/fhir/{type}/{id}/$source"


@dataclass(frozen=True, slots=True)
class SourceDoor:
    """``GET /fhir/{type}/{id}/$source?path=name[0].family``."""

    origins: Origins

    def routes(self, services: Services) -> list[Route]:
        act = Action("operation", self.source)
        return [Route(PATH, Door(services, PATH, {"GET": act, "POST": act}))]

    async def source(self, services: Services, asked: Asked) -> Answer:
        """Parameters with one ``element`` for each source field that is in the current version."""
        type_, identity = known_type(asked.path("type")), asked.path("id")
        if not is_id(identity):
            raise BadRequest("an id has 1 to 64 letters, digits, - and .", "url")
        given = await asked_with(services, asked)
        given.only(("path",))
        steps = element_path.asked(type_, given.text("path") or "")
        version = await read.read(services.desk, asked.visit, type_, identity)
        found = await self.origins.nearest(version, steps)
        target = {"reference": f"{version.reference}/_history/{version.number}"}
        parameters = [{"name": "target", "valueReference": target}, *map(_element, found)]
        return answered({"resourceType": "Parameters", "parameter": parameters})


def _element(origin: Origin) -> Resource:
    return {"name": "element", "part": [part for part in _parts(origin) if _is_told(part)]}


def _parts(origin: Origin) -> Iterator[dict[str, Any]]:
    receipt, row = origin.receipt, origin.row
    yield {"name": "path", "valueString": origin.path}
    yield {"name": "hospital", "valueString": receipt.hospital}
    yield {"name": "message", "valueUri": f"/ingest/{receipt.key}"}
    yield {"name": "received", "valueInstant": receipt.received}
    yield {"name": "control-number", "valueString": origin.control}
    yield {"name": "place", "valueString": row["place"]}
    yield {"name": "offset", "valueInteger": row.get("offset")}
    yield {"name": "length", "valueInteger": row.get("length")}
    if "within" in row:
        within = row["within"]
        carrier = [
            {"name": "place", "valueString": within["place"]},
            {"name": "offset", "valueInteger": within["offset"]},
            {"name": "length", "valueInteger": within["length"]},
        ]
        yield {"name": "within", "part": carrier}
    yield {"name": "rule", "valueString": origin.rule}
    yield {"name": "mapping", "valueString": receipt.mapping}


def _is_told(part: dict[str, Any]) -> bool:
    return all(value is not None and value != "" for value in part.values())

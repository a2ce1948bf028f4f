"""Whether the gateway lives, whether its database answers, and its counters.

The first two tell nothing but that, so probes need no token; the counters are for auditors and administrators.
"""

import orjson

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Asked
from fhir_gateway.api.services import Services
from fhir_gateway.problem import Forbidden, Unavailable
from fhir_gateway.security.access import WATCHERS

JSON = "application/json"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


async def live(services: Services, asked: Asked) -> Answer:
    """200 as long as the process serves requests."""
    return Answer(200, orjson.dumps({"status": "ok", "name": services.desk.name}), media_type=JSON)


async def ready(services: Services, asked: Asked) -> Answer:
    """200 when the database answers, with how far the search indexes are; Unavailable otherwise.

    ``damaged`` files of the audit journal are kept aside: events of them are lost, and people have to look at them.
    """
    try:
        await services.desk.store.ping()
    except Unavailable:
        if services.has_room():
            raise
        raise Unavailable("the disk of the data folder is full: make room, then it goes on by itself") from None
    told = await services.desk.store.upkeep()
    state = "building" if told.missing else "current" if told.current else "refreshing"
    done = {"cleared": told.cleared, "refreshed": told.refreshed, "records": told.records}
    indexes = {"status": state, "missing": told.missing, **done}
    content = {"status": "ready", "database": "ok", "indexes": indexes, "silent_feeds": _silent(services)}
    if services.journal is not None:
        content["audit_journal"] = {"waiting": services.journal.waiting, "damaged": services.journal.damaged}
    return Answer(200, orjson.dumps(content), media_type=JSON)


def _silent(services: Services) -> int:
    """How many feeds are silent beyond their habit, as of the last look; who they are, only those may see who ask."""
    feeds = services.feeds.current.values() if services.feeds is not None else ()
    return sum(1 for feed in feeds if feed.silence)


async def metrics(services: Services, asked: Asked) -> Answer:
    """Counters in Prometheus' text format."""
    if asked.visit.caller.role not in WATCHERS:
        raise Forbidden(f"the role {asked.visit.caller.role} may not read the counters")
    if services.feeds is not None:
        await services.feeds.fresh()
    return Answer(200, services.traffic.exposition(), media_type=EXPOSITION)

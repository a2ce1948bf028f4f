"""Breaking the glass over HTTP: the headers of a request, the list for the patient's hospital, its judgement.

https://hl7.org/fhir/R4/security-labels.html#break-the-glass
"""

from starlette.routing import Route

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Action, Asked, Door
from fhir_gateway.api.negotiation import body
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.codec import decode, encode
from fhir_gateway.problem import BadRequest
from fhir_gateway.records import emergency, journal
from fhir_gateway.records.emergency import Judgement
from fhir_gateway.records.journal import Touched
from fhir_gateway.security.purpose import LONGEST

JSON = "application/json"
LIST, REVIEW = "/exchange/emergencies", "/exchange/emergencies/{emergency}/review"


def emergency_routes(services: Services) -> list[Route]:
    """Both addresses."""
    return [
        Route(LIST, Door(services, LIST, {"GET": Action("read", entries, raw=True)})),
        Route(REVIEW, Door(services, REVIEW, {"POST": Action("update", review, raw=True)})),
    ]


async def entries(services: Services, asked: Asked) -> Answer:
    """``GET /exchange/emergencies?state=open&after=``: who opened secret records of the hospital, and why."""
    given = dict(asked.pairs)
    if unknown := given.keys() - {"state", "after"}:
        raise BadRequest("only 'state' and 'after' are known here", min(unknown)[:64])
    state, after = given.get("state", ""), given.get("after", "")
    found = await emergency.listed(services.desk, asked.visit.caller, state, after)
    await journal.record(services.desk, asked.visit, "read", Touched((), LIST[1:]))
    following = found[-1]["emergency"] if len(found) == emergency.LISTED else None
    return Answer(200, encode({"emergencies": found, "after": following}), media_type=JSON)


async def review(services: Services, asked: Asked) -> Answer:
    """``POST /exchange/emergencies/{emergency}/review`` {"finding": "justified", "comment": "…"}."""
    sent = decode(await body(asked.request, services.limits.form))
    if not isinstance(sent, dict) or not isinstance(sent.get("comment", ""), str):
        raise BadRequest("send a JSON object with 'finding' and 'comment'", "comment")
    judgement = Judgement(str(sent.get("finding", "")), sent.get("comment", "").strip()[:LONGEST])
    judged = await emergency.judged(services.desk, asked.visit, asked.path("emergency"), judgement)
    await journal.record(services.desk, asked.visit, "update", Touched((judged["patient"],), LIST[1:]))
    return Answer(200, encode(judged), media_type=JSON)

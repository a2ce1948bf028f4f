"""The token endpoint: a client's signed assertion for a short access token.

https://hl7.org/fhir/smart-app-launch/backend-services.html#obtain-access-token
"""

from dataclasses import replace
from typing import Any

import orjson
import structlog

from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Asked
from fhir_gateway.api.negotiation import FORM, arguments
from fhir_gateway.api.services import Services
from fhir_gateway.records import journal
from fhir_gateway.security.assertion import TokenRefused
from fhir_gateway.security.audit import Act
from fhir_gateway.security.tokens import smart_configuration

log = structlog.get_logger("fhir_gateway.access")

JSON = "application/json"
UNCACHED = (("cache-control", "no-store"), ("pragma", "no-cache"))


async def token(services: Services, asked: Asked) -> Answer:
    """A token, or the refusal as RFC 6749 §5.2 writes it; a given token is on the audit trail before it leaves."""
    form = await asked.body(services.limits.form, frozenset({FORM}))
    try:
        granted = await services.tokens.exchange(dict(arguments(form, services.limits.parameters)))
    except TokenRefused as refusal:
        log.warning("token refused", request=asked.visit.request, error=refusal.error)
        visit = asked.visit
        act = Act("login", None, refusal.status, visit.address, request=visit.request)
        await services.refusals.note(services.desk, act)
        return _json(refusal.status, refusal.answer())
    caller = services.tokens.caller(f"Bearer {granted['access_token']}")
    await journal.record(services.desk, replace(asked.visit, caller=caller), "login")
    return _json(200, granted)


async def discovered(services: Services, asked: Asked) -> Answer:
    """Where a client gets its token and how it proves itself, for those that look it up by themselves."""
    return Answer(200, orjson.dumps(smart_configuration(services.tokens.url)), media_type=JSON)


def _json(status: int, content: dict[str, Any]) -> Answer:
    return Answer(status, orjson.dumps(content), UNCACHED, JSON)

"""What the routes need of the rest of the gateway, and the limits a request has to keep."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fhir_gateway.api.refusals import Refusals
from fhir_gateway.api.traffic import Traffic
from fhir_gateway.exchange.feeds import Feeds
from fhir_gateway.records.desk import Desk
from fhir_gateway.security.journal import Journal
from fhir_gateway.security.tokens import TokenDesk

MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, the rest in pieces; each has its own refusal that names it.

    ``deletions`` is how many resources one conditional delete may meet; ``browsers``: web applications may call.
    """

    body: int = 12 * MEGABYTE
    form: int = 64 * 1024
    url: int = 8 * 1024
    parameters: int = 100
    entries: int = 5000
    deletions: int = 1
    browsers: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """Built once in ``app.py``. ``has_room`` says whether the disk of the data folder takes anything."""

    desk: Desk
    tokens: TokenDesk
    limits: Limits = Limits()
    traffic: Traffic = field(default_factory=Traffic)
    feeds: Feeds | None = None
    journal: Journal | None = None
    refusals: Refusals = field(default_factory=Refusals)
    has_room: Callable[[], bool] = lambda: True

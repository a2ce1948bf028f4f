"""Every operation: where it may be asked, and what it does. The CapabilityStatement reads this table too.

https://hl7.org/fhir/R4/operations.html
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from fhir_gateway.api import chart, conformance, graphql, subscriptions, terminology
from fhir_gateway.api.answer import Answer
from fhir_gateway.api.door import Action, Asked
from fhir_gateway.api.resources import known_type
from fhir_gateway.api.services import Services
from fhir_gateway.fhir.resource import is_id
from fhir_gateway.problem import BadRequest, NotAllowed, NotFound

CORE = "http://hl7.org/fhir/OperationDefinition/"
IPS = "http://hl7.org/fhir/uv/ips/OperationDefinition/summary"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription"
BULK = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"
READING = frozenset({"AuditEvent"})
# Wired in ``api/bulk``, which answers in its own way; listed here with all the others.
BULK_OPERATIONS = {
    "": (
        {"name": "export", "definition": f"{BULK}export"},
        {"name": "import", "definition": "urn:vn:quang-ninh:fhir-gateway:operation:import"},
    ),
    "Patient": ({"name": "export", "definition": f"{BULK}patient-export"},),
    "Group": ({"name": "export", "definition": f"{BULK}group-export"},),
}

# Wired in ``api/source``, which knows the messages.
SOURCE_OPERATION = {"name": "source", "definition": "urn:vn:quang-ninh:fhir-gateway:operation:source"}

Act = Callable[[Services, Asked], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Operation:
    """``types`` empty means every type. What ``writes`` is asked by POST alone."""

    name: str
    definition: str
    types: frozenset[str] = frozenset()
    system: Act | None = None
    type: Act | None = None
    instance: Act | None = None
    writes: bool = False

    def at(self, level: str, type_: str) -> Act | None:
        if self.types and type_ and type_ not in self.types:
            return None
        return {"system": self.system, "type": self.type, "instance": self.instance}[level]


_CODES, _SETS, _MAPS = frozenset({"CodeSystem"}), frozenset({"ValueSet"}), frozenset({"ConceptMap"})
_PATIENT, _ENCOUNTER = frozenset({"Patient"}), frozenset({"Encounter"})
_SUBSCRIPTION = frozenset({"Subscription"})
_OBSERVATION, _COMPOSITION = frozenset({"Observation"}), frozenset({"Composition"})

OPERATIONS = (
    Operation("everything", f"{CORE}Patient-everything", _PATIENT, instance=chart.everything),
    Operation("everything", f"{CORE}Encounter-everything", _ENCOUNTER, instance=chart.everything),
    Operation("summary", IPS, _PATIENT, type=chart.summary_of_identifier, instance=chart.summary),
    Operation("document", f"{CORE}Composition-document", _COMPOSITION, instance=chart.document),
    Operation("lastn", f"{CORE}Observation-lastn", _OBSERVATION, type=chart.lastn),
    Operation("meta", f"{CORE}Resource-meta", frozenset(), conformance.meta, conformance.meta, conformance.meta),
    Operation("meta-add", f"{CORE}Resource-meta-add", instance=conformance.meta_add, writes=True),
    Operation("meta-delete", f"{CORE}Resource-meta-delete", instance=conformance.meta_delete, writes=True),
    Operation("validate", f"{CORE}Resource-validate", type=conformance.validate, instance=conformance.validate),
    Operation("lookup", f"{CORE}CodeSystem-lookup", _CODES, type=terminology.lookup, instance=terminology.lookup),
    Operation(
        "subsumes", f"{CORE}CodeSystem-subsumes", _CODES, type=terminology.subsumes, instance=terminology.subsumes
    ),
    Operation(
        "validate-code",
        f"{CORE}CodeSystem-validate-code",
        _CODES,
        type=terminology.validate_in_system,
        instance=terminology.validate_in_system,
    ),
    Operation(
        "validate-code",
        f"{CORE}ValueSet-validate-code",
        _SETS,
        type=terminology.validate_in_set,
        instance=terminology.validate_in_set,
    ),
    Operation("expand", f"{CORE}ValueSet-expand", _SETS, type=terminology.expand, instance=terminology.expand),
    Operation(
        "translate", f"{CORE}ConceptMap-translate", _MAPS, type=terminology.translate, instance=terminology.translate
    ),
    Operation(
        "status", f"{BACKPORT}-status", _SUBSCRIPTION, type=subscriptions.statuses, instance=subscriptions.status
    ),
    Operation("events", f"{BACKPORT}-events", _SUBSCRIPTION, instance=subscriptions.events),
    Operation("topic-list", f"{BACKPORT}topic-list", _SUBSCRIPTION, type=subscriptions.topic_list),
    Operation(
        "get-ws-binding-token",
        f"{BACKPORT}-get-ws-binding-token",
        _SUBSCRIPTION,
        type=subscriptions.socket_token,
        instance=subscriptions.socket_token,
    ),
    Operation("graphql", f"{CORE}Resource-graphql", frozenset(), graphql.system, None, graphql.instance),
)


async def perform(services: Services, asked: Asked) -> Answer:
    """Do what the address asks for. Raises NotFound for an operation that is not offered there."""
    type_, identity = asked.params.get("type", ""), asked.params.get("id", "")
    level = "instance" if identity else "type" if type_ else "system"
    if type_:
        known_type(type_)
    if identity and not is_id(identity):
        raise BadRequest("an id has 1 to 64 letters, digits, - and .", "url")
    found = _offered(asked.path("operation"), level, type_)
    if found is None:
        raise NotFound("there is no such operation here", "url")
    operation, act = found
    if operation.writes and asked.request.method != "POST":
        raise NotAllowed("this operation changes a record, so it answers to POST", "method")
    return await act(services, asked)


def _offered(name: str, level: str, type_: str) -> tuple[Operation, Act] | None:
    for operation in OPERATIONS:
        act = operation.at(level, type_) if operation.name == name else None
        if act is not None:
            return operation, act
    return None


PERFORM = Action("operation", perform)
ROUTES: Mapping[str, Mapping[str, Action]] = {
    path: {"GET": PERFORM, "POST": PERFORM}
    for path in ("/fhir/${operation}", "/fhir/{type}/${operation}", "/fhir/{type}/{id}/${operation}")
}


def of_type(type_: str) -> Iterator[dict[str, str]]:
    """The operations of a type, as the CapabilityStatement lists them."""
    for operation in OPERATIONS:
        if operation.writes and type_ in READING:
            continue
        if operation.at("type", type_) or operation.at("instance", type_):
            yield {"name": operation.name, "definition": operation.definition}
    yield SOURCE_OPERATION
    yield from BULK_OPERATIONS.get(type_, ())


def of_system() -> Iterator[dict[str, str]]:
    yield from BULK_OPERATIONS[""]
    for operation in OPERATIONS:
        if operation.system is not None:
            yield {"name": operation.name, "definition": operation.definition}

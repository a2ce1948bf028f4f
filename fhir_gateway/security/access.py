"""What each role may do: one table, applied in one place.

https://hl7.org/fhir/R4/security.html#roles

==========  ==============================================  ==============================  ===============
role        may                                             on                              sees
==========  ==============================================  ==============================  ===============
hospital    read, search, $everything                       all but AuditEvent              what is its own
            create, update                                  all but AuditEvent and Person   or granted it
            $export, $import                                all but AuditEvent and Person
            move a case; ingest for itself                  Task; messages
doctor      read, search, $everything                       all but AuditEvent              every hospital
            create                                          ServiceRequest, Communication
            move a case                                     Task
central     read, search, $everything; move a case          all but AuditEvent; Task        what was granted
all three   read, search, create, update, delete            Subscription                    of its own house
population  read, search, $export                           Patient, Person                 every hospital
auditor     read, search                                    AuditEvent                      all
gateway     deliver                                         Bundle                          nothing
admin       everything                                      everything                      all
==========  ==============================================  ==============================  ===============

"Every hospital" and "all" leave out the secret records of others (``security.sight``): those are seen by the hospital
that owns them, by whom they were granted to, and by a doctor who breaks the glass for the patient.

Nobody creates, changes, deletes or imports an AuditEvent. A batch or transaction has no rule of its own: ask
for each entry. A search asks for every type it touches: the one it names, those it includes and chains to.
"""

from collections.abc import Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from fhir_gateway.problem import Forbidden
from fhir_gateway.security.caller import SCOPE, Caller
from fhir_gateway.security.sight import EVERY_PATIENT, Outsider, Reader

ROLES = ("hospital", "doctor", "central", "population", "auditor", "gateway", "admin")

# What an interaction amounts to in the table. The name is FHIR's, or the exchange's own for the last three.
ACTIONS = {
    "read": "read",
    "vread": "read",
    "history-instance": "read",
    "history-type": "search",
    "history-system": "search",
    "search-type": "search",
    "search-system": "search",
    "$everything": "everything",
    "$export": "export",
    "$export-file": "export",
    "$import": "import",
    "create": "create",
    "update": "update",
    "patch": "update",
    "delete": "delete",
    "move": "move",
    "ingest": "ingest",
    "deliver": "deliver",
}
# https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources
SCOPE_LETTERS = {
    "read": "r",
    "search": "s",
    "everything": "r",
    "export": "r",
    "import": "c",
    "create": "c",
    "update": "u",
    "delete": "d",
    "move": "u",
    "ingest": "c",
    "deliver": "c",
}
OLD_SCOPES = {"read": "rs", "write": "cud", "*": "cruds"}
WRITES = frozenset({"create", "update", "delete", "import"})
# Who looks after the whole gateway: its figures, and the feeds of every hospital.
WATCHERS = frozenset({"admin", "auditor"})


@dataclass(frozen=True, slots=True)
class Every:
    """All resource types but a few."""

    but: frozenset[str] = frozenset()

    def __contains__(self, resource_type: object) -> bool:
        return resource_type not in self.but


@dataclass(frozen=True, slots=True)
class Rule:
    """``confined``: only what the caller's own organization may see, or for its own records."""

    role: str
    actions: frozenset[str]
    types: Container[str]
    confined: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """Permission. ``reader`` confines what is found.

    ``owner`` is the organization a written record belongs to; a confined caller may replace only its own.
    """

    reader: Reader
    owner: str | None = None


_EXCHANGED = Every(frozenset({"AuditEvent"}))
_CLINICAL = Every(frozenset({"AuditEvent", "Person"}))
_LOOK = frozenset({"read", "search"})
_SEE = _LOOK | {"everything"}
_CASE, _MESSAGE = frozenset({"Task"}), frozenset({"Bundle"})

RULES = (
    Rule("hospital", _SEE, _EXCHANGED, confined=True),
    Rule("hospital", frozenset({"create", "update"}), _CLINICAL, confined=True),
    Rule("hospital", frozenset({"export", "import"}), _CLINICAL, confined=True),
    Rule("hospital", frozenset({"move"}), _CASE, confined=True),
    Rule("hospital", frozenset({"ingest"}), _MESSAGE, confined=True),
    *(
        Rule(role, _LOOK | WRITES, frozenset({"Subscription"}), confined=True)
        for role in ("hospital", "doctor", "central")
    ),
    Rule("doctor", _SEE, _EXCHANGED),
    Rule("doctor", frozenset({"create"}), frozenset({"ServiceRequest", "Communication"})),
    Rule("doctor", frozenset({"move"}), _CASE),
    Rule("central", _SEE, _EXCHANGED, confined=True),
    Rule("central", frozenset({"move"}), _CASE, confined=True),
    Rule("population", _LOOK | {"export"}, frozenset({"Patient", "Person"})),
    Rule("auditor", _LOOK, frozenset({"AuditEvent"})),
    Rule("gateway", frozenset({"deliver"}), _MESSAGE, confined=True),
    Rule("admin", frozenset(SCOPE_LETTERS), Every()),
)


@lru_cache(maxsize=4096)
def may(caller: Caller, interaction: str, resource_type: str) -> Access:
    """How the caller may do this; Forbidden when no rule says so."""
    action = ACTIONS.get(interaction, "")
    rule = _rule(caller.role, action, resource_type)
    if rule is None or (rule.confined and not caller.organization):
        raise Forbidden(f"the role {caller.role} may not {interaction} {resource_type}")
    if not any(_covers(scope, SCOPE_LETTERS[action], resource_type) for scope in caller.scopes):
        raise Forbidden(f"the token's scope does not cover {interaction} {resource_type}")
    return Access(caller.organization if rule.confined else _outsider(caller), caller.organization or None)


def readers(caller: Caller, interaction: str, types: Iterable[str]) -> dict[str, Reader]:
    """Those of the types on which ``may`` lets the caller pass, and who the caller is there."""
    found: dict[str, Reader] = {}
    for type_ in types:
        with suppress(Forbidden):
            found[type_] = may(caller, interaction, type_).reader
    return found


def _outsider(caller: Caller) -> Reader:
    """Who sees every hospital sees no other's secrets, unless the glass is broken; the admin owns what nobody owns."""
    if EVERY_PATIENT in caller.unlocked:
        return None
    house = caller.organization or ("" if caller.role == "admin" else None)
    return Outsider(house, caller.unlocked)


def may_ingest(caller: Caller, hospital: str) -> Access:
    """As ``may``; a hospital sends in its own name only."""
    access = may(caller, "ingest", "Bundle")
    if isinstance(access.reader, str) and access.reader != hospital:
        raise Forbidden(f"{caller.client} may not send messages of another hospital", "hospital")
    return access


def is_sender(caller: Caller, hospital: str) -> bool:
    """Whether ``may_ingest`` lets the caller pass."""
    try:
        may_ingest(caller, hospital)
    except Forbidden:
        return False
    return True


def _rule(role: str, action: str, resource_type: str) -> Rule | None:
    if resource_type == "AuditEvent" and action in WRITES:
        return None
    return next((r for r in RULES if r.role == role and action in r.actions and resource_type in r.types), None)


def _covers(scope: str, letter: str, resource_type: str) -> bool:
    parts = SCOPE.fullmatch(scope)
    if parts is None:
        return False
    types, letters = parts.groups()
    return types in ("*", resource_type) and letter in OLD_SCOPES.get(letters, letters)

"""Where a search looks: at one type, at several, at the whole system, in the compartment of one record.

https://hl7.org/fhir/R4/http.html#vsearch
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.problem import BadRequest, Forbidden, NotSupported
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.settle import links
from fhir_gateway.search.criteria import Choice, Compartment, Condition, Criterion, Ids
from fhir_gateway.search.registry import COMPARTMENTS, compartment, compartment_types
from fhir_gateway.security.access import may, readers
from fhir_gateway.security.sight import Reader

TYPES = "_type"
EVERYTHING = "*"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Ground:
    """``path`` as in the address: ``Patient``, empty, ``Patient/1/Observation``, ``Patient/1/*``."""

    type: str = ""
    owner: str = ""

    @property
    def path(self) -> str:
        return f"{self.owner}/{self.type or EVERYTHING}" if self.owner else self.type

    @property
    def interaction(self) -> str:
        return "search-type" if self.type else "search-system"

    def types(self, visit: Visit, pairs: Sequence[Pair]) -> dict[str, Reader]:
        """Each type to look at, and the reader that the caller is there. Raises Forbidden for one that is named."""
        named = (self.type,) if self.type else _named(pairs)
        if named:
            return {type_: may(visit.caller, self.interaction, type_).reader for type_ in named}
        allowed = readers(visit.caller, self.interaction, self._possible())
        if not allowed:
            raise Forbidden(f"the role {visit.caller.role} may not {self.interaction}")
        return allowed

    def _possible(self) -> Sequence[str]:
        """All types that the ground may hold. The audit trail is searched only where it is named."""
        types = compartment_types(self._owning_type()) if self.owner else sorted(resource_types())
        return [type_ for type_ in types if type_ != "AuditEvent"]

    def _owning_type(self) -> str:
        kind = self.owner.partition("/")[0]
        if kind not in COMPARTMENTS:
            raise NotSupported(f"{kind} has no compartment; {', '.join(COMPARTMENTS)} have")
        return kind

    def criteria(self, type_: str) -> tuple[Criterion, ...]:
        """What puts a record of the type on this ground, besides its type."""
        if not self.owner:
            return ()
        kind, id_ = self._owning_type(), self.owner.partition("/")[2]
        if type_ not in compartment_types(kind):
            raise BadRequest(f"no {type_} is in the compartment of a {kind}")
        if kind == "Patient":
            return (Compartment((id_,)),)
        if type_ == kind and not compartment(type_, kind):
            return (Ids((self.owner,)),)
        keys = sorted(compartment(type_, kind))
        choices: list[Choice] = [choice for key in keys for choice in links(key, (self.owner,))]
        return (Condition(tuple(choices), 2),)


def _named(pairs: Sequence[Pair]) -> tuple[str, ...]:
    names = [name for code, value in pairs if code == TYPES for name in value.split(",")]
    for name in names:
        if name not in resource_types():
            raise BadRequest(f"'{TYPES}' names {name[:40]!r}, which is no resource type of R4", TYPES)
    return tuple(sorted(set(names)))

"""What a bulk export was asked for, checked before it begins, in a form that outlives the process.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.fhir.subset import wanted
from fhir_gateway.problem import BadRequest, Forbidden, NotSupported
from fhir_gateway.records.condition import pairs
from fhir_gateway.search.query import parse
from fhir_gateway.search.registry import compartment_types
from fhir_gateway.security.access import may
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.sight import Outsider, Reader

EXPORT = "$export"
FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
KNOWN = ("_since", "_type", "_typeFilter", "_outputFormat", "_elements")
LATER = ("patient", "includeAssociatedData", "organizeOutputBy", "_until", "allowPartialManifests")
# Filters may be repeated or, as the guide's own example has them, stand behind a comma; so may values within one.
_ANOTHER = re.compile(rf",(?=(?:{'|'.join(sorted(resource_types()))})\?)")
NOBODY = Caller("", "", "", ())


@dataclass(frozen=True, slots=True)
class Order:
    """``group`` is the versioned reference of the Group; ``patients`` says that only compartments are wanted.

    ``filters`` are queries by type, of which a record has to meet one; ``reader`` confines all of it. With the rights
    of ``asker`` it is found out what a filter asks of other records.
    """

    types: tuple[str, ...]
    moment: datetime
    since: datetime | None = None
    filters: tuple[tuple[str, str], ...] = ()
    elements: str = ""
    patients: bool = False
    group: str = ""
    reader: Reader = None
    asker: Caller = NOBODY

    def queries(self, type_: str) -> list[str]:
        return [query for name, query in self.filters if name == type_]

    def kept(self) -> dict[str, Any]:
        """The order as a note holds it."""
        return {**asdict(self), "types": list(self.types), "filters": [list(pair) for pair in self.filters]}


def restored(kept: Mapping[str, Any]) -> Order:
    filters = tuple((name, query) for name, query in kept["filters"])
    reader = kept["reader"]
    if isinstance(reader, Mapping):
        reader = Outsider(reader["organization"], tuple(reader["patients"]))
    asker = kept.get("asker")
    by = Caller(**{**asker, "scopes": tuple(asker["scopes"]), "unlocked": ()}) if asker else NOBODY
    own = {"types": tuple(kept["types"]), "filters": filters, "reader": reader, "asker": by}
    return Order(**{**kept, **own})


def ordered(asked: Arguments, caller: Caller, moment: datetime, level: str = "", group: str = "") -> Order:
    """The order of one request; ``level`` is ``Patient``, ``Group`` or empty. Raises BadRequest, Forbidden."""
    asked.only((*KNOWN, "_format"), LATER)
    _must_be_ndjson(asked.text("_outputFormat"))
    filters = tuple(_filter(text) for given in asked.all("_typeFilter") for text in _ANOTHER.split(str(given)))
    types, reader = _types(asked.texts("_type"), caller, level)
    for name, _ in filters:
        if name not in types:
            raise BadRequest(f"a _typeFilter is about {name}, which is not exported", "_typeFilter")
    elements = ",".join(asked.texts("_elements"))
    wanted([("_elements", elements)] if elements else [], None)
    since = asked.instant("_since")
    return Order(types, moment, since, filters, elements, level == "Patient", group, reader, caller)


def _must_be_ndjson(wanted_format: str | None) -> None:
    if wanted_format is not None and wanted_format.replace(" ", "+") not in FORMATS:
        raise NotSupported("an export is written as application/fhir+ndjson", "_outputFormat")


def _types(named: list[str], caller: Caller, level: str) -> tuple[tuple[str, ...], Reader]:
    """What is exported, and the reader it is confined to: what is named must be allowed, the rest is what may be."""
    whole = compartment_types("Patient") if level else sorted(resource_types() - {"AuditEvent"})
    for name in named:
        if name not in resource_types():
            raise BadRequest(f"'{name[:64]}' is not a resource type of R4", "_type")
        if level and name not in whole:
            raise BadRequest(f"{name} is in no patient's compartment", "_type")
    chosen = tuple(dict.fromkeys(named)) or tuple(name for name in whole if _may(caller, name))
    if not chosen:
        raise Forbidden(f"the role {caller.role} may not {EXPORT}")
    readers = {may(caller, EXPORT, name).reader for name in chosen}
    return chosen, next((reader for reader in readers if reader is not None), None)


def _may(caller: Caller, type_: str) -> bool:
    try:
        may(caller, EXPORT, type_)
    except Forbidden:
        return False
    return True


def _filter(text: str) -> tuple[str, str]:
    """``Observation?status=final``, its parameters known and legal."""
    type_, mark, query = text.partition("?")
    if not mark or not query:
        raise BadRequest("a _typeFilter looks like Type?parameter=value", "_typeFilter")
    asked = parse(type_, pairs(query))
    if asked.sorts or asked.includes or asked.revincludes or asked.count_only:
        raise NotSupported("a _typeFilter takes search parameters, no order and no includes", "_typeFilter")
    return type_, query

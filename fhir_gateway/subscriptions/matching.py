"""Whether one version of a record meets a search: the search's own stages, read here instead of in the database.

https://hl7.org/fhir/R4/search.html

The database can only be asked about current versions; a notification is about the version that was written. So the
``$match`` stages that ``store.filter`` makes of a query are applied to the one record, and a query that makes anything
else (a chain, a list) is refused when it is subscribed to.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import NotSupported
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import Query
from fhir_gateway.security.sight import Reader
from fhir_gateway.store.filter import stages
from fhir_gateway.store.meeting import Record, meets, readable
from fhir_gateway.store.port import Version
from fhir_gateway.store.typed import with_type

_ORDER = frozenset({"$sort", "$limit", "$project", "$set"})


def record(version: Version, resource: Resource | None = None) -> Record:
    """The version as a search sees it. Decodes the text unless the ``resource`` is at hand."""
    fields = index(resource if resource is not None else decode_resource(version.body))
    return {**placed(version, fields), "deleted": False}


def placed(version: Version, fields: Mapping[str, Any]) -> Record:
    """A version and what it is found by, as a search sees them."""
    own = {"_id": version.reference, "type": version.type, "id": version.id, "updated": version.updated}
    seen = {"deleted": version.deleted, "readers": list(version.readers), "secret": version.secret}
    return {**with_type(version.type, fields), **own, **seen}


def watchable(query: Query) -> Query:
    """The query itself. Raises NotSupported for one that a single record cannot answer."""
    try:
        conditions = _conditions(query, None)
    except (KeyError, TypeError):
        # A kind of criterion that has no stages of its own: it is answered by other searches first.
        conditions = None
    if conditions is None or not all(map(readable, conditions)) or query.includes or query.revincludes:
        raise NotSupported("a subscription's search must be about the record itself: no chain, no include", "criteria")
    return query


def matches(query: Query, found: Record, reader: Reader = None) -> bool:
    """Whether the record is one that the search would find for ``reader``."""
    return all(meets(found, condition) for condition in _conditions(query, reader) or ())


@lru_cache(maxsize=4096)
def _conditions(query: Query, reader: Reader) -> tuple[Mapping[str, Any], ...] | None:
    found = []
    for stage in stages(query, reader):
        if "$match" in stage:
            found.append(stage["$match"])
        elif not stage.keys() <= _ORDER:
            return None
    return tuple(found)

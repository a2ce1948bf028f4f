"""Where a record stands in the order of a search, told from the record alone.

https://hl7.org/fhir/R4/search.html#sort
"""

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.search import cursor
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import Query
from fhir_gateway.store.port import Version

Position = tuple[str | float, ...]


def position(query: Query, version: Version) -> Position:
    """Its values in the query's order; its search keys are made only where a value is one of them."""
    fields = index(decode_resource(version.body)) if cursor.needs_index(query) else {}
    return cursor.position(query, version.reference, version.updated, fields)

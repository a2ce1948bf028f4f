"""A desk on the real store, and visits of the roles that matter."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import DEVELOPMENT_CLIENTS, Caller
from fhir_gateway.store.port import Store
from fhir_gateway.terminology.library import Library
from fhir_gateway.terminology.search import SearchTerms


@pytest.fixture
def desk(store: Store) -> Desk:
    clock, terms = lambda: datetime.now(UTC), SearchTerms(Library(store), store)
    return Desk(store, Trail(store), clock, b"s" * 32, 20, 50, "http://gateway/fhir", "test", terminology=terms)


@pytest.fixture
def visit_of() -> Callable[[str], Visit]:
    clients = {name: Caller(name, role, organization) for name, role, organization in DEVELOPMENT_CLIENTS}
    return lambda name: Visit(clients[name], "request-1", "192.0.2.1")

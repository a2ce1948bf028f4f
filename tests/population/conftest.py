"""A desk on the real store, visits of the roles, and records to export."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fhir_gateway.population import export
from fhir_gateway.population.export import Exports
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import DEVELOPMENT_CLIENTS, Caller
from fhir_gateway.store.port import Store


def _now() -> datetime:
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store, Trail(store), _now, b"s" * 32, 20, 50, "http://gateway/fhir", "test")


@pytest.fixture
def exports(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exports:
    """Nobody else writes here, so there is no commit to wait for."""
    monkeypatch.setattr(export, "SETTLE", timedelta(0))
    return Exports(desk, tmp_path)


@pytest.fixture
def visit_of() -> Callable[[str], Visit]:
    clients = {name: Caller(name, role, organization) for name, role, organization in DEVELOPMENT_CLIENTS}
    return lambda name: Visit(clients[name], "request-1", "192.0.2.1")

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from fhir_gateway.store.port import Change, Event, Job, Version

NOON = datetime(2026, 11, 23, 12, 0, 0, 123000, UTC)


@pytest.fixture
def version() -> Callable[..., Version]:
    def make(id_: str = "p1", number: int = 1, body: bytes = b'{"n":7.20}', **more: object) -> Version:
        return Version("Patient", id_, number, NOON, body, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def change(version: Callable[..., Version]) -> Callable[..., Change]:
    def make(id_: str = "p1", number: int = 1, keys: tuple[str, ...] = (), **more: object) -> Change:
        index = {"keys": list(keys), "patients": []}
        return Change(version(id_, number, **more), number - 1, index)

    return make


@pytest.fixture
def event() -> Callable[..., Event]:
    def make(id_: str = "e1", body: bytes = b'{"event":1}') -> Event:
        return Event(id_, NOON, body, {"keys": [], "patients": []})

    return make


@pytest.fixture
def job() -> Callable[..., Job]:
    def make(id_: str, group: str = "", queue: str = "out") -> Job:
        return Job(id_, queue, group, NOON, {"for": id_})

    return make

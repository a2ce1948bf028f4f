"""What goes into a store, and the records that searches are tried on."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from fhir_gateway.search.extract import INDEXES, index
from fhir_gateway.store.embedded import Engine
from fhir_gateway.store.port import Change, Event, Job, Version
from fhir_gateway.store.typed import with_type

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


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection[dict[str, Any]]]:
    """Those of searched.json with their indexes, each a day younger than the one before."""
    searched = json.loads((Path(__file__).parent / "searched.json").read_text(encoding="utf-8"))
    engine = Engine(tmp_path_factory.mktemp("data"))
    engine.start()
    client: MongoClient[dict[str, Any]] = MongoClient(engine.url, tz_aware=True)
    try:
        records = client.search.records
        for one in INDEXES:
            records.create_index([(field, 1) for field in one.fields], name=one.name)
        records.insert_many([_document(resource, at) for at, resource in enumerate(searched)])
        yield records
    finally:
        client.close()
        engine.stop()


def _document(resource: dict[str, Any], at: int) -> dict[str, Any]:
    gone = bool(resource.get("deleted"))
    return {
        "_id": f"{resource['resourceType']}/{resource['id']}",
        "type": resource["resourceType"],
        "id": resource["id"],
        "updated": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=at),
        "deleted": gone,
        "readers": ["qn", "central"] if resource.get("shared") else ["qn"],
        "secret": at % 3 == 0,
        "owner": "qn",
        **({} if gone else with_type(resource["resourceType"], index(resource))),
    }

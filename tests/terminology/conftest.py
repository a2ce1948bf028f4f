"""A library on the real store, and a way to put definitions into it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import update
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Store
from fhir_gateway.terminology.library import Library

ADMIN = Visit(Caller("admin", "admin", ""), "request-1", "192.0.2.1")
DISEASES = {
    "resourceType": "CodeSystem",
    "id": "diseases",
    "url": "http://example.org/diseases",
    "version": "1",
    "status": "active",
    "content": "complete",
    "concept": [
        {
            "code": "A",
            "display": "Bệnh truyền nhiễm",
            "property": [{"code": "notSelectable", "valueBoolean": True}],
            "concept": [
                {
                    "code": "A90",
                    "display": "Sốt xuất huyết Dengue",
                    "definition": "Do vi-rút Dengue",
                    "designation": [{"language": "en", "value": "Dengue fever"}],
                },
                {"code": "A91", "display": "Sốt Dengue nặng", "property": [{"code": "chapter", "valueCode": "I"}]},
                {"code": "A15", "display": "Lao phổi", "property": [{"code": "status", "valueCode": "retired"}]},
            ],
        },
        {"code": "J18", "display": "Viêm phổi"},
    ],
}


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store, Trail(store), lambda: datetime.now(UTC), b"s" * 32, 20, 50, "http://gateway/fhir", "test")


@pytest.fixture
def put(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def put(*resources: dict[str, Any]) -> None:
        for one in resources:
            await update(desk, ADMIN, f"{one['resourceType']}/{one['id']}", one)

    return put


@pytest.fixture
async def library(store: Store, put: Callable[..., Awaitable[None]]) -> Library:
    """With one code system: A is above A90, A91 and A15; J18 stands alone."""
    await put(DISEASES)
    return Library(store)


@pytest.fixture
def value_set() -> Callable[..., dict[str, Any]]:
    """A value set of the diseases made of includes."""

    def make(*includes: dict[str, Any], **more: Any) -> dict[str, Any]:
        facts = {"resourceType": "ValueSet", "id": "vs", "url": "http://example.org/vs", "status": "active"}
        parts = [{"system": DISEASES["url"], **one} if "valueSet" not in one else one for one in includes]
        return {**facts, "compose": {"include": parts, **more}}

    return make

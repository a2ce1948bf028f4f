"""How much of a commit goes to the database at once."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.mongo.grouping import Groups
from fhir_gateway.store.mongo.statements import NARROW, REST, WIDE, cost, replace, statements
from fhir_gateway.store.port import Change, Commit

Make = Callable[..., Change]


def document(keys: int) -> dict[str, Any]:
    return {"keys": ["k"] * keys}


@given(st.lists(st.integers(0, 300)), st.integers(1, 500))
@settings(deadline=None, max_examples=200)
def test_every_document_goes_once_in_order_and_no_statement_costs_more_than_allowed(keys: list[int], most: int) -> None:
    documents = [document(number) for number in keys]
    parts = list(statements(documents, lambda: most))
    assert [one for part in parts for one in part] == documents
    assert all(len(part) == 1 or sum(map(cost, part)) <= most for part in parts)


def test_documents_are_made_when_their_statement_goes() -> None:
    made = []

    def documents() -> Any:
        for number in range(10):
            made.append(number)
            yield document(0)

    next(statements(documents(), lambda: 3 * REST))
    assert made == [0, 1, 2, 3]


def test_a_statement_shrinks_while_it_is_under_way() -> None:
    allowed = iter([100, 100, *[REST] * 20])
    parts = list(statements([document(0)] * 8, lambda: next(allowed)))
    assert [len(part) for part in parts] == [3, 1, 1, 1, 1, 1]


@pytest.mark.anyio
async def test_a_large_commit_asks_for_less_while_small_ones_are_about() -> None:
    async def write(commit: Commit) -> None:
        """Durable at once."""

    groups = Groups(write)
    assert groups.most() == WIDE
    await groups.commit(Commit(settled=("job",)))
    assert groups.most() == NARROW


@pytest.mark.anyio
async def test_replacements_in_several_statements_are_counted_together(store: MongoStore, change: Make) -> None:
    home = store._database.resources
    await store.commit(Commit(tuple(change(f"p{number}") for number in range(5))))
    names = [f"Patient/p{number}" for number in range(6)]
    pairs = [({"_id": name, "version": 1}, {"_id": name, "version": 2}) for name in names]
    assert replace(home.delegate, pairs, None, lambda: 2 * REST) == 5
    assert await home.count_documents({"version": 2}) == 5


@pytest.mark.anyio
async def test_a_commit_of_many_new_versions_keeps_all_of_their_history(store: MongoStore, change: Make) -> None:
    keys = tuple(f"k{number}:v" for number in range(30))
    for version in (1, 2):
        await store.commit(Commit(tuple(change(f"p{number}", version, keys) for number in range(60))))
    for number in (0, 20, 40, 59):
        assert [one.number for one in await store.versions(f"Patient/p{number}", None, 9)] == [2, 1]

"""Words found by an index: only when all records have it, then among any number of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fhir_gateway.problem import TooCostly
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.find import search
from fhir_gateway.records.journal import Visit
from fhir_gateway.records.write import update
from fhir_gateway.search import vocabulary

pytestmark = pytest.mark.anyio


@pytest.fixture
def declared() -> Iterator[None]:
    yield
    vocabulary.declare("")


async def _write(desk: Desk, visit: Visit, **narratives: str) -> None:
    for name, text in narratives.items():
        div = f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'
        body = {"resourceType": "Condition", "id": name, "subject": {"reference": "Patient/p"}}
        await update(desk, visit, f"Condition/{name}", {**body, "text": {"status": "generated", "div": div}})


async def _found(desk: Desk, visit: Visit, *pairs: tuple[str, str]) -> str:
    page = await search(desk, visit, "Condition", [*pairs])
    return " ".join(version.id for version in page.matches)


async def test_words_are_found_by_an_index_once_all_records_have_it(desk: Desk, visit_of, declared: None) -> None:
    admin = visit_of("admin")
    await _write(desk, admin, a="Viêm phổi nặng", b="Viêm gan", c="Sốt")
    assert await _found(desk, admin, ("_text", "viem ph")) == "a"

    vocabulary.declare("Condition")
    few = replace(desk, chain_limit=2)
    with pytest.raises(TooCostly, match="at most 2 records"):
        await _found(few, admin, ("_text", "viem"))
    assert not (await desk.store.upkeep()).current
    assert await _found(desk, admin, ("_text", "viem")) == "a b"

    assert await desk.store.keep_up("me")
    assert await _found(few, admin, ("_text", "viem")) == "a b"
    assert await _found(few, admin, ("_text", "VIÊM PHỔI,sốt")) == "a c"
    assert await _found(few, admin, ("_text", "gan viêm"), ("_id", "b,c")) == "b"

    await _write(desk, admin, d="Viêm họng")
    assert await _found(few, admin, ("_text", "hong")) == "d"


async def test_the_plan_names_the_index_of_words(desk: Desk, visit_of, declared: None) -> None:
    admin = visit_of("admin")
    vocabulary.declare("Condition")
    # Of one record, to walk all ids is as short.
    await _write(desk, admin, a="Viêm phổi", **{f"x{number}": "Gãy tay" for number in range(12)})
    await desk.store.keep_up("me")

    page = await search(desk, admin, "Condition", [("_text", "viem phoi"), ("_explain", "true")])
    told = page.explanation.decode()
    assert "Condition: index keys" in told
    assert "_text within" in told
    assert "collection scan" not in told

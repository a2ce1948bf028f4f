"""Named fields of many notes, without the rest of them."""

import pytest

from fhir_gateway.store.port import Commit, Note

pytestmark = pytest.mark.anyio


async def test_only_the_named_fields_of_the_wanted_notes_come(store):
    content = {"hour": "a/1", "state": "stored", "problems": [{"text": "x", "where": "secret"}], "large": "y" * 99}
    notes = [Note("shelf", f"{n}", {**content, "hour": f"a/{n % 10}"}) for n in range(30)]
    await store.commit(Commit(notes=(*notes, Note("other", "1", content))))
    wanted = ("hour", [f"a/{n}" for n in range(8)])
    rows = await store.columns("shelf", wanted, ("hour", "problems.text", "absent"))
    assert sorted(row["hour"] for row in rows) == sorted(f"a/{n}" for n in range(8) for _ in range(3))
    assert {repr(row["problems"]) for row in rows} == {"[{'text': 'x'}]"}
    assert {tuple(sorted(row)) for row in rows} == {("hour", "problems")}
    assert await store.columns("shelf", ("hour", []), ("hour",)) == []

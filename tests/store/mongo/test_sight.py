"""Who sees what: the stage of a search and the look at one version say the same, and an index finds it."""

from collections.abc import Callable

import pytest

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.records.revision import deletion
from fhir_gateway.search.criteria import Ids
from fhir_gateway.search.extract import index
from fhir_gateway.search.query import Query, parse
from fhir_gateway.security.sight import Outsider, Reader
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Change, Commit, Grant, Stretch, Timeline, Version
from fhir_gateway.store.sight import sees

pytestmark = pytest.mark.anyio

LABEL = '{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}'
READERS: tuple[Reader, ...] = (
    None,
    "own",
    "other",
    "friend",
    Outsider(None),
    Outsider(""),
    Outsider("own"),
    Outsider("friend"),
    Outsider("other"),
    Outsider("other", ("secret",)),
    Outsider(None, ("open", "nowhere")),
)


@pytest.fixture
async def filled(store: MongoStore, version: Callable[..., Version]) -> list[Version]:
    """An open and a secret record of a hospital, one that it granted to a friend, and one that belongs to nobody."""
    changes = []
    for name, owner in (("open", "own"), ("secret", "own"), ("granted", "own"), ("nobodys", "")):
        meta = "" if name == "open" else f'"meta":{{"security":[{LABEL}]}},'
        body = f'{{"resourceType":"Patient","id":"{name}",{meta}"gender":"male"}}'.encode()
        readers = (owner,) if owner else ()
        made = version(name, body=body, readers=readers, owner=owner, secret=name != "open")
        changes.append(Change(made, 0, index(decode_resource(body))))
    await store.commit(Commit(tuple(changes)))
    await store.commit(Commit(grants=(Grant("Patient/granted", "friend"),)))
    names = tuple(change.version.reference for change in changes)
    return await store.find(Query("Patient", (Ids(names),)))


@pytest.mark.parametrize("reader", READERS, ids=str)
async def test_a_search_finds_what_is_seen(store: MongoStore, filled: list[Version], reader: Reader) -> None:
    seen = {version.id for version in filled if sees(reader, version)}
    query = parse("Patient", [("gender", "male")])
    assert {version.id for version in await store.find(query, reader)} == seen
    assert await store.count(query, reader) == len(seen)
    assert {version.id for version in await store.find(parse("Patient", []), reader)} == seen
    walked = [version.id async for version in store.walk(Stretch("Patient", filled[0].updated, reader=reader))]
    assert set(walked) == seen


def test_who_sees_what_is_as_the_law_has_it(filled: list[Version]) -> None:
    seen = {str(reader): sorted(one.id for one in filled if sees(reader, one)) for reader in READERS}
    assert list(seen.values()) == [
        ["granted", "nobodys", "open", "secret"],
        ["granted", "open", "secret"],
        [],
        ["granted"],
        ["open"],
        ["nobodys", "open"],
        ["granted", "open", "secret"],
        ["granted", "open"],
        ["open"],
        ["open", "secret"],
        ["open"],
    ]


async def test_hiding_takes_no_index_away(store: MongoStore, filled: list[Version]) -> None:
    for reader in (Outsider("other"), Outsider("other", ("secret",))):
        plan = await store.explain(parse("Patient", [("gender", "male")]), reader)
        assert not plan.scans
        assert plan.indexes


async def test_a_deletion_of_what_is_secret_is_secret(store: MongoStore, filled: list[Version]) -> None:
    (secret,) = (version for version in filled if version.id == "secret")
    await store.commit(Commit((deletion(secret, secret.updated),)))
    gone = await store.current("Patient/secret")
    assert gone is not None
    assert (gone.deleted, sees(Outsider("other"), gone), sees("own", gone)) == (True, False, True)
    told = await store.changes(Timeline(20, "Patient", reader=Outsider("other")))
    assert {version.id for version in told} == {"open"}

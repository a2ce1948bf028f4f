"""Bulk data over HTTP: kick-off, status, files, removal; import by body and by named files."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from fhir_gateway.api.bulk import BulkDoors
from fhir_gateway.api.routes import fhir_routes, last_route
from fhir_gateway.population.admission import Imports
from fhir_gateway.population.export import Exports

pytestmark = pytest.mark.anyio
ROOT = "http://gateway"
NDJSON = {"content-type": "application/fhir+ndjson"}
ASYNC = {"prefer": "respond-async"}


@dataclass
class Bulk:
    """Clients by name, and the work that a gateway does in the background, done when the test says so."""

    client: Callable[[str], httpx.AsyncClient]
    exports: Exports
    imports: Imports

    async def work(self):
        return await self.exports.go_on("test") + await self.imports.go_on("test")


@pytest.fixture
async def bulk(services, tmp_path: Path) -> AsyncIterator[Bulk]:
    (tmp_path / "open").mkdir()
    doors = BulkDoors(tmp_path, timedelta(days=1), lambda: None, tmp_path / "open", 10_000)
    transport = httpx.ASGITransport(
        Starlette(routes=[*doors.routes(services), *fhir_routes(services), last_route(services)])
    )
    opened: list[httpx.AsyncClient] = []

    def client(name: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {services.tokens.development_token(name)}"} if name else {}
        opened.append(httpx.AsyncClient(transport=transport, base_url=ROOT, headers=headers))
        return opened[-1]

    yield Bulk(client, Exports(services.desk, tmp_path), Imports(services.desk, tmp_path, tmp_path / "open"))
    for each in opened:
        await each.aclose()


def people(*names):
    return b"".join(json.dumps({"resourceType": "Patient", "id": name}).encode() + b"\n" for name in names)


async def imported(bulk, client, body, **headers):
    answer = await client.post("/fhir/$import", content=body, headers={**NDJSON, **ASYNC, **headers})
    assert answer.status_code == 202, answer.text
    waiting = await client.get(answer.headers["content-location"])
    assert (waiting.status_code, waiting.headers["retry-after"]) == (202, "1")
    assert await bulk.work() == 1
    return answer.headers["content-location"], (await client.get(answer.headers["content-location"])).json()


async def test_an_export_may_be_ordered_by_a_post_without_a_body(bulk):
    admin = bulk.client("admin")
    await imported(bulk, admin, people("a"))
    kick_off = await admin.post("/fhir/$export?_type=Patient", headers=ASYNC)
    assert kick_off.status_code == 202, kick_off.text
    await bulk.work()
    (file,) = (await admin.get(kick_off.headers["content-location"])).json()["output"]
    assert (file["type"], file["count"]) == ("Patient", 1)


async def test_an_export_is_promised_then_reported_then_fetched(bulk):
    admin = bulk.client("admin")
    await imported(bulk, admin, people("a", "b"))
    kick_off = await admin.get("/fhir/$export?_type=Patient", headers=ASYNC)
    assert kick_off.status_code == 202
    place = kick_off.headers["content-location"]
    waiting = await admin.get(place)
    assert waiting.status_code == 202
    assert "0 resources written" in waiting.headers["x-progress"]
    assert int(waiting.headers["retry-after"]) > 0
    await bulk.work()
    done = await admin.get(place, headers={"accept": "application/json"})
    manifest = done.json()
    assert done.headers["content-type"] == "application/json"
    assert "expires" in done.headers
    assert manifest["request"] == f"{ROOT}/fhir/$export?_type=Patient"
    assert manifest["requiresAccessToken"] is True
    assert (manifest["deleted"], manifest["error"]) == ([], [])
    (output,) = manifest["output"]
    assert (output["type"], output["count"]) == ("Patient", 2)
    file = await admin.get(output["url"], headers={"accept": "application/fhir+ndjson"})
    assert file.headers["content-type"] == "application/fhir+ndjson"
    assert {json.loads(line)["id"] for line in file.text.splitlines()} == {"a", "b"}


async def test_files_and_status_need_the_token_of_who_asked(bulk):
    hospital = bulk.client("bai-chay")
    await imported(bulk, hospital, people("a"))
    place = (await hospital.get("/fhir/Patient/$export")).headers["content-location"]
    await bulk.work()
    url = (await hospital.get(place)).json()["output"][0]["url"]
    assert (await bulk.client("").get(url)).status_code == 401
    assert (await bulk.client("san-nhi").get(url)).status_code == 404
    assert (await bulk.client("san-nhi").get(place)).status_code == 404
    assert (await hospital.get(url)).status_code == 200


async def test_each_job_and_each_download_is_on_the_audit_trail(bulk, store):
    admin = bulk.client("admin")
    await imported(bulk, admin, people("a"))
    place = (await admin.get("/fhir/$export")).headers["content-location"]
    await bulk.work()
    await admin.get(f"{place}/Patient")
    events = [json.loads(event.body) for event in await store.unsealed(100)]
    codes = [event["subtype"][0]["code"] for event in events]
    assert codes.count("$import") == 2
    assert codes.count("$export") == 1
    assert codes.count("$export-file") == 1


async def test_deleting_an_export_ends_it_and_its_files(bulk):
    admin = bulk.client("admin")
    place = (await admin.get("/fhir/$export")).headers["content-location"]
    assert (await admin.delete(place)).status_code == 202
    assert await bulk.work() == 0
    assert (await admin.get(place)).status_code == 404


async def test_a_group_is_exported_by_post_with_parameters(bulk):
    admin = bulk.client("admin")
    group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True}
    group["member"] = [{"entity": {"reference": "Patient/a"}}]
    await imported(bulk, admin, people("a", "b") + json.dumps(group).encode())
    asked = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueString": "Patient"}]}
    answer = await admin.post("/fhir/Group/g/$export", json=asked)
    await bulk.work()
    (output,) = (await admin.get(answer.headers["content-location"])).json()["output"]
    assert output["count"] == 1
    assert (await admin.get("/fhir/Group/none/$export")).status_code == 404


async def test_an_export_that_makes_no_sense_is_refused_at_once(bulk):
    admin = bulk.client("admin")
    for query in ("_type=Patiant", "_outputFormat=text/csv", "_since=never", "_typo=1"):
        assert (await admin.get(f"/fhir/$export?{query}")).status_code == 400, query
    assert (await admin.get("/fhir/$export", headers={"prefer": "return=minimal"})).status_code == 400
    assert (await bulk.client("doctor").get("/fhir/$export")).status_code == 403


async def test_an_import_tells_counts_and_serves_what_it_refused(bulk):
    admin = bulk.client("admin")
    body = people("a") + b"{}\n"
    place, account = await imported(bulk, admin, gzip.compress(body), **{"content-encoding": "gzip"})
    (output,) = account["output"]
    assert {name: output[name] for name in ("read", "created", "refused")} == {"read": 2, "created": 1, "refused": 1}
    assert account["error"][0]["count"] == 1
    refused = (await admin.get(account["error"][0]["url"])).json()
    assert refused["issue"][0]["diagnostics"].startswith("input.ndjson.gz:2: ")
    assert (await admin.delete(place)).status_code == 202
    assert (await admin.get(place)).status_code == 404
    assert (await admin.get("/fhir/Patient/a")).status_code == 200


async def test_a_bundle_is_imported_too(bulk):
    entry = {"fullUrl": "urn:uuid:x", "resource": {"resourceType": "Patient", "id": "x"}}
    admin = bulk.client("admin")
    headers = {"content-type": "application/fhir+json"}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [entry]}
    answer = await admin.post("/fhir/$import", json=bundle, headers=headers)
    await bulk.work()
    assert (await admin.get(answer.headers["content-location"])).json()["output"][0]["created"] == 1


def parameters(url):
    part = [{"name": "type", "valueCode": "Patient"}, {"name": "url", "valueUrl": url}]
    return {"resourceType": "Parameters", "parameter": [{"name": "input", "part": part}]}


async def test_files_are_named_only_inside_the_open_folder(bulk, tmp_path):
    admin = bulk.client("admin")
    (tmp_path / "open" / "p.ndjson").write_bytes(people("a", "b"))
    (tmp_path / "secret.ndjson").write_bytes(people("s"))
    (tmp_path / "open" / "link.ndjson").symlink_to(tmp_path / "secret.ndjson")
    answer = await admin.post("/fhir/$import", json=parameters(f"file://{tmp_path}/open/p.ndjson"))
    await bulk.work()
    assert (await admin.get(answer.headers["content-location"])).json()["output"][0]["created"] == 2
    for outside in ("secret.ndjson", "open/../secret.ndjson", "open/link.ndjson", "open/none.ndjson"):
        refused = await admin.post("/fhir/$import", json=parameters(f"file://{tmp_path}/{outside}"))
        assert refused.status_code == 400, outside
    assert (await admin.post("/fhir/$import", json=parameters("http://elsewhere/p.ndjson"))).status_code == 400


async def test_an_import_that_is_too_long_leaves_nothing_behind(bulk, tmp_path):
    answer = await bulk.client("admin").post("/fhir/$import", content=b" " * 10_001, headers=NDJSON)
    assert answer.status_code == 413
    assert list((tmp_path / "import-jobs").iterdir()) == []


async def test_only_who_may_import_can(bulk):
    for name in ("doctor", "population", "bach-mai"):
        assert (await bulk.client(name).post("/fhir/$import", content=people("a"), headers=NDJSON)).status_code == 403

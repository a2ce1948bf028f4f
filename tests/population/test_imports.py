"""Bulk import on the real engine: ids kept, nothing lost, counts that add up, also after a kill."""

import asyncio
import bz2
import gzip
import json
import os
import signal
import sys
from dataclasses import asdict

import pytest

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.population import imports, shelf, source
from fhir_gateway.population.intake import Counts
from fhir_gateway.records import write

pytestmark = pytest.mark.anyio


def patient(key, **more):
    return {"resourceType": "Patient", "id": key, "name": [{"family": f"Trần {key}"}], **more}


def lines(*resources):
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in resources)


def bundle(kind, *entries):
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": list(entries)}).encode()


def entry(resource, url="", method="POST", **request):
    request = {"method": method, "url": url or resource["resourceType"], **request}
    return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource, "request": request}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "files"
    place.mkdir()
    return place


@pytest.fixture
def load(desk, visit_of, folder, tmp_path):
    async def run(client="admin", close=True):
        visit = visit_of(client)
        opened = await imports.opened(desk, folder, visit.caller.organization, source.files(folder), tmp_path)
        last = {}
        async for progress in imports.imported(desk, visit, opened):
            last[progress.name] = progress
        if close:
            await imports.closed(desk, opened)
        counts = Counts()
        for progress in last.values():
            counts = counts.plus(progress.counts)
        path = shelf.file(opened.folder, imports.REFUSED)
        told = [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
        return counts, [issue["diagnostics"] for one in told for issue in one["issue"]]

    return run


async def stored(desk, reference):
    version = await desk.store.current(reference)
    return decode_resource(version.body) if version else None


async def test_ndjson_is_stored_under_its_own_ids(desk, folder, load):
    (folder / "Patient.ndjson").write_bytes(lines(patient("a"), patient("b")))
    counts, refused = await load()
    assert counts == Counts(created=2)
    assert refused == []
    assert (await stored(desk, "Patient/a"))["name"] == [{"family": "Trần a"}]


async def test_the_second_time_nothing_changes_and_a_difference_is_an_update(desk, folder, load):
    (folder / "Patient.ndjson").write_bytes(lines(patient("a"), patient("b")))
    await load()
    assert (await load())[0] == Counts(unchanged=2)
    (folder / "Patient.ndjson").write_bytes(lines(patient("a", gender="male"), patient("b")))
    assert (await load())[0] == Counts(updated=1, unchanged=1)
    assert (await stored(desk, "Patient/a"))["meta"]["versionId"] == "2"
    assert (await stored(desk, "Patient/b"))["meta"]["versionId"] == "1"


async def test_what_is_refused_is_told_with_line_and_reason_and_the_rest_is_stored(desk, folder, load):
    bad = [b'{"resourceType":"Patient","id":"x","gender":"male?"}\n', b"no json\n", b'{"a":1}\n', b"\n"]
    (folder / "Patient.ndjson").write_bytes(b"".join(bad) + lines(patient("a")))
    counts, refused = await load()
    assert counts == Counts(created=1, refused=3)
    assert [one.split(":")[1] for one in sorted(refused)] == ["1", "2", "3"]
    assert all("male?" not in one for one in refused)
    assert await stored(desk, "Patient/x") is None


async def test_compressed_files_and_folders_below_are_read_and_others_left(folder, load):
    (folder / "below").mkdir()
    (folder / "below" / "a.ndjson.gz").write_bytes(gzip.compress(lines(patient("a"))))
    (folder / "b.json.bz2").write_bytes(bz2.compress(bundle("collection", {"resource": patient("b")})))
    (folder / "c.json").write_bytes(json.dumps(patient("c")).encode())
    (folder / "readme.txt").write_bytes(b"none")
    assert (await load())[0] == Counts(created=3)


async def test_a_broken_archive_and_a_broken_file_are_refused_and_do_not_end_the_run(folder, load):
    (folder / "a.json").write_bytes(b'{"resourceType": "Bundle", "type": "transac')
    (folder / "b.ndjson.gz").write_bytes(gzip.compress(lines(patient("a")))[:-10])
    (folder / "c.ndjson").write_bytes(lines(patient("c")))
    counts, refused = await load()
    assert counts.created == 1
    assert counts.refused == 2
    assert len(refused) == 2


async def test_a_transaction_links_by_urn_and_condition_and_keeps_ids(desk, folder, load):
    doctor = {"resourceType": "Practitioner", "id": "d", "identifier": [{"system": "urn:npi", "value": "1"}]}
    (folder / "0.json").write_bytes(bundle("batch", entry(doctor, ifNoneExist="identifier=urn:npi|1")))
    visit = {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"}}
    visit["subject"] = {"reference": "urn:uuid:p"}
    visit["participant"] = [{"individual": {"reference": "Practitioner?identifier=urn:npi|1"}}]
    (folder / "1.json").write_bytes(bundle("transaction", entry(patient("p")), entry(visit)))
    assert (await load())[0] == Counts(created=3)
    found = await stored(desk, "Encounter/e")
    assert found["subject"] == {"reference": "Patient/p"}
    assert found["participant"][0]["individual"] == {"reference": "Practitioner/d"}
    assert (await load())[0] == Counts(unchanged=3)


async def test_a_condition_that_is_met_makes_nothing_and_gives_its_name_to_what_is_there(desk, folder, load, visit_of):
    there = {"resourceType": "Practitioner", "id": "there", "identifier": [{"system": "urn:npi", "value": "1"}]}
    await write.update(desk, visit_of("admin"), "Practitioner/there", there)
    mine = {**there, "id": "mine"}
    of = {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "urn:uuid:mine"}}
    (folder / "0.json").write_bytes(bundle("batch", entry(mine, ifNoneExist="identifier=urn:npi|1"), entry(of)))
    assert (await load())[0] == Counts(created=1, unchanged=1)
    assert (await stored(desk, "PractitionerRole/r"))["practitioner"] == {"reference": "Practitioner/there"}


async def test_a_transaction_with_one_fault_is_refused_as_a_whole(desk, folder, load):
    wrong = {"resourceType": "Observation", "id": "o", "status": "final"}
    (folder / "1.json").write_bytes(bundle("transaction", entry(patient("p")), entry(wrong)))
    counts, refused = await load()
    assert counts == Counts(refused=2)
    assert any("another entry" in one for one in refused)
    assert await stored(desk, "Patient/p") is None


async def test_links_of_a_collection_reach_beyond_a_parcel(desk, folder, load, monkeypatch):
    monkeypatch.setattr(source, "PARCEL", 2)

    def linked(n):
        return patient(f"p{n}", link=[{"other": {"reference": f"urn:uuid:p{(n + 3) % 7}"}, "type": "seealso"}])

    entries = [{"fullUrl": f"urn:uuid:p{n}", "resource": linked(n)} for n in range(7)]
    (folder / "1.json").write_bytes(bundle("collection", *entries))
    assert (await load())[0] == Counts(created=7)
    assert (await stored(desk, "Patient/p6"))["link"][0]["other"] == {"reference": "Patient/p2"}


async def test_an_id_that_comes_twice_in_a_file_is_written_twice_in_order(desk, folder, load):
    (folder / "Patient.ndjson").write_bytes(lines(patient("a"), patient("a", gender="male")))
    assert (await load())[0] == Counts(created=1, updated=1)
    assert (await stored(desk, "Patient/a"))["gender"] == "male"


async def test_a_resource_without_an_id_gets_the_same_one_every_time(folder, load):
    nameless = {"resourceType": "Basic", "code": {"text": "x"}}
    (folder / "Basic.ndjson").write_bytes(lines(nameless))
    assert (await load())[0] == Counts(created=1)
    assert (await load())[0] == Counts(unchanged=1)


async def test_a_hospital_owns_what_it_imports_and_replaces_nothing_of_others(desk, folder, load):
    (folder / "Patient.ndjson").write_bytes(lines(patient("a")))
    assert (await load("bai-chay"))[0] == Counts(created=1)
    version = await desk.store.current("Patient/a")
    assert (version.owner, version.readers) == ("bai-chay", ("bai-chay",))
    (folder / "Patient.ndjson").write_bytes(lines(patient("a", gender="male")))
    counts, refused = await load("san-nhi")
    assert counts == Counts(refused=1)
    assert "may not replace" in refused[0]


async def test_who_may_not_import_stores_nothing(desk, folder, load):
    (folder / "Patient.ndjson").write_bytes(lines(patient("a")))
    assert (await load("doctor"))[0] == Counts(refused=1)
    (folder / "Patient.ndjson").write_bytes(lines({"resourceType": "AuditEvent", "id": "x"}))
    assert (await load("admin"))[0] == Counts(refused=1)


async def test_each_commit_leaves_its_audit_event(desk, folder, load):
    (folder / "Patient.ndjson").write_bytes(lines(patient("a"), patient("b")))
    await load()
    (event,) = [decode_resource(one.body) for one in await desk.store.unsealed(10)]
    assert event["subtype"][0]["code"] == "$import"
    assert {"reference": "Patient/a/_history/1"} in [one.get("what") for one in event["entity"]] or any(
        one.get("what") == {"reference": "Patient/a"} for one in event["entity"]
    )


async def test_a_file_that_changed_is_read_from_its_beginning(desk, folder, load):
    (folder / "Patient.ndjson").write_bytes(lines(patient("a")))
    await load(close=False)
    (folder / "Patient.ndjson").write_bytes(lines(patient("b"), patient("c")))
    assert (await load())[0] == Counts(created=2)


async def test_a_transaction_that_may_not_replace_one_record_stores_none(desk, folder, load, visit_of):
    await write.update(desk, visit_of("san-nhi"), "Patient/theirs", patient("theirs"))
    (folder / "1.json").write_bytes(
        bundle("transaction", entry(patient("mine")), entry(patient("theirs", gender="male")))
    )
    counts, refused = await load("bai-chay")
    assert counts == Counts(refused=2)
    assert len(refused) == 2
    assert await stored(desk, "Patient/mine") is None


async def test_what_nobody_may_change_is_not_changed_by_an_import(desk, folder, load):
    case = "urn:vn:quang-ninh:fhir-gateway:workflow:referral"
    task = {"resourceType": "Task", "id": "t", "status": "requested", "intent": "order", "instantiatesUri": case}
    (folder / "Task.ndjson").write_bytes(lines(task))
    counts, refused = await load()
    assert counts == Counts(refused=1)
    assert "/exchange" in refused[0]


async def test_a_record_too_large_for_the_database_is_refused_alone(desk, folder, load):
    content = "QUJD" * (13 * 2**20 // 4)
    large = {"resourceType": "Binary", "id": "large", "contentType": "text/plain", "data": content}
    wide = [{**large, "id": f"wide{n}", "data": content[: 2**20]} for n in range(2)]
    huge = {**large, "id": "huge", "data": content + content[: 3 * 2**20 - 200]}
    (folder / "Binary.ndjson").write_bytes(lines(wide[0], huge, wide[1]))
    counts, refused = await load()
    assert counts == Counts(created=2, refused=1)
    assert "Binary.ndjson:2: " in refused[0]


KILLED = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from fhir_gateway.population import imports, source
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Visit
from fhir_gateway.security.audit import Trail
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.mongo import MongoStore

async def main(url, name, folder, data):
    source.PARCEL = 10
    store = await MongoStore.open(url, name)
    desk = Desk(store, Trail(store), lambda: datetime.now(UTC), b"s" * 32, 20, 50, "http://g/fhir", "test")
    files = source.files(Path(folder))
    run = await imports.opened(desk, Path(folder), "", files, Path(data))
    async for _ in imports.imported(desk, Visit(Caller("admin", "admin", "")), run):
        await asyncio.sleep(0.02)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_killed_import_goes_on_and_its_counts_add_up(desk, folder, load, embedded_url, tmp_path):
    people = [patient(f"p{n}") for n in range(800)]
    broken = [b"{}\n" for _ in range(80)]
    (folder / "a.ndjson").write_bytes(b"".join(lines(*people[10 * n : 10 * n + 10]) + broken[n] for n in range(80)))
    (folder / "b.ndjson").write_bytes(lines(*(patient(f"q{n}") for n in range(30))))
    command = [sys.executable, "-c", KILLED, embedded_url, desk.store.name, str(folder), str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command)
    while not (note := await desk.store.notes(imports.PROGRESS, {}, "", 10)) or note[0][1]["behind"] < 100:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    reached = (await desk.store.notes(imports.PROGRESS, {}, "", 10))[0][1]
    assert not reached["done"]
    counts, refused = await load()
    assert asdict(counts) == {"created": 830, "updated": 0, "unchanged": 0, "refused": 80}
    assert len(refused) == len(set(refused)) == 80
    for key in ("p0", "p799", "q29"):
        assert (await stored(desk, f"Patient/{key}"))["meta"]["versionId"] == "1"

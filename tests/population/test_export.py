"""Bulk export on the real engine: complete, confined, and whole again after a kill."""

import asyncio
import json
import os
import signal
import stat
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fhir_gateway.fhir.parameters import Arguments
from fhir_gateway.population import export, gathering, shelf
from fhir_gateway.population.export import DONE, FAILED, REMOVED, SHELF
from fhir_gateway.population.order import ordered
from fhir_gateway.problem import BadRequest, Forbidden, NotFound, NotSupported
from fhir_gateway.records import write
from fhir_gateway.records.step import Step
from fhir_gateway.store.port import Commit, Note

pytestmark = pytest.mark.anyio


def patient(key):
    return {"resourceType": "Patient", "id": key, "name": [{"family": f"Trần {key}"}]}


def observation(key, of, status="final"):
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    subject = {"reference": f"Patient/{of}"}
    return {"resourceType": "Observation", "id": key, "status": status, "code": code, "subject": subject}


def group(*names):
    member = [{"entity": {"reference": f"Patient/{name}"}} for name in names]
    return {"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": member}


async def put(desk, visit, *resources):
    for one in resources:
        await write.update(desk, visit, f"{one['resourceType']}/{one['id']}", one)


async def run(exports, visit, *pairs, level="", group=""):
    order = ordered(Arguments(pairs), visit.caller, exports.desk.now(), level, group)
    key = await exports.begin(visit, order, "http://gateway/fhir/$export")
    await exports.go_on("worker")
    return key


def lines(exports, key, name):
    path = shelf.file(exports.data / SHELF / key, name)
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def ids(exports, key, name):
    return sorted(one["id"] for one in lines(exports, key, name))


async def test_a_system_export_holds_every_record_once(exports, desk, visit_of):
    admin = visit_of("admin")
    await put(
        desk,
        admin,
        patient("a"),
        patient("b"),
        observation("o", "a"),
        {"resourceType": "Basic", "id": "x", "code": {"text": "x"}},
    )
    key = await run(exports, admin)
    job = await exports.job(key, admin.caller)
    assert job.state == DONE
    assert {name: count for name, (count, _) in job.files.items()} == {"Patient": 2, "Observation": 1, "Basic": 1}
    assert ids(exports, key, "Patient") == ["a", "b"]
    assert lines(exports, key, "Observation")[0]["meta"]["versionId"] == "1"


async def test_files_are_for_the_gateways_own_user_only(exports, desk, visit_of):
    await put(desk, visit_of("admin"), patient("a"))
    key = await run(exports, visit_of("admin"))
    place = exports.data / SHELF / key
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE(shelf.file(place, "Patient").stat().st_mode) == 0o600


async def test_many_pages_neither_lose_nor_repeat(exports, desk, visit_of, monkeypatch):
    monkeypatch.setattr(gathering, "PAGE", 7)
    steps = [Step("PUT", "Patient", f"p{n}", resource=patient(f"p{n}")) for n in range(60)]
    await write.run(desk, visit_of("admin"), steps)
    key = await run(exports, visit_of("admin"), ("_type", "Patient"))
    assert ids(exports, key, "Patient") == sorted(f"p{n}" for n in range(60))


async def test_since_takes_what_is_newer_and_names_what_is_gone(exports, desk, visit_of):
    admin = visit_of("admin")
    await put(desk, admin, patient("old"), patient("gone"))
    await asyncio.sleep(0.01)
    since = desk.now().isoformat()
    await asyncio.sleep(0.01)
    await put(desk, admin, patient("new"))
    await write.delete(desk, admin, "Patient/gone")
    key = await run(exports, admin, ("_type", "Patient"), ("_since", since))
    assert ids(exports, key, "Patient") == ["new"]
    (deleted,) = lines(exports, key, "deleted")
    assert deleted["entry"] == [{"request": {"method": "DELETE", "url": "Patient/gone"}}]


async def test_filters_may_stand_behind_a_comma_as_in_the_guides_example(exports, desk, visit_of):
    admin = visit_of("admin")
    await put(desk, admin, patient("a"), patient("b"), observation("f", "a"), observation("p", "a", "preliminary"))
    await put(desk, admin, observation("m", "a", "amended"))
    text = "Observation?status=final,amended&code=8867-4,x,Patient?_id=a"
    key = await run(exports, admin, ("_typeFilter", text), ("_type", "Patient,Observation"))
    assert ids(exports, key, "Observation") == ["f", "m"]
    assert ids(exports, key, "Patient") == ["a"]


@pytest.mark.parametrize(
    ("pairs", "level"),
    [
        ([("_typeFilter", "Observation?status=final")], ""),
        ([("_typeFilter", "Observation?subject:Patient.name=Tran a")], ""),
        ([("_typeFilter", "Observation?status=final")], "Group"),
        ([], "Group"),
    ],
)
async def test_what_changes_after_the_order_is_exported_as_it_was(exports, desk, visit_of, pairs, level):
    """Also where a filter or a Group chooses: changed, deleted, moved to another patient, or just come to match."""
    admin = visit_of("admin")
    await put(desk, admin, patient("a"), patient("z"), group("a"))
    await put(desk, admin, *(observation(name, "a") for name in ("stays", "changed", "deleted", "moved")))
    await put(desk, admin, observation("later", "z", "preliminary"))
    current = await desk.store.current("Group/g")
    order = ordered(
        Arguments((("_type", "Observation"), *pairs)),
        admin.caller,
        desk.now(),
        level,
        f"Group/g/_history/{current.number}" if level else "",
    )
    key = await exports.begin(admin, order, "http://gateway/fhir/$export")
    await asyncio.sleep(0.01)
    await put(desk, admin, observation("changed", "a", "entered-in-error"), observation("moved", "z", "cancelled"))
    await put(desk, admin, observation("later", "a"), observation("new", "a"))
    await write.delete(desk, admin, "Observation/deleted")
    await exports.go_on("worker")
    assert ids(exports, key, "Observation") == ["changed", "deleted", "moved", "stays"]
    assert {one["meta"]["versionId"] for one in lines(exports, key, "Observation")} == {"1"}


async def test_several_filters_of_a_type_are_one_file_without_repeats(exports, desk, visit_of):
    admin = visit_of("admin")
    states = ("final", "amended", "preliminary")
    await put(desk, admin, *(observation(f"{state}{n}", "a", state) for state in states for n in range(3)))
    pairs = [("_typeFilter", "Observation?status=final"), ("_typeFilter", "Observation?status=final,amended")]
    key = await run(exports, admin, ("_type", "Observation"), *pairs)
    assert ids(exports, key, "Observation") == [f"{state}{n}" for state in ("amended", "final") for n in range(3)]


async def test_elements_thin_the_lines_and_mark_them(exports, desk, visit_of):
    await put(desk, visit_of("admin"), {**patient("a"), "gender": "male"})
    key = await run(exports, visit_of("admin"), ("_elements", "Patient.gender"))
    (one,) = lines(exports, key, "Patient")
    assert one["gender"] == "male"
    assert "name" not in one
    assert one["meta"]["tag"][0]["code"] == "SUBSETTED"


async def test_a_patient_export_holds_compartments_only(exports, desk, visit_of):
    admin = visit_of("admin")
    await put(desk, admin, patient("a"), observation("o", "a"))
    await put(desk, admin, {**observation("device", "a"), "subject": {"reference": "Device/d"}})
    key = await run(exports, admin, level="Patient")
    assert ids(exports, key, "Observation") == ["o"]
    assert ids(exports, key, "Patient") == ["a"]


async def test_a_group_export_holds_its_members_and_shared_records_once(exports, desk, visit_of, monkeypatch):
    monkeypatch.setattr(gathering, "PAGE", 2)
    admin = visit_of("admin")
    shared = {"resourceType": "Appointment", "id": "both", "status": "proposed"}
    shared["participant"] = [{"actor": {"reference": f"Patient/{n}"}, "status": "accepted"} for n in "ab"]
    await put(desk, admin, *map(patient, "abc"), *(observation(f"o{n}", n) for n in "abc"), shared, group("a", "b"))
    key = await run(exports, admin, level="Group", group="Group/g/_history/1")
    assert ids(exports, key, "Patient") == ["a", "b"]
    assert ids(exports, key, "Observation") == ["oa", "ob"]
    assert ids(exports, key, "Appointment") == ["both"]


async def test_a_group_export_filters_too(exports, desk, visit_of):
    admin = visit_of("admin")
    await put(desk, admin, observation("x", "a"), observation("y", "a", "amended"), observation("z", "c"), group("a"))
    pair = ("_typeFilter", "Observation?status=final")
    key = await run(exports, admin, pair, level="Group", group="Group/g/_history/1")
    assert ids(exports, key, "Observation") == ["x"]


async def test_what_changes_meanwhile_is_exported_as_it_was_at_the_moment_of_the_order(exports, desk, visit_of):
    admin = visit_of("admin")
    await put(desk, admin, patient("a"), patient("b"), patient("gone"))
    await asyncio.sleep(0.01)
    order = ordered(Arguments((("_type", "Patient"),)), admin.caller, desk.now())
    key = await exports.begin(admin, order, "x")
    await asyncio.sleep(0.01)
    await put(desk, admin, {**patient("a"), "gender": "male"}, patient("late"))
    await write.delete(desk, admin, "Patient/gone")
    await exports.go_on("worker")
    found = {one["id"]: one for one in lines(exports, key, "Patient")}
    assert sorted(found) == ["a", "b", "gone"]
    assert "gender" not in found["a"]


async def test_a_hospital_exports_what_it_may_see_and_nothing_else(exports, desk, visit_of):
    await put(desk, visit_of("bai-chay"), patient("own"), observation("o", "own"))
    await put(desk, visit_of("san-nhi"), patient("other"))
    key = await run(exports, visit_of("bai-chay"))
    assert ids(exports, key, "Patient") == ["own"]
    assert ids(exports, key, "Observation") == ["o"]


async def test_the_population_officer_exports_patients_alone(exports, desk, visit_of):
    await put(desk, visit_of("bai-chay"), patient("a"), observation("o", "a"))
    key = await run(exports, visit_of("population"))
    assert set((await exports.job(key, visit_of("population").caller)).files) == {"Patient"}
    with pytest.raises(Forbidden):
        await run(exports, visit_of("population"), ("_type", "Observation"))


@pytest.mark.parametrize("client", ["doctor", "bach-mai", "auditor"])
async def test_who_may_not_export_is_refused(exports, visit_of, client):
    with pytest.raises(Forbidden):
        await run(exports, visit_of(client), ("_type", "Patient"))


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (("_type", "Patiant"), BadRequest),
        (("_outputFormat", "application/parquet"), NotSupported),
        (("_typeFilter", "Patient?nmae=x"), BadRequest),
        (("_typeFilter", "Patient"), BadRequest),
        (("_typeFilter", "Observation?_sort=date"), NotSupported),
        (("_since", "yesterday"), BadRequest),
        (("_sinse", "2026-01-01"), BadRequest),
        (("includeAssociatedData", "x"), NotSupported),
    ],
)
async def test_what_is_not_understood_is_refused_before_it_begins(exports, visit_of, pair, problem):
    with pytest.raises(problem):
        await run(exports, visit_of("admin"), pair)


async def test_a_job_is_hidden_from_other_clients(exports, desk, visit_of):
    await put(desk, visit_of("bai-chay"), patient("own"))
    key = await run(exports, visit_of("bai-chay"))
    with pytest.raises(NotFound):
        await exports.job(key, visit_of("san-nhi").caller)
    with pytest.raises(NotFound):
        await exports.file(visit_of("san-nhi"), key, "Patient")
    assert (await exports.job(key, visit_of("admin").caller)).client == "bai-chay"


async def test_removing_deletes_the_files_and_a_cancelled_job_is_not_worked_on(exports, desk, visit_of):
    admin = visit_of("admin")
    await put(desk, admin, patient("a"))
    key = await run(exports, admin)
    await exports.remove(admin, key)
    assert not (exports.data / SHELF / key).exists()
    order = ordered(Arguments(()), admin.caller, desk.now())
    other = await exports.begin(admin, order, "x")
    await exports.remove(admin, other)
    assert await exports.go_on("worker") == 0
    with pytest.raises(NotFound):
        await exports.job(other, admin.caller)


async def test_old_files_are_cleared(exports, desk, visit_of):
    admin = visit_of("admin")
    await put(desk, admin, patient("a"))
    key = await run(exports, admin)
    await exports.clear(timedelta(days=1))
    assert (exports.data / SHELF / key).exists()
    await exports.clear(timedelta(0))
    assert not (exports.data / SHELF / key).exists()
    assert (await desk.store.note(SHELF, key))["state"] == REMOVED


async def test_an_export_that_took_days_can_be_fetched_for_as_long_as_any_other(exports, desk, visit_of):
    admin = visit_of("admin")
    await put(desk, admin, patient("a"))
    key = await run(exports, admin)
    long_ago = desk.now() - timedelta(days=3)
    await desk.store.commit(Commit(notes=(Note(SHELF, key, {"begun": long_ago}, {"state": DONE}),)))
    await exports.clear(timedelta(days=1))
    assert (exports.data / SHELF / key).exists()


async def test_a_job_whose_files_are_gone_fails_loudly(exports, desk, visit_of):
    admin = visit_of("admin")
    await put(desk, admin, patient("a"))
    key = await run(exports, admin)
    note = await desk.store.note(SHELF, key)
    await desk.store.commit(Commit(notes=(reopened(key, note),)))
    shelf.remove(exports.data / SHELF / key)
    await exports.go_on("worker")
    assert (await exports.job(key, admin.caller)).state == FAILED


def reopened(key, note):
    return Note(SHELF, key, {"state": "running"}, {"state": note["state"]})


KILLED = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from fhir_gateway.population import export, gathering
from fhir_gateway.records.desk import Desk
from fhir_gateway.security.audit import Trail
from fhir_gateway.store.mongo import MongoStore

async def main(url, name, data):
    gathering.PAGE, export.LEASE_SECONDS = 5, 1.0
    store = await MongoStore.open(url, name)
    desk = Desk(store, Trail(store), lambda: datetime.now(UTC), b"s" * 32, 20, 50, "http://g/fhir", "test")
    await export.Exports(desk, Path(data)).go_on("killed")

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_killed_export_goes_on_without_a_lost_or_repeated_line(exports, desk, visit_of, embedded_url):
    admin = visit_of("admin")
    steps = [Step("PUT", "Patient", f"p{n}", resource=patient(f"p{n}")) for n in range(600)]
    for start in range(0, 600, 200):
        await write.run(desk, admin, steps[start : start + 200])
    order = ordered(Arguments((("_type", "Patient"),)), admin.caller, desk.now())
    key = await exports.begin(admin, order, "x")
    command = [sys.executable, "-c", KILLED, embedded_url, desk.store.name, str(exports.data)]
    process = await asyncio.create_subprocess_exec(*command)
    path = shelf.file(exports.data / SHELF / key, "Patient")
    while not path.exists() or path.stat().st_size < 10_000:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert (await exports.job(key, admin.caller)).state == "running"
    torn = path.read_bytes() + b'{"resourceType":"Pat'
    path.write_bytes(torn)
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while not await exports.go_on("other"):
        assert datetime.now(UTC) < deadline
        await asyncio.sleep(0.1)
    assert (await exports.job(key, admin.caller)).state == DONE
    assert ids(exports, key, "Patient") == sorted(f"p{n}" for n in range(600))


async def test_a_secret_record_is_exported_by_its_own_hospital_alone(exports, desk, visit_of):
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    for identity, meta in (("open", {}), ("secret", {"meta": {"security": [label]}})):
        patient = {"resourceType": "Patient", "id": identity, **meta}
        await put(desk, visit_of("bai-chay"), patient)
    for name, seen in (("population", ["open"]), ("admin", ["open"]), ("bai-chay", ["open", "secret"])):
        for level in ("", "Patient"):
            key = await run(exports, visit_of(name), ("_type", "Patient"), level=level)
            assert ids(exports, key, "Patient") == seen


async def test_a_filter_may_lead_through_other_records(exports, desk, visit_of):
    admin = visit_of("admin")
    men = [{**patient(key), "gender": "male"} for key in ("a", "b")]
    await put(desk, admin, *men, patient("c"), observation("oa", "a"), observation("ob", "b"), observation("oc", "c"))
    chain = ("_typeFilter", "Observation?subject:Patient.gender=male")
    key = await run(exports, admin, chain, ("_type", "Observation"))
    assert ids(exports, key, "Observation") == ["oa", "ob"]
    key = await run(exports, admin, ("_typeFilter", "Patient?_has:Observation:subject:_id=oc"), ("_type", "Patient"))
    assert ids(exports, key, "Patient") == ["c"]


async def test_a_chain_that_may_not_be_followed_is_refused_before_it_begins(exports, visit_of):
    visit = visit_of("population")
    pairs = [("_typeFilter", "Patient?_has:Observation:subject:status=final"), ("_type", "Patient")]
    order = ordered(Arguments(pairs), visit.caller, exports.desk.now())
    with pytest.raises(Forbidden):
        await exports.begin(visit, order, "http://gateway/fhir/$export")


async def test_what_was_written_before_the_clock_was_set_back_is_exported_and_nobody_waits_for_that_time(
    exports, desk, visit_of, monkeypatch
):
    admin, year = visit_of("admin"), timedelta(days=365)
    ahead = replace(desk, clock=lambda: desk.clock() + year)
    await put(ahead, admin, patient("late"), observation("o", "late"))
    await put(desk, admin, patient("a"))
    monkeypatch.setattr(export, "SETTLE", timedelta(milliseconds=20))
    order = ordered(Arguments(()), admin.caller, await export.latest(desk), "", "")
    key = await exports.begin(admin, order, "http://gateway/fhir/$export")
    async with asyncio.timeout(20):
        assert await exports.go_on("worker") == 1
    assert ids(exports, key, "Patient") == ["a", "late"]
    assert ids(exports, key, "Observation") == ["o"]

"""A watched folder from drop to receipt: many files at once, bad ones, two processes, a full disk, a crash."""

import asyncio
import json
import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from time import monotonic

import pytest

from fhir_gateway.app import Gateway, directory, key_ring
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.folder import DONE, QUARANTINE, TAKEN, Folder
from fhir_gateway.exchange.watching import OwnCounter, Watch, watches
from fhir_gateway.problem import BadRequest, NotFound, Unavailable
from fhir_gateway.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "in", settle_seconds=0.02, empty_seconds=0.05)


@pytest.fixture
def watch(pair, folder):
    counter = OwnCounter(pair[0].gateway.reception)
    folder.path.mkdir()
    return Watch("qn-general", folder, counter, 1_000_000, scan_seconds=0.02)


def admission(message, number):
    return message("hl7v2/admission-a01").replace(b"QN-000001", b"DROP-%05d" % number)


def names(folder, where):
    return sorted(p.name for p in (folder.path / where).iterdir() if p.suffix != ".json")


def receipts(folder, where):
    return {p.name: json.loads(p.read_text()) for p in (folder.path / where).glob("*.receipt.json")}


async def until(holds, seconds=30):
    """Look again and again until it is so: files tell nobody when they have moved."""
    end = monotonic() + seconds
    while not holds():
        assert monotonic() < end
        await asyncio.sleep(0.01)


async def ended(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def known(pair, hospital="qn-general"):
    rows = await pair[0].gateway.store.notes(inbox.SHELF, {"hospital": hospital}, "", 5000)
    return [content["receipt"] for _, content in rows]


async def test_a_good_file_ends_in_done_and_a_bad_one_in_quarantine_each_with_its_receipt(pair, watch, folder, message):
    (folder.path / "good.hl7").write_bytes(message("hl7v2/admission-a01"))
    (folder.path / "bad.hl7").write_bytes(message("hl7v2/bad-lab-value"))
    (folder.path / "empty.hl7").write_bytes(b"")
    (folder.path / "huge.hl7").write_bytes(b"x" * 1_000_001)
    await asyncio.wait_for(watch.run(once=True), 30)
    assert names(folder, DONE) == ["good.hl7"]
    assert names(folder, QUARANTINE) == ["bad.hl7", "empty.hl7", "huge.hl7"]
    told = receipts(folder, DONE)["good.hl7.receipt.json"] | receipts(folder, QUARANTINE)
    assert (told["state"], told["repeated"]) == ("stored", False)
    assert told["resources"] > 3
    assert (await pair[0].get("qn-general", f"/ingest/qn-general/{told['receipt']}")).json()["state"] == "stored"
    assert told["bad.hl7.receipt.json"]["problems"][0]["where"] == "OBX[2]-5"
    assert "empty" in told["empty.hl7.receipt.json"]["problems"][0]["text"]
    assert "limit" in told["huge.hl7.receipt.json"]["problems"][0]["text"]


async def test_the_same_bytes_again_get_the_known_receipt_and_are_not_stored_twice(pair, watch, folder, message):
    for name in ("one.hl7", "two.hl7"):
        (folder.path / name).write_bytes(message("hl7v2/admission-a01"))
    await asyncio.wait_for(watch.run(once=True), 30)
    told = receipts(folder, DONE)
    assert sorted(row["repeated"] for row in told.values()) == [False, True]
    assert len({row["receipt"] for row in told.values()}) == len(await known(pair)) == 1


async def test_a_thousand_files_at_once_are_kept_in_their_order_and_none_twice(store, folder, tmp_path):
    """Their outcome is the translator's affair; ``bench/folder.py`` does it with ten thousand."""
    settings = Settings(data=tmp_path)
    idle = Gateway(settings, "http://idle", store, directory(settings), key_ring(settings))
    watch = Watch("qn-general", folder, OwnCounter(idle.reception), 1000, scan_seconds=0.02)
    bodies = [b"MSH|^~\\&|A|B|C|D|20261120||ADT^A01|%d|P|2.5\r" % number for number in range(1000)]
    folder.path.mkdir()
    for number, body in enumerate(bodies):
        file = folder.path / f"{number:04}.hl7"
        file.write_bytes(body)
        os.utime(file, (10_000 - number, 10_000 - number))
    running = asyncio.create_task(watch.run())
    await until(lambda: watch.handed == 1000)
    await ended(running)
    jobs = await store.owed(inbox.TRANSLATE, 2000)
    assert [job.content["receipt"] for job in jobs] == [inbox.number(body)[0] for body in reversed(bodies)]


async def test_a_process_that_was_killed_leaves_nothing_behind_that_the_next_does_not_finish(
    pair, watch, folder, message
):
    assert folder.hold()
    reception = pair[0].gateway.reception
    for number, kept in enumerate((True, False)):
        body = admission(message, number)
        (folder.path / TAKEN / f"{number}.hl7").write_bytes(body)
        if kept:
            await OwnCounter(reception).keep("qn-general", [("application/hl7-v2", body)])
    (folder.path / DONE / "0.hl7.receipt.json").write_text("{}")
    (folder.path / "2.hl7").write_bytes(admission(message, 2))
    await asyncio.wait_for(watch.run(once=True), 30)
    assert names(folder, DONE) == ["0.hl7", "1.hl7", "2.hl7"]
    assert [row["repeated"] for _, row in sorted(receipts(folder, DONE).items())] == [True, False, False]
    assert len(await known(pair)) == 3


async def test_two_watchers_of_one_folder_do_each_file_once(pair, folder, message):
    folder.path.mkdir()
    counter = OwnCounter(pair[0].gateway.reception)
    both = [
        Watch("qn-general", Folder(folder.path, settle_seconds=0.02), counter, 1_000_000, scan_seconds=0.02)
        for _ in range(2)
    ]
    running = [asyncio.create_task(one.run()) for one in both]
    for number in range(20):
        (folder.path / f"{number}.hl7").write_bytes(admission(message, number))
    await until(lambda: sum(one.finished for one in both) >= 20)
    first = next(task for task, one in zip(running, both, strict=True) if one.finished)
    await ended(first)
    (folder.path / "last.hl7").write_bytes(admission(message, 99))
    await until(lambda: sum(one.finished for one in both) >= 21)
    for task in running:
        await ended(task)
    assert len(names(folder, DONE)) == 21
    assert all(not row["repeated"] for row in receipts(folder, DONE).values())


async def test_files_wait_where_they_are_while_the_translator_is_behind(pair, watch, folder, message):
    backlog = pair[0].gateway.backlog
    backlog.limit = 1
    await backlog.admit("qn-general")
    backlog.taken("qn-general")
    for number in range(60):
        (folder.path / f"{number}.hl7").write_bytes(b"MSH|%d" % number)
    running = asyncio.create_task(watch.run())
    await asyncio.sleep(0.3)
    assert watch.handed == 0
    assert len(list(folder.path.glob("*.hl7"))) == 10
    backlog.limit = 1000
    await until(lambda: watch.handed == 60)
    await ended(running)


class Away:
    """A counter that is away at first."""

    def __init__(self, counter, times):
        self.counter, self.times = counter, times

    async def keep(self, hospital, papers):
        self.times -= 1
        if self.times >= 0:
            raise Unavailable("the database does not answer")
        return await self.counter.keep(hospital, papers)

    async def outcome(self, told):
        return await self.counter.outcome(told)


async def test_a_gateway_that_is_away_is_waited_for(pair, watch, folder, message):
    watch.counter = Away(watch.counter, 1)
    (folder.path / "a.hl7").write_bytes(message("hl7v2/admission-a01"))
    await asyncio.wait_for(watch.run(once=True), 30)
    assert names(folder, DONE) == ["a.hl7"]


async def test_a_folder_that_takes_no_receipt_is_waited_for(pair, watch, folder, message):
    (folder.path / "a.hl7").write_bytes(message("hl7v2/admission-a01"))
    assert folder.hold()
    (folder.path / DONE).rmdir()
    (folder.path / DONE).write_text("in the way")
    running = asyncio.create_task(watch.run())
    await until(lambda: watch.handed)
    await asyncio.sleep(0.5)
    assert names(folder, TAKEN) == ["a.hl7"]
    (folder.path / DONE).unlink()
    (folder.path / DONE).mkdir()
    await until(lambda: watch.finished)
    await ended(running)
    assert receipts(folder, DONE)["a.hl7.receipt.json"]["state"] == "stored"


async def test_a_full_disk_is_waited_for_and_no_half_receipt_is_left(pair, watch, folder, message, capfd):
    with small_disk(folder.path) as filler:
        (folder.path / "a.hl7").write_bytes(message("hl7v2/admission-a01"))
        assert folder.hold()
        filler.write_bytes(b"")
        with suppress(OSError), filler.open("ab", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        running = asyncio.create_task(watch.run())
        await until(lambda: watch.handed)
        await asyncio.sleep(1.5)
        assert names(folder, TAKEN) == ["a.hl7"]
        assert list((folder.path / DONE).iterdir()) == []
        assert "the disk is full" in capfd.readouterr().out
        filler.unlink()
        await until(lambda: watch.finished)
        await ended(running)
        assert receipts(folder, DONE)["a.hl7.receipt.json"]["state"] == "stored"
        assert (folder.path / DONE / "a.hl7").read_bytes() == message("hl7v2/admission-a01")


@contextmanager
def small_disk(place):
    """A disk of 128 kB, where this user may make one; gives the name of a file to fill it with."""
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root makes disks")
    try:
        yield place / ".filler"
    finally:
        subprocess.run([str(shutil.which("umount")), "-l", str(place)], check=True)


async def test_a_file_that_its_sender_went_on_writing_is_taken_again(pair, watch, folder, message):
    body = message("hl7v2/admission-a01")
    with (folder.path / "slow.hl7").open("wb") as sender:
        sender.write(body[:200])
        sender.flush()
        running = asyncio.create_task(watch.run())
        await until(lambda: watch.handed)
        sender.write(body[200:])
    await until(lambda: names(folder, DONE) == ["slow.hl7"])
    await ended(running)
    assert (folder.path / DONE / "slow.hl7").read_bytes() == body


async def test_a_name_of_a_patient_stays_out_of_the_log(pair, watch, folder, message, capfd):
    (folder.path / "NGUYỄN VĂN HOÀ.hl7").write_bytes(b"")
    (folder.path / "TRẦN THỊ HOÀ.hl7").write_bytes(message("hl7v2/bad-no-pid"))
    await asyncio.wait_for(watch.run(once=True), 30)
    assert "HOÀ" not in capfd.readouterr().out


def test_folders_are_asked_for_by_hospital_and_by_its_file(pair, tmp_path):
    reception = pair[0].gateway.reception
    first, second = watches(reception, f"qn-general={tmp_path}/a, bai-chay={tmp_path}/b")
    assert (first.hospital, second.folder.path) == ("qn-general", tmp_path / "b")
    with pytest.raises(BadRequest):
        watches(reception, str(tmp_path))
    with pytest.raises(NotFound):
        watches(reception, f"nowhere={tmp_path}")

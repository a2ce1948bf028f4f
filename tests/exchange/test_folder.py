"""The files of a watched folder: when one is complete, how it is taken, what lies beside it in the end."""

import json
import os
from pathlib import Path

import pytest

from fhir_gateway.exchange.folder import DONE, QUARANTINE, TAKEN, Changing, Folder, media_type_of
from fhir_gateway.problem import BadRequest, TooLarge, Unprocessable

TOLD = {"receipt": "1", "state": "stored"}


@pytest.fixture
def folder(tmp_path):
    found = Folder(tmp_path / "in")
    assert found.hold()
    yield found
    found.release()


def put(folder, name, content=b"MSH|", modified=None):
    file = folder.path / name
    file.write_bytes(content)
    if modified is not None:
        os.utime(file, (modified, modified))
    return file


def test_a_file_is_ready_when_it_has_not_changed_for_a_while(folder):
    put(folder, "a.hl7")
    assert folder.ready(0) == []
    assert folder.ready(1.9) == []
    assert folder.ready(2.1) == ["a.hl7"]


def test_a_file_that_grows_starts_to_wait_again(folder):
    put(folder, "a.hl7", b"M")
    folder.ready(0)
    put(folder, "a.hl7", b"MSH|")
    assert folder.ready(2.1) == []
    assert folder.ready(4.2) == ["a.hl7"]


def test_a_marker_says_that_a_file_is_complete_and_goes_with_it(folder):
    put(folder, "a.hl7")
    put(folder, "a.hl7.done")
    put(folder, "lonely.done")
    assert folder.ready(0) == ["a.hl7"]
    folder.take("a.hl7")
    assert sorted(p.name for p in folder.path.iterdir() if p.is_file()) == [".watching", "lonely.done"]


def test_where_a_marker_is_asked_for_nothing_is_taken_without_it(folder):
    folder.marker = ".ok"
    put(folder, "a.hl7")
    folder.ready(0)
    assert folder.ready(100) == []
    put(folder, "a.hl7.ok")
    assert folder.ready(101) == ["a.hl7"]


@pytest.mark.parametrize("name", ["a.part", "a.hl7.tmp", "A.FILEPART", ".hidden", "a.crdownload", "a~"])
def test_what_is_marked_as_partial_is_left_alone(folder, name):
    put(folder, name)
    folder.ready(0)
    assert folder.ready(100) == []
    assert (folder.path / name).exists()


def test_folders_links_and_pipes_are_left_alone(folder, tmp_path):
    (tmp_path / "secret.xml").write_text("secret")
    (folder.path / "link.xml").symlink_to(tmp_path / "secret.xml")
    (folder.path / "sub.xml").mkdir()
    put(folder, "sub.xml/inner.xml")
    os.mkfifo(folder.path / "pipe.xml")
    folder.ready(0)
    assert folder.ready(100) == []
    assert folder.left == 3


def test_a_link_that_was_slipped_in_after_the_look_is_not_followed(folder, tmp_path):
    (tmp_path / "secret.xml").write_text("secret")
    (folder.path / TAKEN / "link.xml").symlink_to(tmp_path / "secret.xml")
    with pytest.raises(Unprocessable, match="cannot be read"):
        folder.read("link.xml", 100)
    assert folder.taken() == []


def test_files_are_taken_oldest_first(folder):
    for name, age in (("c", 1), ("a", 2), ("b", 2)):
        put(folder, name, modified=age)
    folder.ready(0)
    assert folder.ready(3) == ["c", "a", "b"]


def test_an_empty_file_waits_longer_and_is_no_message(folder):
    put(folder, "a.hl7", b"")
    folder.ready(0)
    assert folder.ready(29) == []
    assert folder.ready(31) == ["a.hl7"]
    folder.take("a.hl7")
    with pytest.raises(BadRequest, match="empty"):
        folder.read("a.hl7", 100)


def test_a_file_beyond_the_limit_is_not_even_read(folder):
    with put(folder, "a.hl7", b"").open("wb") as huge:
        huge.truncate(2**40)
    folder.take("a.hl7")
    with pytest.raises(TooLarge, match="the limit is 100"):
        folder.read("a.hl7", 100)


def test_a_taken_file_is_read_as_it_is(folder):
    put(folder, "a.hl7", b"MSH|\r")
    folder.take("a.hl7")
    content, stamp = folder.read("a.hl7", 100)
    assert content == b"MSH|\r"
    assert folder.unchanged("a.hl7", stamp)


def test_a_file_that_is_still_written_to_is_noticed_and_goes_back(folder):
    with put(folder, "a.hl7").open("ab") as sender:
        folder.take("a.hl7")
        _, stamp = folder.read("a.hl7", 100)
        sender.write(b"more")
    assert not folder.unchanged("a.hl7", stamp)
    folder.give_back("a.hl7")
    assert (folder.path / "a.hl7").read_bytes() == b"MSH|more"
    assert folder.ready(0) == []


def test_a_file_that_changes_while_it_is_read_is_not_handed_in(folder, tmp_path):
    put(folder, "a.hl7", b"x" * 10)
    folder.take("a.hl7")
    file = folder.path / TAKEN / "a.hl7"
    real = os.fstat

    def fstat(descriptor):
        found = real(descriptor)
        with file.open("ab") as sender:
            sender.write(b"y")
        return found

    os.fstat = fstat
    try:
        with pytest.raises(Changing):
            folder.read("a.hl7", 100)
    finally:
        os.fstat = real


def test_the_receipt_lies_beside_the_file(folder):
    put(folder, "Trần Thị Hoà.xml")
    folder.take("Trần Thị Hoà.xml")
    folder.finish("Trần Thị Hoà.xml", DONE, TOLD)
    done = folder.path / DONE
    assert sorted(p.name for p in done.iterdir()) == ["Trần Thị Hoà.xml", "Trần Thị Hoà.xml.receipt.json"]
    told = json.loads((done / "Trần Thị Hoà.xml.receipt.json").read_text())
    assert told == {"file": "Trần Thị Hoà.xml", **TOLD}


def test_a_name_that_is_used_every_day_never_writes_over_an_earlier_file(folder):
    for day in (b"one", b"two", b"three"):
        put(folder, "daily.xml", day)
        folder.take("daily.xml")
        folder.finish("daily.xml", QUARANTINE, TOLD)
    kept = {p.name: p.read_bytes() for p in (folder.path / QUARANTINE).glob("*") if p.suffix != ".json"}
    assert kept == {"daily.xml": b"one", "daily.xml~2": b"two", "daily.xml~3": b"three"}
    assert (folder.path / QUARANTINE / "daily.xml~3.receipt.json").exists()


def test_a_name_that_is_not_text_and_one_that_is_too_long_are_taken_too(folder):
    odd = os.fsdecode(b"a\xff.hl7")
    for name in (odd, "ữ" * 80 + ".hl7"):
        put(folder, name)
        folder.take(name)
        folder.finish(name, DONE, TOLD)
    assert len(list((folder.path / DONE).glob("*.receipt.json"))) == 2
    assert len(list((folder.path / DONE).iterdir())) == 4


def test_a_receipt_left_by_a_crash_before_its_file_moved_is_written_anew(folder):
    put(folder, "a.hl7")
    folder.take("a.hl7")
    (folder.path / DONE / "a.hl7.receipt.json").write_text("{}")
    folder.finish("a.hl7", DONE, TOLD)
    assert sorted(p.name for p in (folder.path / DONE).iterdir()) == ["a.hl7", "a.hl7.receipt.json"]
    assert json.loads((folder.path / DONE / "a.hl7.receipt.json").read_text())["state"] == "stored"


def test_only_one_process_works_in_a_folder_until_it_ends(folder):
    other = Folder(folder.path)
    assert other.hold() is False
    folder.release()
    assert other.hold() is True
    other.release()


def test_a_marker_whose_file_was_taken_before_a_crash_is_cleared_away(folder):
    put(folder, "a.hl7")
    put(folder, "a.hl7.done")
    os.rename(folder.path / "a.hl7", folder.path / TAKEN / "a.hl7")
    assert folder.taken() == ["a.hl7"]
    assert not (folder.path / "a.hl7.done").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_a_file_that_may_not_be_read_is_named(folder):
    put(folder, "a.hl7").chmod(0)
    folder.take("a.hl7")
    for place in (folder.path, folder.path / TAKEN, *Path(folder.path).parents):
        if place != Path("/"):
            place.chmod(place.stat().st_mode | 0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(Unprocessable, match="Permission denied"):
            folder.read("a.hl7", 100)
    finally:
        os.seteuid(0)


def test_the_ending_tells_the_format():
    assert media_type_of("a.HL7") == "application/hl7-v2"
    assert media_type_of("a.xml") == "application/xml"
    assert media_type_of("README") == "application/octet-stream"

"""A file of the audit journal: what was durable is read again or known to be missing, whatever happens to the file."""

import errno
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_gateway.security import segment
from fhir_gateway.security.segment import Content, Segment, begun, damaged, left_behind, read

BODIES = [f'{{"event":{number}}}'.encode() for number in range(8)]


def written(folder: Path, *groups: list[bytes]) -> Segment:
    made = begun(folder)
    for group in groups:
        made.write(group)
    return made


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_was_written_is_read_in_its_order(tmp_path: Path) -> None:
    made = written(tmp_path, BODIES[:1], BODIES[1:6], BODIES[6:])
    assert made.content() == Content(tuple(BODIES))
    assert made.size == made.path.stat().st_size
    made.close()
    assert made.content() == Content(tuple(BODIES))


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    assert stat.S_IMODE(begun(tmp_path).path.stat().st_mode) == 0o600


def test_an_empty_file_holds_nothing() -> None:
    assert read(b"") == Content(())


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three writes, the last of which nobody has been told of."""
    return written(tmp_path_factory.mktemp("text"), BODIES[:2], BODIES[2:5], BODIES[5:]).path.read_bytes()


def end_of(text: bytes, lines: int) -> int:
    return len(b"".join(text.splitlines(keepends=True)[:lines]))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400))
def test_a_torn_last_write_costs_only_what_no_answer_stood_on(text: bytes, cut: int) -> None:
    end = max(end_of(text, 5), len(text) - cut)
    found = read(text[:end])
    assert found.bodies[:5] == tuple(BODIES[:5])
    assert found.bodies == tuple(BODIES[: len(found.bodies)])
    assert found.lost == 0
    assert found.torn is (end not in [end_of(text, lines) for lines in range(9)])


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255))
def test_a_damaged_byte_before_the_last_write_is_noticed(text: bytes, where: float, byte: int) -> None:
    place = int(where * end_of(text, 5))
    found = read(text[:place] + bytes([text[place] ^ byte]) + text[place + 1 :])
    # A line feed that is lost or slipped in breaks one line or joins two.
    assert found.lost in (1, 2)
    assert found.torn
    assert set(found.bodies) < set(BODIES)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255))
def test_in_a_closed_file_the_last_write_is_certain_too(text: bytes, where: float, byte: int) -> None:
    place = int(where * len(text))
    closed = text + segment.closing(8)
    assert read(closed) == Content(tuple(BODIES))
    assert read(closed[:place] + bytes([closed[place] ^ byte]) + closed[place + 1 :]).lost in (1, 2)


def test_a_line_that_is_taken_out_is_missed(text: bytes) -> None:
    lines = text.splitlines(keepends=True)
    assert read(b"".join(lines[:1] + lines[2:])) == Content(tuple(BODIES[:1] + BODIES[2:]), lost=1)


def test_a_full_disk_is_an_error_and_leaves_what_was_durable(tmp_path: Path) -> None:
    made = written(tmp_path, BODIES[:3])
    size = made.size
    with full_disk(size + 20), pytest.raises(OSError, match="too large") as fault:
        made.write(BODIES[3:])
    assert fault.value.errno == errno.EFBIG
    assert made.full
    assert (made.size, made.path.stat().st_size) == (size, size)
    assert made.content() == Content(tuple(BODIES[:3]))


def test_a_file_that_has_grown_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "SEGMENT_BYTES", 100)
    made = begun(tmp_path)
    made.write(BODIES[:1])
    assert not made.full
    made.write(BODIES[1:6])
    assert made.full
    assert made.content() == Content(tuple(BODIES[:6]))


def test_a_file_in_use_is_not_left_behind_and_one_of_an_ended_process_is_once(tmp_path: Path) -> None:
    living = written(tmp_path, BODIES[:1])
    assert [*left_behind(tmp_path)] == []
    line = "import os, sys; from pathlib import Path; from fhir_gateway.security.segment import begun\n"
    line += "begun(Path(sys.argv[1])).write([b'of the dead']); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", line, str(tmp_path)], check=False)
    (orphan,) = left_behind(tmp_path)
    assert orphan.content() == Content((b"of the dead",))
    assert [*left_behind(tmp_path)] == []
    orphan.release()
    assert [one.path for one in left_behind(tmp_path)] == [orphan.path]
    assert living.path.exists()


def test_a_file_that_is_brought_in_goes_and_a_damaged_one_is_kept_aside(tmp_path: Path) -> None:
    whole, broken = written(tmp_path, BODIES), written(tmp_path, BODIES)
    broken.damaged = True
    whole.remove()
    broken.remove()
    assert [path.suffix for path in tmp_path.iterdir()] == [".damaged"]
    assert damaged(tmp_path) == 1
    assert [*left_behind(tmp_path)] == []


def test_a_new_file_that_another_process_clears_away_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open
    cleared: list[Path] = []

    def met(path: Path, *flags: int) -> int:
        file = opened(path, *flags)
        if not cleared and str(path).endswith(".journal"):
            cleared.append(Path(path))
            Path(path).unlink()
        return file

    monkeypatch.setattr(os, "open", met)
    made = written(tmp_path, BODIES)
    assert made.path != cleared[0]
    assert made.content().bodies == tuple(BODIES)

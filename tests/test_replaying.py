"""Replay and remap as they are typed, beside a gateway that is a process of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
NAMES = ("admission-a01", "laboratory-oru", "bad-no-pid")


def run(place: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "fhir_gateway", *arguments, "--data", str(place / "data")]
    known = {**os.environ, "COLUMNS": "200", "FHIR_GATEWAY_HOSPITALS": str(place / "hospitals")}
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, env=known, input=typed)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A gateway with hospital files of its own, and three messages: two stored, one in quarantine."""
    folder = tmp_path_factory.mktemp("replaying")
    shutil.copytree(str(files("adapters.hospitals")), folder / "hospitals")
    line = [sys.executable, "-m", "fhir_gateway", "serve", "--port", "0", "--data", str(folder / "data")]
    known = {**os.environ, "FHIR_GATEWAY_HOSPITALS": str(folder / "hospitals")}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=known)
    assert process.stdout.readline().startswith("ready http://127.0.0.1:")
    messages = [str(FIXTURES / "hl7v2" / name / "message.hl7") for name in NAMES]
    run(folder, "ingest", "--hospital", "qn-general", *messages)
    yield folder
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def titled(place, title):
    file = place / "hospitals" / "qn-general.toml"
    file.write_text(re.sub(r'(?m)^title = ".*"$', f'title = "{title}"', file.read_text()))


def test_a_replay_counts_what_it_would_do(place):
    done = run(place, "replay", "--hospital", "qn-general", "--state", "", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "3 messages = 1 would be translated again + 2 would be mapped again + 0 left" in done.stdout


def test_a_replay_puts_quarantined_messages_to_work_again(place):
    done = run(place, "replay", "--place", "PID")
    assert "1 messages = 1 to be translated again" in done.stdout


def test_a_query_that_makes_no_sense_is_one_clear_line(place):
    done = run(place, "replay", "--since", "yesterday")
    assert done.returncode == 1
    assert "ISO 8601" in done.stderr
    assert "Traceback" not in done.stderr


def test_remap_shows_the_difference_and_commits_only_when_told(place):
    titled(place, "Tên mới")
    shown = run(place, "remap", "--dry-run", "--json")
    assert shown.returncode == 0, shown.stderr
    report = json.loads(shown.stdout)
    assert report["counts"] == {"messages": 3, "unchanged": 0, "changed": 2, "failed": 0, "skipped": 1}
    assert {(row["type"], row["path"], row["count"]) for row in report["elements"]} >= {("Organization", "name", 1)}
    assert all(row["path"] == "name" or row["path"].endswith("display") for row in report["elements"])
    assert "Tên mới" not in shown.stdout

    refused = run(place, "remap", typed="n\n")
    assert refused.returncode == 1
    assert json.loads(run(place, "remap", "--dry-run", "--json").stdout)["counts"]["changed"] == 2

    done = run(place, "remap", "--values", typed="y\n")
    assert done.returncode == 0, done.stderr
    assert "Tên mới" in done.stdout
    assert re.search(r"3 messages = \d unchanged \+ [12] changed \+ 0 failed \+ 1 skipped", done.stdout)
    again = run(place, "remap", "--yes")
    assert "3 messages = 2 unchanged + 0 changed + 0 failed + 1 skipped" in again.stdout


def test_help_says_what_a_replay_and_a_remap_are(place):
    for command, word in (("replay", "quarantined"), ("remap", "--dry-run")):
        done = run(place, command, "--help")
        assert word in done.stdout

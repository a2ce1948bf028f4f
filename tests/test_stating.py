"""The command that states completeness and verifies a statement."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fhir_gateway.app import opened_store
from fhir_gateway.exchange.inbox import SHELF, Receipt, State
from fhir_gateway.settings import Settings
from fhir_gateway.store.port import Commit, Note

pytestmark = pytest.mark.anyio
DAY = "2026-11-10"


def run(*arguments, data):
    command = [sys.executable, "-m", "fhir_gateway", "completeness", *arguments, "--data", str(data)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "160"}, timeout=60
    )


@pytest.fixture(scope="module")
async def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gateway's folder: three messages of one day, one of them in quarantine, one never sent."""
    rows = [
        Receipt(
            "qn-general",
            f"{n:032x}",
            "0" * 64,
            "x",
            1,
            f"{DAY}T0{n}:00:00.000+00:00",
            State.STORED,
            sequence=f"HIS#{n}",
        )
        for n in (1, 2)
    ]
    problems = ({"where": "PID", "text": "there is no PID segment", "code": "structure"},)
    rows.append(
        Receipt("qn-general", "f" * 32, "0" * 64, "x", 1, f"{DAY}T09:00:00.000+00:00", State.QUARANTINED,
                problems=problems, sequence="HIS#4")
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("gateway")
    async with opened_store(Settings(data=folder)) as store:
        await store.commit(Commit(notes=tuple(Note(SHELF, row.key, row.content()) for row in rows)))
    return folder


async def test_a_day_is_told_and_what_waits_or_is_missing_fails_the_command(data):
    done = run("qn-general", "--date", DAY, data=data)
    assert done.returncode == 1, done.stderr
    assert "quarantined: 1 × there is no PID segment" in done.stdout
    assert "HIS: 1 to 4, missing: 3-3" in done.stdout
    quiet = run("qn-general", "--date", "2026-11-09", data=data)
    assert quiet.returncode == 0, quiet.stderr


async def test_a_statement_is_verified_and_an_altered_one_refused(data):
    done = run("qn-general", "--date", DAY, "--json", data=data)
    told = json.loads(done.stdout)
    assert (told["messages"], told["states"]["stored"]) == (3, 2)
    file = data / "statement.json"
    file.write_text(done.stdout, encoding="utf-8")
    assert "unaltered" in run("--verify", str(file), data=data).stdout
    file.write_text(json.dumps(told | {"messages": 2}), encoding="utf-8")
    altered = run("--verify", str(file), data=data)
    assert altered.returncode == 1
    assert "does not belong to these bytes" in altered.stderr


async def test_a_hospital_that_does_not_exist_is_named(data):
    done = run("nobody", data=data)
    assert done.returncode == 1
    assert "no hospital of that name" in done.stderr

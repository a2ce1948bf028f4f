"""What is logged is one line in one form, whoever says it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

WORDS = """
import logging, uvicorn
from fhir_gateway import logs, serving
logs.configure("json", "INFO"); logs.configure("json", "INFO")
logging.getLogger("uvicorn.error").info("not worth a line")
try:
    raise ValueError("NGUYEN VAN A")
except ValueError:
    logging.getLogger("some.library").exception("it failed\\nand more")
"""


def test_what_a_library_says_is_one_json_line_without_a_traceback():
    done = subprocess.run([sys.executable, "-c", WORDS], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["logger"], told["type"]) == ("it failed", "some.library", "ValueError")
    assert "NGUYEN" not in line


FULL = """
import logging
from fhir_gateway import logs
logs.configure({!r}, "INFO")
for _ in range(3):
    logging.getLogger("some.library").warning("x" * 20000)
print("went on", flush=True)
import os; os._exit(0)
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_log_on_a_full_disk_stops_nobody(form):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", FULL.format(form)], stdout=subprocess.PIPE, stderr=full, text=True, check=True
        )
    assert done.stdout == "went on\n"

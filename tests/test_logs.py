"""What is logged is one line in one form, whoever says it."""

import json
import subprocess
import sys

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

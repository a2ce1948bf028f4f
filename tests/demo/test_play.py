"""The story of ``make demo`` holds, scene by scene."""

import json
import subprocess
import sys


def test_the_whole_story_holds():
    line = [sys.executable, "-m", "fhir_gateway", "demo", "--json"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    result = json.loads(done.stdout)
    assert [scene["scene"] for scene in result["scenes"] if not scene["ok"]] == [], result["scenes"][-1]
    assert len(result["scenes"]) == 10
    assert done.returncode == 0

"""What a sustained load comes to."""

import asyncio
import os

import pytest

from bench.stage import Stage
from bench.sustained import CLIENTS, Tally, _asks, _growth, _row

pytestmark = pytest.mark.anyio


def test_an_answer_counts_its_message_and_the_resources_it_made() -> None:
    tally = Tally()
    tally.heard(12.5, b'{"state": "stored", "resources": ["Patient/1", "Encounter/2"]}')
    tally.heard(2.5, b'{"state": "received", "resources": []}')
    assert (tally.milliseconds, tally.messages, tally.resources, tally.late) == ([12.5, 2.5], 2, 2, 1)


def test_growth_is_counted_from_the_first_minute() -> None:
    rows = [{"gateway_mb": 200.0, "engine_mb": 300.0}, {"gateway_mb": 210.5, "engine_mb": 290.0}]
    assert _growth(rows) == {"gateway_mb": 10.5, "engine_mb": -10.0}
    assert _growth([]) == {}


def test_each_hospital_sends_its_kinds_in_turn_and_no_message_twice(tmp_path: os.PathLike[str]) -> None:
    running = Stage(tmp_path, 0, os.getpid(), tokens={"qn-general": "t", "bai-chay": "t"})  # type: ignore[arg-type]
    tally = Tally()
    asks = _asks(running, "qn-general", tally)
    sent = [next(asks) for _ in range(4)]
    assert len({one.body for one in sent}) == tally.sent == 4
    assert [b"ORU^R01" in one.body for one in sent] == [False, True, False, True]
    national = _asks(running, "bai-chay", tally)
    assert all(b"XML13" not in next(national).body for _ in range(CLIENTS // 3))


async def test_a_row_tells_what_waits_and_what_the_gateway_holds(tmp_path: os.PathLike[str]) -> None:
    running = Stage(tmp_path, 0, os.getpid())  # type: ignore[arg-type]
    tally = Tally([1.0, 3.0], resources=40, messages=2, sent=5)
    row = await asyncio.to_thread(_row, running, tally, 1, (2.0, 30))
    assert (row["waiting"], row["messages_per_second"], row["resources_per_second"]) == (3, 1.0, 15.0)
    assert row["gateway_mb"] > 10
    assert row["engine_mb"] == 0

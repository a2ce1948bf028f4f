import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import Unavailable
from fhir_gateway.security.audit import PAGE_BYTES, Act, Event, Trail, audit_event, event
from fhir_gateway.security.caller import Caller

NOW = datetime(2026, 11, 23, 3, 4, 5, 678_999, tzinfo=UTC)
DOCTOR = Caller("doctor", "doctor", "qn-general", token="8b1c6f34-8c8c-4a3e-9f5f-2f6d0f5d8e11")


@dataclass
class Disk:
    """Durable storage that takes its time; ``lost`` is what the next write fails with."""

    written: list[Event] = field(default_factory=list)
    appends: int = 0
    lost: Exception | None = None
    seconds: float = 0.01

    async def append(self, events: Sequence[Event]) -> None:
        self.appends += 1
        await asyncio.sleep(self.seconds)
        if self.lost:
            raise self.lost
        self.written += events


def _event(name: str) -> Event:
    return Event(name, NOW, name.encode())


def _index(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"keys": [resource["action"]]}


def test_a_read_names_the_doctor_the_record_and_the_patient() -> None:
    act = Act("read", DOCTOR, 200, "10.1.2.3", ("Observation/1",), ("Patient/2",), request="r-1")
    resource = audit_event(act, NOW, "quang-ninh")
    client, server = resource["agent"]
    assert (resource["action"], resource["outcome"], resource["recorded"]) == ("R", "0", "2026-11-23T03:04:05.678Z")
    assert resource["subtype"][0]["code"] == "read"
    assert client["who"]["identifier"]["value"] == "doctor"
    assert client["who"]["identifier"]["assigner"]["identifier"]["value"] == "qn-general"
    assert client["role"][0]["coding"][0]["code"] == "doctor"
    assert client["network"] == {"address": "10.1.2.3", "type": "2"}
    assert client["policy"] == [f"urn:uuid:{DOCTOR.token}"]
    assert (client["requestor"], server["requestor"]) == (True, False)
    assert [e["what"] for e in resource["entity"][:2]] == [{"reference": "Observation/1"}, {"reference": "Patient/2"}]
    assert resource["entity"][1]["role"]["code"] == "1"
    assert resource["entity"][2]["what"]["identifier"]["value"] == "r-1"


def test_a_search_keeps_its_query_in_base64() -> None:
    act = Act("search-type", DOCTOR, query="Patient?name=Nguyễn")
    entity = audit_event(act, NOW, "quang-ninh")["entity"][0]
    assert base64.b64decode(entity["query"]).decode() == "Patient?name=Nguyễn"
    assert entity["role"]["code"] == "24"


@pytest.mark.parametrize(
    ("interaction", "letter"),
    [
        ("create", "C"),
        ("ingest", "C"),
        ("deliver", "C"),
        ("read", "R"),
        ("vread", "R"),
        ("$everything", "R"),
        ("update", "U"),
        ("patch", "U"),
        ("move", "U"),
        ("delete", "D"),
        ("search-type", "E"),
        ("token", "E"),
    ],
)
def test_an_interaction_has_its_letter(interaction: str, letter: str) -> None:
    assert audit_event(Act(interaction, DOCTOR), NOW, "quang-ninh")["action"] == letter


@pytest.mark.parametrize(
    ("interaction", "own"), [("read", False), ("search-type", False), ("ingest", True), ("move", True)]
)
def test_only_interactions_fhir_knows_are_given_as_fhirs(interaction: str, own: bool) -> None:
    subtype = audit_event(Act(interaction, DOCTOR), NOW, "quang-ninh")["subtype"][0]
    assert subtype["system"].startswith("urn:fhir-gateway:") is own


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "0"), (304, "0"), (403, "4"), (422, "4"), (500, "8"), (503, "8")]
)
def test_the_outcome_follows_the_answer(status: int, outcome: str) -> None:
    assert audit_event(Act("read", DOCTOR, status), NOW, "quang-ninh")["outcome"] == outcome


def test_the_data_flow_from_the_sender_to_the_receiver() -> None:
    def codes(interaction: str) -> list[str]:
        agents = audit_event(Act(interaction, DOCTOR), NOW, "quang-ninh")["agent"]
        return [agent["type"]["coding"][0]["code"] for agent in agents]

    assert (codes("read"), codes("create")) == (["110152", "110153"], ["110153", "110152"])


def test_who_proves_nothing_is_recorded_all_the_same() -> None:
    agent = audit_event(Act("read", None, 401, "gateway.example"), NOW, "quang-ninh")["agent"][0]
    assert agent["who"] == {"display": "unauthenticated"}
    assert agent["network"] == {"address": "gateway.example", "type": "1"}


def test_an_event_is_its_exact_text_with_the_keys_it_is_found_by() -> None:
    made = event(Act("read", DOCTOR, entities=("Patient/1",)), NOW, "quang-ninh", _index)
    resource = json.loads(made.body)
    assert (resource["id"], resource["recorded"]) == (made.id, "2026-11-23T03:04:05.678Z")
    assert made.recorded == NOW.replace(microsecond=678_000)
    assert made.index == {"keys": ["R"]}
    assert made.block is None


@pytest.mark.parametrize(
    "act",
    [
        Act("read", DOCTOR, 200, "::1", ("Observation/1",), ("Patient/2",), request="r-1"),
        Act("search-type", Caller("admin", "admin", ""), query="Patient?name=A"),
        Act("ingest", None, 401, "his.example"),
    ],
)
def test_an_event_is_a_valid_r4_resource(act: Act) -> None:
    assert validate(audit_event(act, NOW, "quang-ninh")) == ()


def test_two_events_of_one_act_are_two() -> None:
    act = Act("read", DOCTOR)
    assert event(act, NOW, "quang-ninh", _index).id != event(act, NOW, "quang-ninh", _index).id


@pytest.mark.anyio
async def test_many_events_at_once_cost_few_writes() -> None:
    disk = Disk()
    trail = Trail(disk)
    await asyncio.gather(*(trail.record(_event(str(number))) for number in range(500)))
    assert {e.id for e in disk.written} == {str(number) for number in range(500)}
    assert len(disk.written) == 500
    assert disk.appends <= 2


@pytest.mark.anyio
async def test_events_that_come_during_a_write_share_the_next_one() -> None:
    disk = Disk(seconds=0.02)
    trail = Trail(disk)

    async def later(number: int) -> None:
        await asyncio.sleep(number / 20_000)
        await trail.record(_event(str(number)))

    await asyncio.gather(*(later(number) for number in range(400)))
    assert len(disk.written) == 400
    assert disk.appends <= 10


@pytest.mark.anyio
async def test_nobody_returns_before_the_event_is_durable() -> None:
    disk = Disk()
    trail = Trail(disk)

    async def ask(name: str) -> bool:
        await trail.record(_event(name))
        return name in {e.id for e in disk.written}

    assert all(await asyncio.gather(*(ask(str(number)) for number in range(50))))


@pytest.mark.anyio
async def test_several_events_of_one_request_are_recorded_together() -> None:
    disk = Disk()
    await Trail(disk).record(_event("a"), _event("b"))
    assert ([e.id for e in disk.written], disk.appends) == (["a", "b"], 1)


@pytest.mark.anyio
async def test_no_event_costs_no_write() -> None:
    disk = Disk()
    await Trail(disk).record()
    assert disk.appends == 0


@pytest.mark.anyio
async def test_a_failed_write_is_told_to_everybody_who_waits_and_the_next_may_succeed() -> None:
    disk = Disk(lost=Unavailable("the database does not answer"))
    trail = Trail(disk)
    answers = await asyncio.gather(*(trail.record(_event(str(n))) for n in range(20)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    disk.lost = None
    await trail.record(_event("after"))
    assert [e.id for e in disk.written] == ["after"]


@pytest.mark.anyio
async def test_a_fault_of_the_store_lets_nobody_wait_for_ever() -> None:
    faults: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    disk = Disk(lost=ZeroDivisionError())
    trail = Trail(disk)
    answers = await asyncio.gather(*(trail.record(_event(str(n))) for n in range(3)), return_exceptions=True)
    await asyncio.sleep(0.01)
    loop.set_exception_handler(None)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert [type(fault) for fault in faults] == [ZeroDivisionError]


@pytest.mark.anyio
async def test_a_client_that_hangs_up_does_not_lose_its_neighbours_event() -> None:
    disk = Disk(seconds=0.02)
    trail = Trail(disk)
    tasks = [asyncio.create_task(trail.record(_event(name))) for name in ("gone", "here")]
    await asyncio.sleep(0.005)
    tasks[0].cancel()
    await tasks[1]
    assert [e.id for e in disk.written] == ["gone", "here"]
    assert tasks[0].cancelled()


@pytest.mark.anyio
async def test_acts_at_once_share_pages_of_a_hundred_and_one_moment() -> None:
    disk = Disk()
    trail = Trail(disk)

    def make(name: str, moment: datetime) -> Event:
        return Event(name, moment, b"{}")

    await asyncio.gather(*(trail.enter(make, NOW + timedelta(seconds=number)) for number in range(250)))
    found: dict[str, list[str]] = {}
    for one in disk.written:
        page, _, number = one.id.rpartition(".")
        found.setdefault(page, []).append(number)
    assert [len(numbers) for numbers in found.values()] == [100, 100, 50]
    assert all(numbers == sorted(numbers) for numbers in found.values())
    assert {one.recorded for one in disk.written} == {NOW + timedelta(seconds=249)}


@pytest.mark.anyio
async def test_a_page_that_is_large_takes_no_more() -> None:
    disk = Disk()
    trail = Trail(disk)
    large = b"x" * (PAGE_BYTES // 2 + 1)
    await asyncio.gather(*(trail.enter(lambda name, moment: Event(name, moment, large), NOW) for _ in range(5)))
    pages = [one.id.rpartition(".")[0] for one in disk.written]
    assert [pages.count(page) for page in dict.fromkeys(pages)] == [2, 2, 1]

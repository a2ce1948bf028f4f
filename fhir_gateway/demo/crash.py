"""The power cut: the province is killed while messages and referrals are in flight, and started again."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from urllib.error import URLError

from fhir_gateway.demo.doors import Http, mllp, segments, until
from fhir_gateway.demo.material import admission, episode
from fhir_gateway.demo.script import Scene, Story, expect

ADMISSIONS, EPISODES, SENDERS = 40, 6, 6
KILL_AFTER_ACKNOWLEDGED = 15
LOST = (URLError, ConnectionError, TimeoutError, HTTPException)


@dataclass(slots=True)
class Flight:
    """What is sent, and what was acknowledged before the lights went out."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, name: str, answer: str) -> None:
        with self.lock:
            self.acknowledged[name] = answer


def crash(story: Story) -> Scene:
    """SIGKILL in full work: every acknowledged message is there exactly once, every delivery arrives exactly once."""
    flight = Flight()
    sends = _sends(story, flight)
    with ThreadPoolExecutor(SENDERS) as pool:
        for send in sends:
            pool.submit(send)
        until(lambda: len(flight.acknowledged) >= KILL_AFTER_ACKNOWLEDGED)
        story.province.kill()
    before = dict(flight.acknowledged)
    started = time.monotonic()
    story.province.start()
    back = time.monotonic() - started
    for send in sends:
        send()
    taken = len(flight.acknowledged)
    expect(taken == ADMISSIONS + EPISODES, "the rest is taken after the restart", taken)
    _check_messages(story)
    versions = _check_deliveries(story)
    return Scene(
        {
            "acknowledged before the kill": len(before),
            "sent in all": len(sends),
            "seconds until ready again": round(back, 1),
            "messages stored exactly once": ADMISSIONS + EPISODES,
            "deliveries arrived exactly once": versions,
        }
    )


def _sends(story: Story, flight: Flight) -> list[Callable[[], None]]:
    bai_chay = story.province.client("bai-chay")
    episodes = [partial(_by_http, bai_chay, flight, number) for number in range(EPISODES)]
    return [*episodes, *(partial(_by_mllp, story.province.mllp, flight, number) for number in range(ADMISSIONS))]


def _by_http(client: Http, flight: Flight, number: int) -> None:
    try:
        reply = client.ingest("bai-chay", "application/xml", episode(number), wait=False)
    except LOST:
        return
    if reply.status in (200, 202):
        flight.note(f"episode {number}", reply.body["receipt"])


def _by_mllp(address: str, flight: Flight, number: int) -> None:
    try:
        answer = segments(mllp(address, [admission(number)])[0])["MSA"]
    except LOST:
        return
    if answer[1] == "AA":
        flight.note(f"admission {number}", answer[3])


def _check_messages(story: Story) -> None:
    client = story.province.client("qn-general")
    for number in range(ADMISSIONS):
        reference = until(lambda n=number: _patient(client, n))
        history = client.get(f"/fhir/{reference}/_history").body
        expect(len(history["entry"]) == 1, f"admission {number} was stored exactly once", len(history["entry"]))


def _patient(client: Http, number: int) -> str | None:
    found = client.search(f"Patient?identifier=urn:vn:quang-ninh:qn-general:mrn|QNX{number:05d}")
    expect(len(found) < 2, "one patient for one number", len(found))
    return f"Patient/{found[0]['id']}" if found else None


def _check_deliveries(story: Story) -> int:
    admin = story.province.client("admin")

    def owed() -> bool:
        return not admin.get("/exchange/deliveries?state=owed").body["deliveries"]

    until(owed)
    refused = admin.get("/exchange/deliveries?state=refused").body["deliveries"]
    expect(not refused, "no delivery was refused", [row["trouble"] for row in refused])
    central = story.central.client("bach-mai")
    open_tasks = central.search("Task?status=requested&_count=100")
    expect(len(open_tasks) >= EPISODES, "each referral is at Bạch Mai", len(open_tasks))
    for task in open_tasks:
        versions = central.get(f"/fhir/Task/{task['id']}/_history").body["entry"]
        expect(len(versions) == 1, "a referral arrived exactly once", len(versions))
    return len(open_tasks)

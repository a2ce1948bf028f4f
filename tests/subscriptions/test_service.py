"""Subscriptions from the outside: what a subscriber receives, whatever happens in between."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from fhir_gateway.app import now
from fhir_gateway.fhir.xml import reading
from fhir_gateway.problem import Invalid
from fhir_gateway.records import write
from fhir_gateway.records.revision import revision
from fhir_gateway.search.query import parse
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Commit
from fhir_gateway.subscriptions import terms as terms_module
from fhir_gateway.subscriptions.counting import count_once
from fhir_gateway.subscriptions.endpoints import Endpoints
from fhir_gateway.subscriptions.register import progress, progress_note
from fhir_gateway.subscriptions.topics import topics
from fhir_gateway.subscriptions.watch import CHANGES

pytestmark = pytest.mark.anyio
BASE = "http://gateway/fhir"


def patient(identity: str, **more) -> dict:
    return {"resourceType": "Patient", "id": identity, **more}


async def test_a_subscription_is_active_after_its_handshake_and_is_told_of_a_change(rig):
    rig.start()
    identity = await rig.subscribe()
    assert (await rig.subscription(identity))["status"] == "requested"
    await rig.active(identity)
    assert rig.subscriber.kinds() == ["handshake"]
    await rig.put("admin", patient("a"))
    await rig.until(rig.subscriber.events)
    notice = rig.subscriber.at("/hook")[-1]
    assert notice.headers["content-type"] == "application/fhir+json"
    assert notice.facts["events"] == [(1, f"{BASE}/Patient/a")]
    assert notice.facts["events-since-subscription-start"] == "1"
    assert notice.facts["status"] == "active"
    assert notice.facts["subscription"] == {"reference": f"{BASE}/Subscription/{identity}"}
    bundle = notice.bundle
    assert bundle["type"] == "history"
    assert [entry["request"]["url"] for entry in bundle["entry"]] == [f"{BASE}/Subscription/{identity}/$status"]


async def test_a_client_that_is_registered_no_more_is_told_nothing_more(rig):
    rig.start()
    identity = await rig.subscribe()
    await rig.active(identity)
    await rig.put("admin", patient("a"))
    await rig.until(rig.subscriber.events)
    for task in list(rig.services):
        await rig.kill(task)
    rig.office = replace(rig.office, today=lambda caller: Caller("", "", "", ()))
    rig.start()
    await rig.put("admin", patient("b"))
    await rig.becomes(identity, "error")
    assert (await rig.subscription(identity))["error"] == "the client is registered no more"
    await asyncio.sleep(0.2)
    assert len(rig.subscriber.events()) == 1


async def test_what_a_subscriber_sees_follows_the_role_it_has_now(rig):
    rig.start()
    identity = await rig.subscribe()
    await rig.active(identity)
    for task in list(rig.services):
        await rig.kill(task)
    rig.office = replace(rig.office, today=lambda caller: replace(caller, role="hospital", organization="san-nhi"))
    rig.start()
    await rig.put("bai-chay", patient("theirs"))
    await rig.put("san-nhi", patient("own"))
    await rig.until(rig.subscriber.events)
    assert rig.subscriber.at("/hook")[-1].facts["events"] == [(1, f"{BASE}/Patient/own")]


async def test_a_refused_handshake_is_an_error_that_says_so(rig):
    rig.subscriber.status = 500
    rig.start()
    identity = await rig.subscribe()
    await rig.becomes(identity, "error")
    assert (await rig.subscription(identity))["error"] == "the endpoint answers HTTP 500"
    await rig.put("admin", patient("a"))
    await asyncio.sleep(0.3)
    assert rig.subscriber.kinds() == ["handshake"]


async def test_a_subscriber_that_was_down_gets_every_event_once_and_in_order(rig):
    rig.start()
    identity = await rig.subscribe(**{"max-count": 7})
    await rig.active(identity)
    rig.subscriber.up = False
    for number in range(20):
        await rig.put("admin", patient(f"p{number}"))
    await rig.becomes(identity, "error")
    known = await progress(rig.store, identity)
    assert known.attempts >= 3
    assert "does not answer" in known.trouble
    rig.subscriber.up = True
    await rig.until(lambda: len(rig.subscriber.events()) >= 20)
    assert rig.subscriber.events() == [(n + 1, f"{BASE}/Patient/p{n}") for n in range(20)]
    assert max(len(one.facts["events"]) for one in rig.subscriber.at("/hook")) == 7
    await rig.becomes(identity, "active")
    assert "error" not in await rig.subscription(identity)


async def test_each_retry_waits_longer_than_the_one_before(rig):
    rig.start(first_seconds=10.0, longest_seconds=1000.0)
    identity = await rig.subscribe()
    await rig.active(identity)
    rig.subscriber.up = False
    waits = []
    for attempts in range(1, 4):
        await rig.put("admin", patient(f"p{attempts}"))

        async def tried(wanted=attempts):
            return (await progress(rig.store, identity)).attempts == wanted

        await rig.until(tried)
        known = await progress(rig.store, identity)
        waits.append((known.due - now()).total_seconds())
        await _make_due(rig, known)
    assert waits[0] < 10.1
    assert 15 < waits[1] < 20.1
    assert 35 < waits[2] < 40.1


async def _make_due(rig, known):
    await rig.store.commit(Commit(notes=(progress_note(known, told=known.told, due=now()),)))


async def test_a_gateway_killed_between_commit_and_notification_loses_nothing(rig):
    first = rig.start()
    identity = await rig.subscribe()
    await rig.active(identity)
    await rig.kill(first)
    await rig.put("admin", patient("a"))
    assert len(await rig.store.owed(CHANGES, 10)) == 1
    half = rig.start(lease_seconds=0.5)
    rig.subscriber.slow = 30.0
    await rig.until(lambda: _counted(rig, identity, 1))
    await rig.kill(half)
    rig.subscriber.slow = 0.0
    await rig.put("admin", patient("b"))
    rig.start()
    await rig.until(lambda: len(rig.subscriber.events()) >= 2)
    assert rig.subscriber.events() == [(1, f"{BASE}/Patient/a"), (2, f"{BASE}/Patient/b")]


async def _counted(rig, identity, count):
    return (await progress(rig.store, identity)).count == count


async def test_two_services_beside_each_other_number_and_send_each_event_once(rig):
    rig.start()
    rig.start()
    rig.start()
    identity = await rig.subscribe()
    await rig.active(identity)
    await asyncio.gather(*(rig.put("admin", patient(f"p{n}")) for n in range(60)))
    await rig.until(lambda: len(rig.subscriber.events()) >= 60)
    await asyncio.sleep(0.2)
    events = rig.subscriber.events()
    assert [number for number, _ in events] == list(range(1, 61))
    assert {focus for _, focus in events} == {f"{BASE}/Patient/p{n}" for n in range(60)}
    assert await rig.store.owed(CHANGES, 10) == []


async def test_a_thousand_changes_reach_three_subscriptions_completely(rig):
    rig.start()
    rig.start()
    identities = [
        await rig.subscribe(path="/all"),
        await rig.subscribe(criteria="Patient?gender=female", path="/women"),
        await rig.subscribe(criteria="urn:fhir-gateway:topic:patient-changes", path="/topic", filters=["active=true"]),
    ]
    for identity in identities:
        await rig.active(identity)
    people = [patient(f"p{n}", gender="female" if n % 2 else "male", active=n % 5 == 0) for n in range(1000)]
    for start in range(0, 1000, 50):
        await rig.put_all("admin", people[start : start + 50])
    await rig.until(lambda: len(rig.subscriber.events("/all")) >= 1000, 60)
    await rig.until(lambda: len(rig.subscriber.events("/women")) >= 500)
    await rig.until(lambda: len(rig.subscriber.events("/topic")) >= 200)
    for path, wanted in (("/all", 1000), ("/women", 500), ("/topic", 200)):
        events = rig.subscriber.events(path)
        assert [number for number, _ in events] == list(range(1, wanted + 1))
        assert len({focus for _, focus in events}) == wanted


async def test_versions_of_one_record_are_told_in_their_order(rig):
    rig.start()
    identity = await rig.subscribe(content="full-resource")
    await rig.active(identity)
    for number in range(12):
        await rig.put("admin", patient("a", multipleBirthInteger=number))
    await rig.until(lambda: len(rig.subscriber.events()) >= 12)
    told = [
        entry["resource"]["multipleBirthInteger"]
        for one in rig.subscriber.at("/hook")
        for entry in one.bundle["entry"][1:]
    ]
    assert told == list(range(12))


async def test_a_heartbeat_comes_when_nothing_else_does(rig):
    rig.start()
    identity = await rig.subscribe(**{"heartbeat-period": 1})
    await rig.active(identity)
    await rig.until(lambda: rig.subscriber.kinds().count("heartbeat") >= 2)
    beat = rig.subscriber.at("/hook")[-1].facts
    assert beat["events"] == []
    assert beat["events-since-subscription-start"] == "0"


@pytest.mark.parametrize("up", [True, False], ids=["told before", "down before"])
async def test_a_clock_that_is_set_back_keeps_no_notification_waiting(rig, up):
    jump = [timedelta(days=1)]
    rig.start(clock=lambda: rig.office.clock() + jump[0])
    await rig.active(await rig.subscribe())
    rig.subscriber.up = up
    await rig.put("admin", patient("a"))
    await rig.until(lambda: rig.subscriber.events() if up else rig.subscriber.refused)
    jump[0] = timedelta()
    rig.subscriber.up = True
    await rig.put("admin", patient("b"))
    await rig.until(lambda: len(rig.subscriber.events()) == 2)
    assert [number for number, _ in rig.subscriber.events()] == [1, 2]


async def test_a_heartbeat_comes_after_the_clock_was_set_back(rig):
    jump = [timedelta(days=1)]
    rig.start(clock=lambda: rig.office.clock() + jump[0])
    await rig.active(await rig.subscribe(**{"heartbeat-period": 1}))
    await rig.until(lambda: rig.subscriber.kinds().count("heartbeat") >= 1)
    jump[0] = timedelta()
    beats = rig.subscriber.kinds().count("heartbeat")
    await rig.until(lambda: rig.subscriber.kinds().count("heartbeat") > beats + 1)


async def test_a_deleted_subscription_is_told_nothing_more(rig):
    rig.start()
    identity = await rig.subscribe()
    await rig.active(identity)
    await write.delete(rig.desk, rig.visit("admin"), f"Subscription/{identity}")
    await rig.until(lambda: _settled(rig))
    await rig.put("admin", patient("a"))
    await asyncio.sleep(0.4)
    assert rig.subscriber.kinds() == ["handshake"]


async def _settled(rig):
    return not await rig.store.owed("subscription-enrol", 10)


async def test_a_subscription_switched_off_rests_and_goes_on_counting_when_asked_again(rig):
    rig.start()
    identity = await rig.subscribe()
    await rig.active(identity)
    await rig.put("admin", patient("a"))
    await rig.until(lambda: len(rig.subscriber.events()) == 1)
    await rig.put("admin", {**await rig.subscription(identity), "status": "off"})
    await rig.until(lambda: _settled(rig))
    await rig.put("admin", patient("unheard"))
    await asyncio.sleep(0.3)
    await rig.put("admin", {**await rig.subscription(identity), "status": "requested"})
    await rig.active(identity)
    await rig.put("admin", patient("b"))
    await rig.until(lambda: len(rig.subscriber.events()) == 2)
    assert rig.subscriber.events()[-1] == (2, f"{BASE}/Patient/b")


async def test_a_subscription_ends_at_its_end(rig):
    rig.start()
    made = {**rig.wanted(), "end": (now() + timedelta(seconds=1)).isoformat()}
    identity = (await write.create(rig.desk, rig.visit("admin"), made)).version.id
    await rig.active(identity)
    await rig.becomes(identity, "off")


async def test_a_hospital_is_told_of_its_own_records_only(rig):
    rig.start()
    own = await rig.subscribe("san-nhi", content="full-resource", path="/own")
    all_of_them = await rig.subscribe(content="full-resource", path="/admin")
    await rig.active(own)
    await rig.active(all_of_them)
    await rig.put("bai-chay", patient("theirs", name=[{"text": "Nguyễn Văn Kín"}]))
    await rig.put("san-nhi", patient("ours"))
    await rig.until(lambda: len(rig.subscriber.events("/own")) >= 1)
    await rig.until(lambda: len(rig.subscriber.events("/admin")) >= 2)
    assert rig.subscriber.events("/own") == [(1, f"{BASE}/Patient/ours")]
    assert b"theirs" not in b"".join(one.body for one in rig.subscriber.at("/own"))
    assert "Nguyễn".encode() not in b"".join(one.body for one in rig.subscriber.at("/own"))


async def test_a_narrow_token_does_not_see_through_its_subscription(rig):
    rig.start()
    visit = rig.visit("admin")
    narrow = replace(visit, caller=replace(visit.caller, scopes=("system/Subscription.cruds", "system/Task.rs")))
    identity = (await write.create(rig.desk, narrow, rig.wanted())).version.id
    await rig.active(identity)
    await rig.put("admin", patient("a"))
    await asyncio.sleep(0.4)
    assert rig.subscriber.events() == []


async def test_every_notification_leaves_an_audit_event_for_its_subscriber(rig):
    rig.start()
    identity = await rig.subscribe("san-nhi")
    await rig.active(identity)
    await rig.put("san-nhi", patient("ours"))
    await rig.until(rig.subscriber.events)

    async def noted():
        found = await rig.store.find(parse("AuditEvent", [("_count", "100")]))
        told = [json.loads(version.body) for version in found]
        told = [one for one in told if one["subtype"][0]["code"] == "notify"]
        what = [{entity["what"]["reference"] for entity in one["entity"]} for one in told]
        return {f"Subscription/{identity}", "Patient/ours"} in what

    await rig.until(noted)


async def test_classic_criteria_without_payload_are_a_ping_and_with_payload_the_resource_itself(rig):
    rig.start()
    ping = await rig.subscribe(criteria="Patient?gender=female", content="", path="/ping")
    whole = await rig.subscribe(criteria="Patient", content="", path="/whole", payload="application/fhir+json")
    await rig.active(ping)
    await rig.active(whole)
    await rig.put("admin", patient("a", gender="female"))
    await rig.until(lambda: rig.subscriber.at("/ping") and rig.subscriber.at("/whole/Patient/a"))
    assert [(one.method, one.body) for one in rig.subscriber.at("/ping")] == [("POST", b"")]
    (put,) = rig.subscriber.at("/whole/Patient/a")
    assert put.method == "PUT"
    assert json.loads(put.body)["gender"] == "female"


async def test_a_hook_that_asks_for_xml_gets_xml(rig):
    rig.start()
    mime = "application/fhir+xml"
    told = await rig.subscribe(criteria="Patient", content="full-resource", payload=mime)
    whole = await rig.subscribe(criteria="Patient", content="", path="/whole", payload=mime)
    await rig.active(told)
    await rig.active(whole)
    await rig.put("admin", patient("a", gender="female"))
    await rig.until(lambda: len(rig.subscriber.at("/hook")) > 1 and rig.subscriber.at("/whole/Patient/a"))

    bundle, put = rig.subscriber.at("/hook")[-1], rig.subscriber.at("/whole/Patient/a")[0]
    assert {one.headers["content-type"] for one in (bundle, put)} == {mime}
    assert reading.decode_resource(put.body)["gender"] == "female"
    entries = reading.decode_resource(bundle.body)["entry"]
    assert [one["resource"]["resourceType"] for one in entries] == ["Parameters", "Patient"]


async def test_the_headers_a_subscriber_asked_for_are_sent(rig):
    rig.start()
    identity = await rig.subscribe(header=["Authorization: Bearer abc", "X-Own:1"])
    await rig.active(identity)
    (shaken,) = rig.subscriber.at("/hook")
    assert shaken.headers["authorization"] == "Bearer abc"
    assert shaken.headers["x-own"] == "1"


@pytest.mark.parametrize(
    ("terms", "where"),
    [
        ({"criteria": "urn:fhir-gateway:topic:no-such"}, "Subscription.criteria"),
        ({"criteria": "Patient?nonsense=1"}, "Subscription.criteria"),
        ({"criteria": "Observation?patient.name=a"}, "Subscription.criteria"),
        ({"criteria": "AuditEvent"}, "Subscription.criteria"),
        (
            {"criteria": "urn:fhir-gateway:topic:task-moves", "filters": ["priority=stat"]},
            "Subscription.criteria.extension",
        ),
        ({"type": "email", "endpoint": "mailto:a@b.vn"}, "Subscription.channel.type"),
        ({"endpoint": "https://elsewhere.example/hook"}, "Subscription.channel.endpoint"),
        ({"endpoint": "http://user@localhost/hook"}, "Subscription.channel.endpoint"),
        ({"header": ["Host: elsewhere"]}, "Subscription.channel.header"),
        ({"payload": "text/html"}, "Subscription.channel.payload"),
        ({"type": "websocket", "payload": "application/fhir+xml"}, "Subscription.channel.payload"),
    ],
)
async def test_terms_that_cannot_be_kept_are_refused_with_their_place(rig, terms, where):
    with pytest.raises(Invalid) as refusal:
        await rig.subscribe(**terms)
    assert refusal.value.issues[0].where == where


async def test_a_client_cannot_declare_its_own_subscription_active(rig):
    made = await write.create(rig.desk, rig.visit("admin"), {**rig.wanted(), "status": "active"})
    assert json.loads(made.version.body)["status"] == "requested"


async def test_a_subscription_that_did_not_come_through_the_api_never_stands(rig):
    rig.start()
    change = revision({**rig.wanted(), "status": "active"}, "Subscription/smuggled", None, now(), ())
    await rig.store.commit(Commit(changes=(change,)))
    await rig.becomes("smuggled", "error")
    assert rig.subscriber.received == []


async def test_nothing_is_noted_where_nothing_is_watched(rig):
    await rig.put("admin", patient("a"))
    assert await rig.store.owed(CHANGES, 10) == []
    assert await count_once(rig.office) is False


async def test_a_host_taken_off_the_list_is_sent_nothing_more(rig):
    service = rig.start()
    identity = await rig.subscribe()
    await rig.active(identity)
    await rig.kill(service)
    rig.start(endpoints=Endpoints())
    await rig.put("admin", patient("a"))
    await rig.becomes(identity, "error")
    assert "subscription_hosts" in (await rig.subscription(identity))["error"]
    assert rig.subscriber.kinds() == ["handshake"]


async def test_terms_this_gateway_no_longer_offers_end_in_an_error_and_stop_nobody(rig, monkeypatch):
    rig.start()
    old = await rig.subscribe(criteria="urn:fhir-gateway:topic:patient-changes", path="/old")
    other = await rig.subscribe(path="/other")
    await rig.active(old)
    await rig.active(other)
    kept = {url: topic for url, topic in topics().items() if not url.endswith("patient-changes")}
    monkeypatch.setattr(terms_module, "topics", lambda: kept)
    terms_module.terms_of.cache_clear()
    await rig.put("admin", patient("a"))
    await rig.until(lambda: rig.subscriber.events("/other"))
    await rig.becomes(old, "error")
    monkeypatch.undo()
    terms_module.terms_of.cache_clear()


async def test_a_secret_record_of_another_hospital_has_no_number(rig):
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    rig.start()
    for client in ("doctor", "bai-chay"):
        await rig.active(await rig.subscribe(client, path=f"/{client}"))
    await rig.put("bai-chay", patient("secret", meta={"security": [label]}))
    await rig.put("bai-chay", patient("open"))
    await rig.until(lambda: len(rig.subscriber.events("/bai-chay")) >= 2 and rig.subscriber.events("/doctor"))
    assert rig.subscriber.events("/doctor") == [(1, f"{BASE}/Patient/open")]

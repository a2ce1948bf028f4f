"""The life of a record, row by row as the design tells it, through two gateways.

Each test is one row of the table; together they are one story, but each can fail alone.
"""

import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

import pytest

from adapters.contract import Message
from fhir_gateway.app import adapters, now
from fhir_gateway.exchange import inbox, outbox
from fhir_gateway.exchange.translation import translate
from fhir_gateway.fhir import validation
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.security.chain import seal_once, verify
from fhir_gateway.store.port import Commit, Job

pytestmark = pytest.mark.anyio
XML = "application/xml"


async def stored(province, message, path="vn_xml/episode-3176", hospital="bai-chay", media_type=XML):
    receipt = (await province.ingest(hospital, media_type, message(path))).json()
    assert receipt["state"] == "stored", receipt["problems"]
    return receipt


async def until(question):
    for _ in range(200):
        if answer := await question():
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come about")


async def test_1_there_is_no_anonymous_path(pair, message):
    province, _ = pair
    for method, path in [("POST", "/ingest/bai-chay"), ("GET", "/fhir/Patient"), ("GET", "/exchange/deliveries")]:
        answer = await province.http.request(method, path, content=b"x")
        assert answer.status_code == 401, path
    assert (await province.http.get("/health")).status_code == 200
    assert (await province.http.get("/fhir/metadata")).status_code == 200


async def test_2_acknowledged_means_durable(pair, message):
    province, _ = pair
    body = message("vn_xml/episode-3176")
    receipt = (await province.ingest("bai-chay", XML, body, wait=False)).json()
    kept = await province.gateway.store.note(inbox.ORIGINALS, f"bai-chay/{receipt['receipt']}")
    assert bytes(kept["body"]) == body
    assert receipt["sha256"] == sha256(body).hexdigest()


async def test_3_a_lease_that_dies_comes_back(pair, message):
    province, _ = pair
    store = province.gateway.store

    await store.commit(Commit(jobs=(Job("life/1", "life", "one", now()),)))
    assert [job.id for job in await store.lease("life", "first", 5, 0.3)] == ["life/1"]
    assert await store.lease("life", "second", 5, 0.3) == []
    await asyncio.sleep(0.4)
    assert [job.id for job in await store.lease("life", "second", 5, 5)] == ["life/1"]


async def test_4_every_field_is_accounted_for_and_the_same_bytes_make_the_same_bundle(pair, message):
    province, _ = pair

    hospital = province.gateway.directory.hospital("bai-chay")
    times = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    body = message("vn_xml/episode-3176")
    one, two = (translate(adapters(), Message(hospital, XML, body, time)) for time in times)
    assert one.translation.bundle == two.translation.bundle
    assert one.counts["fields"] == len(one.accounts) > 0


async def test_5_nothing_invalid_is_stored(pair, message):
    province, _ = pair
    receipt = await stored(province, message)
    for version in (await province.gateway.store.currents(receipt["resources"])).values():
        assert validation.validate(decode_resource(version.body)) == ()


async def test_6_a_patient_is_linked_to_a_person_with_evidence(pair, message):
    province, _ = pair
    await stored(province, message, "hl7v2/admission-a01", "qn-general", "application/hl7-v2")
    await stored(province, message)
    persons = [p for p in await province.search("population", "Person") if len(p["link"]) > 1]
    assert len(persons) == 1
    assert "citizen number equal" in persons[0]["link"][1]["extension"][0]["valueString"]


async def test_7_each_resource_is_found_by_the_definitions_keys(pair, message):
    province, _ = pair
    receipt = await stored(province, message)
    patient = next(ref for ref in receipt["resources"] if ref.startswith("Patient/"))
    conditions = await province.search("bai-chay", f"Condition?patient={patient}")
    assert {c["id"] for c in conditions} == {
        ref.partition("/")[2] for ref in receipt["resources"] if ref.startswith("Condition/")
    }


async def test_8_one_commit_holds_versions_provenance_audit_and_deliveries(pair, message):
    province, _ = pair
    receipt = await stored(province, message)
    provenance = await province.search("bai-chay", f"Provenance?target={receipt['resources'][0]}")
    assert len(provenance) == 1
    events = await province.search("auditor", "AuditEvent?_count=100")
    noted = {
        e["what"]["reference"] for event in events for e in event.get("entity", ()) if "reference" in e.get("what", {})
    }
    assert set(receipt["resources"]) <= noted
    assert len(await province.gateway.store.notes(outbox.SHELF, {}, "", 10)) == 1


async def test_9_a_delivery_is_sealed_and_arrives_exactly_once(pair, message, wire):
    province, central = pair
    await stored(province, message)
    task = (await province.search("bai-chay", "Task"))[0]["id"]

    async def delivered():
        notes = await province.gateway.store.notes(outbox.SHELF, {"state": "delivered"}, "", 10)
        return notes or None

    await until(delivered)
    assert wire.carried == 1
    assert len((await central.get("bach-mai", f"/fhir/Task/{task}/_history")).json()["entry"]) == 1


async def test_10_the_answer_comes_back_by_the_same_road(pair, message):
    province, central = pair
    await stored(province, message)
    task = (await province.search("bai-chay", "Task"))[0]["id"]

    async def there():
        return (await central.get("bach-mai", f"/fhir/Task/{task}")).status_code == 200

    await until(there)
    await central.post("bach-mai", f"/exchange/cases/{task}/receive", {})

    async def back():
        return (await province.get("bai-chay", f"/fhir/Task/{task}")).json()["status"] == "received"

    await until(back)


async def test_the_audit_chain_of_both_gateways_is_whole(pair, message):
    province, central = pair
    await stored(province, message)

    async def sealed(place):
        """The walk once something is sealed and nothing waits: the gateway's own sealer runs beside us."""
        keys, store = place.gateway.keys, place.gateway.store
        await seal_once(store, keys.gateway, now())
        found = await verify(store, [keys.authority])
        return found if found.faults or (found.events and not found.pending) else None

    for place in (province, central):
        assert (await until(partial(sealed, place))).whole


async def test_no_patient_leaks_into_logs_or_errors(pair, capfd, message):
    province, _ = pair
    text = message("hl7v2/admission-a01").decode().replace("NGUYỄN", "CANARY").replace("HOÀ", "CANARY")
    good = await province.ingest("qn-general", "application/hl7-v2", text.encode())
    assert good.json()["state"] == "stored"
    bad = message("hl7v2/bad-lab-value").decode().replace("NGUYỄN", "CANARY").replace("TRẦN", "CANARY")
    refused = await province.ingest("qn-general", "application/hl7-v2", bad.encode())
    assert "CANARY" not in json.dumps(refused.json())
    await province.get("qn-general", "/fhir/Patient?name=CANARY&nonsense=CANARY")
    written = capfd.readouterr()
    assert "CANARY" not in written.out + written.err

"""Cases between two gateways: opened by a message, moved, refused, delivered exactly once."""

import asyncio

import pytest

from fhir_gateway.app import now
from fhir_gateway.exchange import outbox
from fhir_gateway.exchange.arrivals import _verified_documents, opened
from fhir_gateway.exchange.delivery import _sealed
from fhir_gateway.fhir.canonical import canonical
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.problem import Unprocessable
from fhir_gateway.store.port import Commit, Grant

pytestmark = pytest.mark.anyio
XML = "application/xml"
SLOT = {"start": "2026-11-25T08:00:00+07:00", "end": "2026-11-25T09:00:00+07:00"}
SUMMARY = {
    "author": {"licence": "GPHN-1", "name": "BS. THỬ"},
    "sections": [{"title": "Kết quả", "text": "Ổn <định> & xuất viện"}],
}


async def until(question, seconds=10.0):
    for _ in range(int(seconds / 0.05)):
        if answer := await question():
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come about")


async def referred(province, message):
    """A referral opened by the message alone; its Task id."""
    receipt = (await province.ingest("bai-chay", XML, message("vn_xml/episode-3176"))).json()
    assert receipt["state"] == "stored", receipt["problems"]
    tasks = await province.search("bai-chay", "Task?status=requested")
    assert len(tasks) == 1
    return tasks[0]["id"]


async def arrived(central, task):
    async def there():
        answer = await central.get("bach-mai", f"/fhir/Task/{task}")
        return answer.json() if answer.status_code == 200 else None

    return await until(there)


async def state(place, client, task, wanted):
    async def reached():
        return (await place.get(client, f"/exchange/cases/{task}")).json()["task"]["status"] == wanted

    await until(reached)


async def test_a_transfer_slip_becomes_a_referral_at_the_central_hospital(pair, message):
    province, central = pair
    task = await arrived(central, await referred(province, message))
    document = (await central.get("bach-mai", f"/fhir/{task['input'][0]['valueReference']['reference']}")).json()
    assert document["type"] == "document"
    assert document["entry"][0]["resource"]["resourceType"] == "Composition"
    signatures = await central.search("bach-mai", f"Provenance?target=Bundle/{document['id']}")
    assert [row["type"][0]["code"][-1] for row in signatures[0]["signature"]] == ["1", "5"]
    request = (await central.get("bach-mai", f"/fhir/{task['focus']['reference']}")).json()
    assert request["performer"][0]["identifier"]["value"] == "01T01"


async def test_each_move_is_visible_at_the_other_side(pair, message):
    province, central = pair
    task = await referred(province, message)
    await arrived(central, task)
    moves = [("receive", {}), ("accept", {"appointment": SLOT}), ("complete", {"discharge-summary": SUMMARY})]
    for (move, given), reached in zip(moves, ["received", "accepted", "completed"], strict=True):
        answer = await central.post("bach-mai", f"/exchange/cases/{task}/{move}", given)
        assert answer.status_code == 200, answer.text
        await state(province, "bai-chay", task, reached)
    outputs = (await province.get("bai-chay", f"/fhir/Task/{task}")).json()["output"]
    assert [row["type"]["text"] for row in outputs] == ["appointment", "discharge-summary"]
    document = (await province.get("bai-chay", f"/fhir/{outputs[1]['valueReference']['reference']}")).json()
    section = document["entry"][0]["resource"]["section"][0]
    assert "Ổn &lt;định&gt; &amp; xuất viện" in section["text"]["div"]


async def test_an_illegal_move_is_refused_and_names_the_legal_ones(pair, message):
    province, central = pair
    task = await referred(province, message)
    await arrived(central, task)
    answer = await central.post("bach-mai", f"/exchange/cases/{task}/complete", {"discharge-summary": SUMMARY})
    assert answer.status_code == 409
    assert "legal now: receive" in answer.json()["issue"][0]["diagnostics"]
    unready = await central.post("bach-mai", f"/exchange/cases/{task}/receive", {"tea": {}})
    assert unready.status_code == 400


async def test_a_move_without_what_it_must_bring_is_refused_by_name(pair, message):
    province, central = pair
    task = await referred(province, message)
    await arrived(central, task)
    await central.post("bach-mai", f"/exchange/cases/{task}/receive", {})
    answer = await central.post("bach-mai", f"/exchange/cases/{task}/accept", {})
    assert answer.status_code == 400
    assert "appointment" in answer.json()["issue"][0]["diagnostics"]


async def test_a_stranger_sees_and_moves_nothing(pair, message):
    province, _ = pair
    task = await referred(province, message)
    assert (await province.get("san-nhi", f"/exchange/cases/{task}")).status_code == 404
    assert (await province.post("san-nhi", f"/exchange/cases/{task}/cancel", {"reason": "x"})).status_code == 404


async def test_the_central_hospital_sees_only_what_was_referred_to_it(pair, message):
    province, central = pair
    task = await referred(province, message)
    await province.ingest("qn-general", "application/hl7-v2", message("hl7v2/update-a08"))
    everything = await province.search("admin", "Patient?_count=50")
    shared = await province.search("bach-mai", "Patient?_count=50")
    assert len(everything) > len(shared) == 1
    assert (await arrived(central, task))["for"]["reference"] == f"Patient/{shared[0]['id']}"


async def test_a_partner_that_is_away_gets_everything_once_it_is_back(pair, message, wire):
    province, central = pair
    wire.cut = True
    task = await referred(province, message)

    async def troubled():
        rows = (await province.get("admin", "/exchange/deliveries?state=owed")).json()["deliveries"]
        return rows if rows and rows[0].get("attempts", 0) >= 2 else None

    rows = await until(troubled)
    assert "does not answer" in rows[0]["trouble"]
    wire.cut = False
    await arrived(central, task)
    history = (await central.get("bach-mai", f"/fhir/Task/{task}/_history")).json()
    assert len(history["entry"]) == 1


async def test_a_delivery_sent_twice_arrives_once(pair, message):
    province, central = pair
    task = await referred(province, message)
    await arrived(central, task)
    ((key, _),) = await province.gateway.store.notes(outbox.PACKAGES, {}, "", 10)
    body = bytes((await province.gateway.store.note(outbox.PACKAGES, key))["body"])
    partner = province.gateway.directory.partners["bach-mai"]
    envelope = _sealed(province.gateway.house, partner, body)
    token = central.gateway.tokens().development_token("quang-ninh-gateway")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/jose"}
    again = await central.http.post("/exchange/deliveries", content=envelope, headers=headers)
    assert (again.status_code, again.json()["repeated"]) == (200, True)
    assert len((await central.get("bach-mai", f"/fhir/Task/{task}/_history")).json()["entry"]) == 1


async def test_a_changed_document_is_refused_because_its_signatures_do_not_hold(pair, message):
    province, central = pair
    task = await referred(province, message)
    await arrived(central, task)
    ((key, _),) = await province.gateway.store.notes(outbox.PACKAGES, {}, "", 10)
    body = bytes((await province.gateway.store.note(outbox.PACKAGES, key))["body"])
    changed = body.replace("Tình trạng".encode(), b"Tinh trang")
    assert changed != body
    partner = province.gateway.directory.partners["bach-mai"]
    sender = central.gateway.directory.partners["quang-ninh"]
    letter = opened(central.gateway.house, sender, _sealed(province.gateway.house, partner, changed))

    with pytest.raises(Unprocessable, match="signature"):
        _verified_documents(central.gateway.house, letter, now())


async def test_a_signature_covers_the_document_wherever_it_is_stored(pair, message):
    province, central = pair
    task = await arrived(central, await referred(province, message))
    reference = task["input"][0]["valueReference"]["reference"]
    texts = [await place.get("admin", f"/fhir/{reference}") for place in (province, central)]

    assert canonical(decode_resource(texts[0].content)) == canonical(decode_resource(texts[1].content))


async def test_an_opinion_comes_back_under_the_asking_hospitals_patient(pair, message):
    province, central = pair
    receipt = (await province.ingest("qn-general", "application/hl7-v2", message("hl7v2/laboratory-oru"))).json()
    patient = next(ref for ref in receipt["resources"] if ref.startswith("Patient/"))
    asked = {
        "patient": patient,
        "to": "bach-mai",
        "question": "Có nên mổ?",
        "author": {"licence": "GPHN-2", "name": "BS"},
    }
    opened_case = await province.post("doctor", "/exchange/teleconsults", asked)
    assert opened_case.status_code == 201, opened_case.text
    task = opened_case.json()["task"]["id"]
    document = (await arrived(central, task))["input"][0]["valueReference"]["reference"]
    held = (await central.get("bach-mai", f"/fhir/{document}")).json()
    assert "Observation" in {entry["resource"]["resourceType"] for entry in held["entry"]}
    moves = [
        ("receive", {}),
        ("schedule", {"appointment": SLOT}),
        ("start", {"encounter": {}}),
        ("answer", {"opinion": SUMMARY}),
    ]
    for move, given in moves:
        answer = await central.post("bach-mai", f"/exchange/cases/{task}/{move}", given)
        assert answer.status_code == 200, answer.text
    await state(province, "doctor", task, "completed")
    opinions = await province.search("qn-general", f"Composition?subject={patient}&type=http://loinc.org|11488-4")
    assert len(opinions) == 1
    assert (await province.search("qn-general", f"Encounter?subject={patient}&class=VR"))[0]["class"]["code"] == "VR"


async def test_a_consultation_names_what_it_lacks(pair):
    province, _ = pair
    answer = await province.post("doctor", "/exchange/teleconsults", {"patient": "Patient/x"})
    assert answer.status_code == 400
    assert "question" in answer.json()["issue"][0]["diagnostics"]
    unknown = {"patient": "Patient/x", "to": "nowhere", "question": "?", "author": {"licence": "1"}}
    assert (await province.post("doctor", "/exchange/teleconsults", unknown)).status_code == 404


async def test_what_was_shared_with_a_hospital_is_not_its_to_replace(pair, message):
    province, _ = pair
    await referred(province, message)
    store = province.gateway.store

    patient = (await province.search("bai-chay", "Patient"))[0]
    await store.commit(Commit(grants=(Grant(f"Patient/{patient['id']}", "san-nhi"),)))
    assert (await province.get("san-nhi", f"/fhir/Patient/{patient['id']}")).status_code == 200
    answer = await province.http.put(
        f"/fhir/Patient/{patient['id']}", json={**patient, "active": False}, headers=province.bearer("san-nhi")
    )
    assert answer.status_code == 403


async def test_a_partner_cannot_overwrite_the_provinces_own_records(pair, message):
    province, central = pair
    task = await referred(province, message)
    await arrived(central, task)
    before = (await province.search("bai-chay", "Patient"))[0]
    forged = {**before, "active": False}
    changed = {**(await central.get("bach-mai", f"/fhir/Task/{task}")).json(), "status": "received"}
    delivery = outbox.delivery(central.gateway.house, "quang-ninh", "referral.receive", [changed, forged], now())

    await central.gateway.store.commit(Commit(notes=delivery.notes, jobs=(delivery.job,)))
    await state(province, "bai-chay", task, "received")
    after = (await province.search("bai-chay", "Patient"))[0]
    assert after == before


async def test_a_consultation_does_not_open_another_hospitals_patient(pair, message):
    province, _ = pair
    await referred(province, message)
    receipt = (await province.ingest("qn-general", "application/hl7-v2", message("hl7v2/admission-a01"))).json()
    own = next(ref for ref in receipt["resources"] if ref.startswith("Patient/"))
    theirs = f"Patient/{(await province.search('bai-chay', 'Patient'))[0]['id']}"
    bait = {"resourceType": "Observation", "status": "final", "code": {"text": "?"}, "subject": {"reference": theirs}}
    placed = (await province.post("qn-general", "/fhir/Observation", bait)).json()
    asked = {
        "patient": own,
        "to": "bach-mai",
        "question": "?",
        "author": {"licence": "BS1", "name": "THỬ"},
        "evidence": [f"Observation/{placed['id']}"],
    }
    answer = await province.post("qn-general", "/exchange/teleconsults", asked)
    assert answer.status_code in (404, 422)
    assert (await province.get("qn-general", f"/fhir/{theirs}")).status_code == 404


async def test_a_link_is_taken_back_by_an_officer_and_the_reason_is_kept(pair, message):
    province, _ = pair
    await province.ingest("qn-general", "application/hl7-v2", message("hl7v2/admission-a01"))
    await province.ingest("bai-chay", XML, message("vn_xml/episode-3176"))
    (person,) = [p for p in await province.search("admin", "Person") if len(p["link"]) > 1]
    patient = person["link"][1]["target"]["reference"]
    path = f"/exchange/persons/{person['id']}/unlink"
    assert (await province.post("doctor", path, {"patient": patient, "reason": "khác người"})).status_code == 403
    answer = await province.post("admin", path, {"patient": patient, "reason": "khác người"})
    assert answer.status_code == 200, answer.text
    assert all(len(p["link"]) == 1 for p in await province.search("admin", "Person"))
    (kept,) = await province.search("admin", f"Provenance?target=Person/{person['id']}&_sort=-recorded&_count=1")
    assert kept["reason"][0]["text"] == "khác người"


async def test_a_hospital_sees_the_deliveries_of_its_own_cases_only(pair, message, wire):
    province, _ = pair
    wire.cut = True
    await referred(province, message)
    own = (await province.get("bai-chay", "/exchange/deliveries?state=owed")).json()["deliveries"]
    assert [row["event"] for row in own] == ["referral.open"]
    assert (await province.get("san-nhi", "/exchange/deliveries")).json()["deliveries"] == []


async def test_a_state_of_deliveries_that_there_is_not_is_an_error(pair):
    province, _ = pair
    answer = await province.get("admin", "/exchange/deliveries?state=lost")
    assert answer.status_code == 400
    assert "owed, delivered, refused" in answer.text


async def test_neither_a_case_nor_a_signed_document_can_be_written_over_rest(pair, message):
    province, _ = pair
    task = await referred(province, message)
    owned = (await province.get("bai-chay", f"/fhir/Task/{task}")).json()
    document = owned["input"][0]["valueReference"]["reference"]
    signatures = (await province.search("bai-chay", f"Provenance?target={document}"))[0]
    forged = {**owned, "id": "forged"}
    for resource in (
        {**owned, "status": "completed"},
        {**(await province.get("bai-chay", f"/fhir/{document}")).json(), "timestamp": "2026-01-01T00:00:00Z"},
        {**signatures, "recorded": "2026-01-01T00:00:00Z"},
        forged,
    ):
        path = f"/fhir/{resource['resourceType']}/{resource['id']}"
        for client in ("bai-chay", "admin"):
            answer = await province.http.put(path, json=resource, headers=province.bearer(client))
            assert answer.status_code == 403, path
    assert (await province.http.delete(f"/fhir/{document}", headers=province.bearer("admin"))).status_code == 403


async def test_a_case_that_ends_leaves_nothing_open_on_either_side(pair, message):
    province, central = pair
    task = await referred(province, message)
    await arrived(central, task)
    for move, given in [("receive", {}), ("accept", {"appointment": SLOT})]:
        await central.post("bach-mai", f"/exchange/cases/{task}/{move}", given)
    await state(province, "bai-chay", task, "accepted")
    await province.post("bai-chay", f"/exchange/cases/{task}/cancel", {"reason": "người bệnh từ chối"})
    await state(central, "bach-mai", task, "cancelled")
    for place, client in ((province, "bai-chay"), (central, "bach-mai")):
        seen = (await place.get(client, f"/fhir/Task/{task}")).json()
        request = (await place.get(client, f"/fhir/{seen['focus']['reference']}")).json()
        slot = (await place.get(client, f"/fhir/{seen['output'][0]['valueReference']['reference']}")).json()
        assert (request["status"], slot["status"]) == ("revoked", "cancelled")


async def test_a_changed_referral_that_was_sent_already_is_told_back(pair, message):
    province, _ = pair
    await referred(province, message)
    changed = message("vn_xml/episode-3176").replace(b"<NGAYLAP>", b"<NGAYLAP> ")
    receipt = (await province.ingest("bai-chay", XML, changed)).json()
    assert "cancel it and refer again" in str(receipt["notices"])
    assert len(await province.search("bai-chay", "Task")) == 1

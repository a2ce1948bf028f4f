"""The ten scenes of the story, each played through the doors and held against what it must show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_gateway.demo.crash import crash
from fhir_gateway.demo.doors import mllp, segments, states, until
from fhir_gateway.demo.material import fixture
from fhir_gateway.demo.script import Scene, Story, expect

HL7, XML, CDA = "application/hl7-v2", "application/xml", "application/hl7-cda+xml"
GENERAL = ("admission-a01", "laboratory-oru", "imaging-oru-pdf", "discharge-a03")
EPISODES = ("episode-3176", "referral-4750")
DOCUMENTS = ("mother-discharge", "newborn-birth-record", "consultation-note")


@dataclass(frozen=True, slots=True)
class Bad:
    """A message that must be refused, and a word its refusal must hold."""

    hospital: str
    media_type: str
    path: str
    title: str


BAD = (
    Bad("bai-chay", XML, "vn_xml/bad-truncated/message.xml", "truncated national XML"),
    Bad("qn-general", HL7, "hl7v2/bad-no-pid/message.hl7", "HL7 v2 without PID"),
    Bad("bai-chay", XML, "vn_xml/bad-external-entity/message.xml", "XML with an external entity"),
    Bad("qn-general", HL7, "hl7v2/bad-lab-value/message.hl7", "laboratory value that cannot be FHIR"),
)


def general_hospital(story: Story) -> Scene:
    """The general hospital sends HL7 v2 over MLLP."""
    messages = [fixture(f"hl7v2/{name}/message.hl7") for name in GENERAL]
    answers = [segments(answer)["MSA"] for answer in mllp(story.province.mllp, messages)]
    for name, answer in zip(GENERAL, answers, strict=True):
        expect(answer[1] == "AA", f"{name} is accepted", answer[3])
    receipts = story.province.client("qn-general").get("/ingest/qn-general").body["receipts"]
    expect(len(receipts) == len(GENERAL), "one receipt for each message", len(receipts))
    codes = {f"acknowledgement of {name}": answer[1] for name, answer in zip(GENERAL, answers, strict=True)}
    return Scene(codes | _ledgers(receipts))


def bai_chay(story: Story) -> Scene:
    """Bãi Cháy uploads the national XML of one episode and an older file."""
    receipts = [_sent(story, "bai-chay", XML, f"vn_xml/{name}/message.xml") for name in EPISODES]
    story.referral_receipt = receipts[0]
    repeated = story.province.client("bai-chay").ingest("bai-chay", XML, fixture("vn_xml/episode-3176/message.xml"))
    expect(repeated.body["repeated"] is True, "the same file again gets the first receipt", repeated.body["repeated"])
    return Scene(_resources(EPISODES, receipts) | _ledgers(receipts))


def _resources(names: Sequence[str], receipts: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {f"resources made of {name}": len(row["resources"]) for name, row in zip(names, receipts, strict=True)}


def san_nhi(story: Story) -> Scene:
    """Sản Nhi sends CDA documents of a mother, her newborn, and a consultation."""
    receipts = [_sent(story, "san-nhi", CDA, f"cda/{name}/message.xml") for name in DOCUMENTS]
    story.newborn_receipt = receipts[1]
    story.mother_receipt = receipts[0]
    return Scene(_resources(DOCUMENTS, receipts) | _ledgers(receipts))


def people(story: Story) -> Scene:
    """The same two people of several hospitals are one Person each; mother and newborn are not."""
    persons = story.province.client("population").search("Person?_count=100")
    shared = [person for person in persons if len(_patients(person)) > 1]
    expect(len(shared) == 2, "two people are known to more than one hospital", len(shared))
    mother, newborn = (_patient(receipt) for receipt in (story.mother_receipt, story.newborn_receipt))
    together = [p for p in persons if {mother, newborn} <= set(_patients(p))]
    expect(not together, "mother and newborn are two people", len(together))
    facts = {f"person {place + 1}": _evidence(person) for place, person in enumerate(shared)}
    return Scene({"persons": len(persons), **facts})


def referral(story: Story) -> Scene:
    """The XML13 of Bãi Cháy became a signed referral and reached Bạch Mai."""
    tasks = story.province.client("bai-chay").search("Task?status=requested")
    expect(bool(tasks), "a Task was opened by the message alone", len(tasks))
    focus = {ref.partition("/")[2] for ref in story.referral_receipt["resources"] if ref.startswith("ServiceRequest/")}
    story.task = next(t for t in tasks if t["focus"]["reference"].partition("/")[2] in focus)["id"]
    central = story.central.client("bach-mai")
    arrived = until(lambda: central.get(f"/fhir/Task/{story.task}").status == 200)
    expect(arrived, "the Task is at Bạch Mai", arrived)
    document = story.document_of(central)
    kinds = [entry["resource"]["resourceType"] for entry in document["entry"]]
    sections = [section["title"] for section in document["entry"][0]["resource"]["section"]]
    expect(kinds[0] == "Composition", "the document begins with its Composition", kinds[0])
    signatures = central.search(f"Provenance?target=Bundle/{document['id']}")[0]["signature"]
    expect(len(signatures) == 2, "doctor and facility signed", len(signatures))
    original = story.original_of(central)
    same = original == fixture("vn_xml/episode-3176/message.xml")
    expect(same, "the original file travelled byte for byte", same)
    return Scene({"task": story.task, "sections": sections, "entries": len(kinds), "signatures": len(signatures)})


def answered(story: Story) -> Scene:
    """Bạch Mai receives, accepts with an appointment, completes with a discharge summary; each move travels back."""
    central = story.central.client("bach-mai")
    seen = []
    for move, given in _referral_moves():
        reply = central.post(f"/exchange/cases/{story.task}/{move}", given)
        expect(reply.status == 200, f"{move} is made", reply.text or reply.body)
        state = reply.body["task"]["status"]
        seen.append(_visible(story, state))
        if move == "accept":
            refused = central.post(f"/exchange/cases/{story.task}/receive", {})
            expect(refused.status == 409, "an illegal move is refused", refused.status)
    return Scene({"states seen at the province": seen, "refused with": refused.text})


def _referral_moves() -> tuple[tuple[str, dict[str, Any]], ...]:
    appointment = {"start": "2026-11-25T08:00:00+07:00", "end": "2026-11-25T09:00:00+07:00"}
    summary = {
        "author": {"licence": "TEST-GPHN-BM1", "name": "BS. PHẠM THỬ NGHIỆM"},
        "sections": [
            {"title": "Quá trình điều trị", "text": "Can thiệp động mạch vành, ổn định.", "code": "8648-8"},
            {"title": "Hướng điều trị tiếp", "text": "Tái khám sau 4 tuần.", "code": "18776-5"},
        ],
    }
    return (
        ("receive", {}),
        ("accept", {"appointment": appointment}),
        ("complete", {"discharge-summary": summary}),
    )


def _visible(story: Story, state: str) -> str:
    province = story.province.client("bai-chay")
    until(lambda: province.get(f"/exchange/cases/{story.task}").body["task"]["status"] == state)
    return state


def consultation(story: Story) -> Scene:
    """The general hospital asks Bạch Mai for an opinion; it comes back under the asking hospital's patient."""
    doctor = story.province.client("doctor")
    patient = story.patient_of("qn-general", "QN0001")
    asked = doctor.post("/exchange/teleconsults", _question(patient))
    expect(asked.status == 201, "the question is asked", asked.text or asked.body)
    task = asked.body["task"]["id"]
    central = story.central.client("bach-mai")
    until(lambda: central.get(f"/fhir/Task/{task}").status == 200)
    for move, given in _consultation_moves():
        reply = central.post(f"/exchange/cases/{task}/{move}", given)
        expect(reply.status == 200, f"{move} is made", reply.text or reply.body)
    until(lambda: doctor.get(f"/exchange/cases/{task}").body["task"]["status"] == "completed")
    opinions = doctor.search(f"Composition?subject={patient}&type=http://loinc.org|11488-4")
    titles = [opinion["title"] for opinion in opinions if opinion.get("event", [{}])[0].get("detail")]
    expect(bool(titles), "the opinion is filed under the asking hospital's patient", titles)
    encounters = doctor.search(f"Encounter?subject={patient}&class=VR")
    expect(bool(encounters), "the session is a virtual Encounter", len(encounters))
    return Scene({"task": task, "opinion": titles[0], "virtual encounters": len(encounters)})


def _question(patient: str) -> dict[str, Any]:
    return {
        "patient": patient,
        "to": "bach-mai",
        "question": "Có chỉ định can thiệp mạch vành thì hai cho người bệnh này không?",
        "author": {"licence": "TEST-GPHN-QN1", "name": "BS. LÊ HỎI THỬ"},
    }


def _consultation_moves() -> tuple[tuple[str, dict[str, Any]], ...]:
    opinion = {
        "author": {"licence": "TEST-GPHN-BM2", "name": "TS. BS. NGÔ TRẢ LỜI"},
        "sections": [{"title": "Ý kiến hội chẩn", "text": "Đồng ý can thiệp trong 72 giờ.", "code": "51848-0"}],
    }
    slot = {"start": "2026-11-24T14:00:00+07:00", "end": "2026-11-24T14:30:00+07:00"}
    return (
        ("receive", {}),
        ("schedule", {"appointment": slot}),
        ("start", {"encounter": {}}),
        ("answer", {"opinion": opinion}),
    )


def bad_messages(story: Story) -> Scene:
    """Four bad messages are refused with place and reason; nothing of the rest is lost."""
    facts = {}
    for bad in BAD:
        reply = story.province.client(bad.hospital).ingest(bad.hospital, bad.media_type, fixture(bad.path))
        problem = reply.body["problems"][0] if reply.body.get("problems") else {}
        expect(reply.body["state"] == "quarantined" and problem.get("where"), f"{bad.title} is refused", reply.body)
        facts[bad.title] = f"{problem['where']}: {problem['text']}"
        kept = story.province.client(bad.hospital).get(f"/ingest/{bad.hospital}/{reply.body['receipt']}/original")
        expect(kept.status == 200, f"{bad.title} is kept", kept.status)
    stored = states(story.province.client("qn-general").get("/ingest/qn-general?state=stored").body["receipts"])
    expect(stored["stored"] == len(GENERAL), "the good messages are untouched", stored)
    return Scene(facts)


def audit(story: Story) -> Scene:
    """The audit chains of both gateways are walked and found whole."""
    facts = {}
    for player in (story.province, story.central):
        result = until(lambda player=player: _settled(player.command("audit", "verify")))
        expect(result["whole"], f"the chain of {player.name} is whole", result["faults"])
        facts[player.title] = f"{result['blocks']} blocks, {result['events']} events, whole"
    return Scene(facts)


def _settled(result: dict[str, Any]) -> dict[str, Any] | None:
    """The result once every event is sealed; at once when something is wrong."""
    return result if not result["whole"] or result["pending"] == 0 else None


def _sent(story: Story, hospital: str, media_type: str, path: str) -> dict[str, Any]:
    reply = story.province.client(hospital).ingest(hospital, media_type, fixture(path))
    expect(reply.body.get("state") == "stored", f"{path} is stored", reply.body.get("problems") or reply.text)
    receipt: dict[str, Any] = reply.body
    return receipt


def _ledgers(receipts: list[dict[str, Any]]) -> dict[str, int]:
    """Source fields over those messages: mapped, ignored with a reason, unmapped."""
    return {f"fields {fate}": sum(r["ledger"][fate] for r in receipts) for fate in ("mapped", "ignored", "unmapped")}


def _patients(person: dict[str, Any]) -> list[str]:
    rows = [row for row in person.get("link", ()) if row.get("assurance") in ("level3", "level4")]
    return [row["target"]["reference"] for row in rows if row["target"]["reference"].startswith("Patient/")]


def _patient(receipt: dict[str, Any]) -> str:
    return next(str(ref) for ref in receipt["resources"] if ref.startswith("Patient/"))


def _evidence(person: dict[str, Any]) -> list[str]:
    return [f"{row['assurance']}: {row['extension'][0]['valueString']}" for row in person["link"]]


SCENES: tuple[tuple[str, Callable[[Story], Scene]], ...] = (
    ("General hospital: HL7 v2 over MLLP", general_hospital),
    ("Bãi Cháy: the national XML", bai_chay),
    ("Sản Nhi: CDA documents", san_nhi),
    ("One person, many hospital numbers", people),
    ("XML13 becomes a signed referral", referral),
    ("Bạch Mai answers, move by move", answered),
    ("Teleconsultation and back", consultation),
    ("Four bad messages", bad_messages),
    ("Power cut in full work", crash),
    ("The audit chain of both gateways", audit),
)

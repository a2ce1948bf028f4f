"""A visit, an account or a number moved to another patient: what was filed with it follows, and can come back."""

import pytest

from fhir_gateway.app import now
from fhir_gateway.exchange.moving import SENT
from fhir_gateway.exchange.remapping import Outcome
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.records.revision import revision
from fhir_gateway.search import query as search
from fhir_gateway.store.port import Commit

pytestmark = pytest.mark.anyio

HEADER = "MSH|^~\\&|HIS|22T01|FHIRGW|QN|20261106110000||{}|QN-{}|P|2.5.1|||AL|NE|VNM|UNICODE UTF-8"
NAMES = {"QN1": "ĐẶNG^LIÊN^THỊ", "QN2": "VŨ^HOA^THỊ"}


def pid(patient, account=""):
    return f"PID|1||{patient}^^^22T01^MR||{NAMES[patient]}||1970|F||||||||||{account}"


def pv1(visit):
    return f"PV1|1|O|||||||||||||||||{visit}"


class Ward:
    """Two patients of one hospital, and what was sent of them."""

    def __init__(self, desk):
        self.desk = desk
        self.number = 0

    async def send(self, event, *rows):
        self.number += 1
        body = "\r".join([HEADER.format(event, self.number), *rows]) + "\r"
        receipt = await self.desk.file("qn-general", body.encode())
        assert receipt.state == "stored", receipt.problems
        return receipt

    async def result(self, patient, visit, order, account=""):
        """A result with its specimen, of one visit."""
        return await self.send(
            "ORU^R01",
            pid(patient, account),
            pv1(visit),
            f"OBR|1|{order}^HIS|F{order}^LIS|SHM^Sinh hoá^L|||20261102085000",
            f"OBX|1|NM|GLU^Glucose^L|{order}|7.20|mmol/L|||||F",
            f"SPM|1|S{order}^X||BLD^Máu^L",
        )

    async def move(self, event, to, mrg, *rows, account=""):
        return await self.send(f"ADT^{event}", pid(to, account), mrg, *rows)

    async def subjects(self, receipt, *kinds):
        """Whose the records of a message are, by type."""
        found = {}
        for ref in receipt.resources:
            resource = await self.desk.resource(ref)
            if ref.partition("/")[0] in kinds:
                found.setdefault(ref.partition("/")[0], set()).add(resource["subject"]["reference"])
        return found

    async def versions(self, receipt):
        refs = [ref for ref in receipt.resources if not ref.startswith("Provenance/")]
        return {ref: (await self.desk.house.store.current(ref)).number for ref in refs}


@pytest.fixture
def ward(desk):
    return Ward(desk)


KINDS = ("Encounter", "Observation", "DiagnosticReport", "ServiceRequest", "Specimen")


def patient_of(receipt):
    (ref,) = [ref for ref in receipt.resources if ref.startswith("Patient/")]
    return ref


def all_of(ref):
    return {kind: {ref} for kind in KINDS}


async def test_all_that_was_filed_in_a_moved_visit_follows_it_to_the_other_patient(ward):
    wrong = await ward.result("QN1", "VN1", "P1")
    other = await ward.result("QN1", "VN2", "P2")
    right = await ward.result("QN2", "VN9", "P9")
    before = await ward.versions(wrong)
    moved = await ward.move("A45", "QN2", "MRG|QN1^^^22T01^MR||||VN1", pv1("VN1"))

    assert await ward.subjects(wrong, *KINDS) == all_of(patient_of(right))
    assert await ward.subjects(other, *KINDS) == all_of(patient_of(other))
    after = await ward.versions(wrong)
    went = {ref for ref in wrong.resources if ref.partition("/")[0] in KINDS}
    assert {ref for ref in before if after[ref] > before[ref]} == went
    assert went <= set(moved.resources)
    (first, *_) = [notice["text"] for notice in moved.notices if notice["where"] == "MRG[1]-5[1]"]
    assert first.startswith("4 records follow")


async def test_ledger_provenance_and_version_name_the_message_that_moved_a_record(ward):
    wrong = await ward.result("QN1", "VN1", "P1")
    moved = await ward.move("A45", "QN2", "MRG|QN1^^^22T01^MR||||VN1", pv1("VN1"))
    (value,) = [ref for ref in wrong.resources if ref.startswith("Observation/")]

    rows = {row["place"]: row for row in await ward.desk.letters.ledger("qn-general", moved.receipt)}
    assert f"{value}#subject" in rows["MRG[1]-5[1]"]["targets"]
    assert (await ward.desk.resource(value))["meta"]["source"].endswith(moved.key)
    found = await ward.desk.house.store.find(search.parse("Provenance", [("target", value)]))
    sources = [entity["what"]["identifier"]["value"] for p in found for entity in decode_resource(p.body)["entity"]]
    assert moved.key in sources
    assert sum(moved.ledger[fate] for fate in ("mapped", "ignored", "unmapped")) == moved.ledger["fields"] == len(rows)


async def test_the_move_the_other_way_round_brings_everything_back_and_erases_nothing(ward):
    wrong = await ward.result("QN1", "VN1", "P1")
    before = {ref: await ward.desk.resource(ref) for ref in wrong.resources if ref.partition("/")[0] in KINDS}
    await ward.move("A45", "QN2", "MRG|QN1^^^22T01^MR||||VN1", pv1("VN1"))
    await ward.move("A45", "QN1", "MRG|QN2^^^22T01^MR||||VN1", pv1("VN1"))

    assert await ward.subjects(wrong, *KINDS) == all_of(patient_of(wrong))
    for ref, resource in before.items():
        now = await ward.desk.resource(ref)
        assert {**now, "meta": None} == {**resource, "meta": None}
        assert len(await ward.desk.house.store.versions(ref, None, 9)) == 3


async def test_a_visit_moved_under_a_new_number_takes_its_records_along(ward):
    wrong = await ward.result("QN1", "VN1", "P1")
    moved = await ward.move("A45", "QN2", "MRG|QN1^^^22T01^MR||||VN1", pv1("VN7"))
    assert await ward.subjects(wrong, *KINDS) == all_of(patient_of(moved))
    back = await ward.move("A45", "QN1", "MRG|QN2^^^22T01^MR||||VN7", pv1("VN1"))
    assert await ward.subjects(wrong, *KINDS) == all_of(patient_of(back))


async def test_who_had_the_visit_is_known_where_the_message_does_not_say(ward):
    wrong = await ward.result("QN1", "VN1", "P1")
    moved = await ward.move("A45", "QN2", "MRG|||||VN1", pv1("VN1"))
    assert await ward.subjects(wrong, *KINDS) == all_of(patient_of(moved))


async def test_a_specimen_that_a_record_which_stays_names_too_stays(ward):
    """Two results of one specimen, in two visits: as somebody wrote them, for HL7 v2 has no such message."""
    wrong, other = await ward.result("QN1", "VN1", "P1"), await ward.result("QN1", "VN2", "P2")
    (specimen,) = [ref for ref in wrong.resources if ref.startswith("Specimen/")]
    (stays,) = [ref for ref in other.resources if ref.startswith("Observation/")]
    store = ward.desk.house.store
    naming = {**await ward.desk.resource(stays), "specimen": {"reference": specimen}}
    await store.commit(Commit(changes=(revision(naming, stays, await store.current(stays), now(), ()),)))
    await ward.move("A45", "QN2", "MRG|QN1^^^22T01^MR||||VN1", pv1("VN1"))
    assert (await ward.subjects(wrong, "Observation"))["Observation"] != {patient_of(wrong)}
    assert (await ward.desk.resource(specimen))["subject"] == {"reference": patient_of(wrong)}


async def test_a_moved_account_takes_its_visits_along(ward):
    wrong = await ward.result("QN1", "VN1", "P1", account="TK1")
    other = await ward.result("QN1", "VN2", "P2", account="TK2")
    moved = await ward.move("A44", "QN2", "MRG|QN1^^^22T01^MR||TK1", account="TK1")
    assert await ward.subjects(wrong, *KINDS) == all_of(patient_of(moved))
    assert await ward.subjects(other, *KINDS) == all_of(patient_of(other))
    back = await ward.move("A44", "QN1", "MRG|QN2^^^22T01^MR||TK1", account="TK1")
    assert await ward.subjects(wrong, *KINDS) == all_of(patient_of(back))


async def test_a_moved_number_takes_all_along_and_the_way_back_takes_that_alone(ward):
    wrong = await ward.result("QN1", "VN1", "P1")
    own = await ward.result("QN2", "VN9", "P9")
    await ward.move("A43", "QN2", "MRG|QN1^^^22T01^MR")
    assert await ward.subjects(wrong, *KINDS) == all_of(patient_of(own))
    assert await ward.subjects(own, *KINDS) == all_of(patient_of(own))

    later = await ward.result("QN2", "VN1", "P4")
    await ward.move("A43", "QN1", "MRG|QN2^^^22T01^MR")
    assert await ward.subjects(wrong, *KINDS) == all_of(patient_of(wrong))
    assert await ward.subjects(later, *KINDS) == all_of(patient_of(wrong))
    assert await ward.subjects(own, *KINDS) == all_of(patient_of(own))
    rows = (await ward.desk.resource(patient_of(own)))["identifier"]
    assert [(row["use"], row["value"]) for row in rows] == [("usual", "QN2")]

    await ward.move("A43", "QN2", "MRG|QN1^^^22T01^MR||||||")
    assert await ward.subjects(wrong, *KINDS) == all_of(patient_of(own))


async def test_a_referral_that_was_sent_stays_as_it_was_sent(ward):
    rows = ["RF1|A|R|MED|||YC1|20261106|||K35^Viêm ruột thừa^I10", "PRD|RT||||||01T01^^^BYT"]
    sent = await ward.send("REF^I12", *rows[:1], *rows[1:], pid("QN1"), pv1("VN1"))
    (request,) = [ref for ref in sent.resources if ref.startswith("ServiceRequest/")]
    moved = await ward.move("A45", "QN2", "MRG|QN1^^^22T01^MR||||VN1", pv1("VN1"))
    assert (await ward.desk.resource(request))["subject"]["reference"] == patient_of(sent)
    assert {"where": request, "text": SENT} in [dict(notice) for notice in moved.notices]


async def test_mapping_anew_neither_repeats_a_move_nor_takes_it_back(ward):
    wrong = await ward.result("QN1", "VN1", "P1")
    moved = await ward.move("A45", "QN2", "MRG|QN1^^^22T01^MR||||VN1", pv1("VN1"))
    before = await ward.versions(wrong)
    for receipt in (moved, wrong, moved):
        again = await ward.desk.remap(receipt)
        assert (again.outcome, again.edits) == (Outcome.UNCHANGED, ())
    assert await ward.versions(wrong) == before
    after = await ward.desk.letters.receipt("qn-general", moved.receipt)
    assert (sorted(after.resources), after.ledger) == (sorted(moved.resources), moved.ledger)
    rows = await ward.desk.letters.ledger("qn-general", moved.receipt)
    assert any("Observation/" in target for row in rows for target in row["targets"])


async def test_a_move_of_what_nobody_knows_is_stored_and_moves_nothing(ward):
    moved = await ward.move("A45", "QN2", "MRG|QN1^^^22T01^MR||||VN1", pv1("VN1"))
    assert not [notice for notice in moved.notices if "follow" in notice["text"]]

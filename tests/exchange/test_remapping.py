"""Stored messages mapped again: the same mapping changes nothing, another changes what no one said anew since."""

from dataclasses import replace
from pathlib import Path

import pytest
from senders import HOSPITALS

from adapters import vn_xml
from fhir_gateway.app import now
from fhir_gateway.exchange import mapping
from fhir_gateway.exchange.inbox import State
from fhir_gateway.exchange.remapping import Outcome
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.records.revision import revision
from fhir_gateway.store.port import Commit

pytestmark = pytest.mark.anyio

FIXTURES = Path(__file__).parents[2] / "fixtures"


async def test_the_same_mapping_changes_nothing_over_every_fixture(desk):
    stored = []
    for adapter, hospital in HOSPITALS.items():
        for file in sorted((FIXTURES / adapter).glob("*/message.*")):
            receipt = await desk.file(hospital, file.read_bytes())
            if receipt.state is State.STORED:
                stored.append((file, receipt))
    assert len(stored) > 30
    for file, receipt in stored:
        remapped = await desk.remap(receipt)
        assert (remapped.outcome, remapped.edits, remapped.commit) == (Outcome.UNCHANGED, (), None), file


async def test_a_message_that_is_not_stored_is_skipped(desk, message):
    receipt = await desk.file("qn-general", message("hl7v2/bad-no-pid"))
    assert (await desk.remap(receipt)).outcome is Outcome.SKIPPED


PATIENT = "\n".join(
    (
        'Patient|p1|gender|"male"',
        'Patient|p1|birthDate|"1980-01-01"',
        'Patient|p1|identifier|[{"system":"urn:a","value":"1"}]',
    )
)


async def test_a_new_mapping_moves_what_the_old_one_put_wrongly(desk):
    desk.under(language=None)
    receipt = await desk.file("qn-general", (PATIENT + '\nPatient|p1|language|"vi"').encode())
    assert "language" not in await desk.resource("Patient/p1")
    desk.under()
    remapped = await desk.remap(receipt)
    assert [(e.path, e.kind) for e in remapped.edits] == [("language", "added")]
    assert (await desk.resource("Patient/p1"))["language"] == "vi"
    assert (await desk.letters.ledger("qn-general", receipt.receipt))[-1]["fate"] == "mapped"
    assert (await desk.remap(receipt)).outcome is Outcome.UNCHANGED


async def test_what_a_new_mapping_no_longer_says_goes(desk):
    desk.under()
    receipt = await desk.file("qn-general", (PATIENT + '\nPatient|p1|language|"vi"').encode())
    desk.under(language=None)
    remapped = await desk.remap(receipt)
    assert [(e.path, e.kind) for e in remapped.edits] == [("language", "removed")]
    assert "language" not in await desk.resource("Patient/p1")


async def test_what_a_later_message_said_stays(desk):
    desk.under(x="language")
    first = await desk.file("qn-general", (PATIENT + '\nPatient|p1|x|"vi"').encode())
    await desk.file("qn-general", b'Patient|p1|language|"en"\nPatient|p1|gender|"female"')
    desk.under(x="language", gender=None)
    remapped = await desk.remap(first)
    patient = await desk.resource("Patient/p1")
    assert (patient["language"], patient["gender"], patient["birthDate"]) == ("en", "female", "1980-01-01")
    assert remapped.outcome is Outcome.UNCHANGED


async def test_replaying_an_old_message_under_the_same_mapping_does_not_bring_back_what_it_said(desk):
    desk.under()
    first = await desk.file("qn-general", PATIENT.encode())
    await desk.file("qn-general", b'Patient|p1|gender|"female"\nPatient|p1|identifier|[{"system":"urn:b","value":"2"}]')
    before = await desk.house.store.current("Patient/p1")
    assert (await desk.remap(first)).outcome is Outcome.UNCHANGED
    assert await desk.house.store.current("Patient/p1") == before


async def test_a_new_mapping_of_an_old_message_is_laid_under_a_later_one(desk):
    desk.under(x=None)
    first = await desk.file("qn-general", (PATIENT + '\nPatient|p1|x|"vi"').encode())
    await desk.file("qn-general", b'Patient|p1|gender|"female"\nPatient|p1|identifier|[{"system":"urn:b","value":"2"}]')
    desk.under(x="language")
    await desk.remap(first)
    patient = await desk.resource("Patient/p1")
    assert (patient["language"], patient["gender"]) == ("vi", "female")
    assert {row["value"] for row in patient["identifier"]} == {"1", "2"}


async def test_rows_of_a_list_that_messages_share_come_and_go_one_by_one(desk):
    desk.under()
    first = await desk.file("qn-general", PATIENT.encode())
    await desk.file("qn-general", b'Patient|p1|identifier|[{"system":"urn:b","value":"2"}]')
    desk.under(identifier=None)
    await desk.remap(first)
    assert [row["value"] for row in (await desk.resource("Patient/p1"))["identifier"]] == ["2"]


OBSERVATION = (
    'Observation|o1|status|"preliminary"\nObservation|o1|code|{"text":"Kali"}\n'
    'Observation|o1|valueString|"4"\nObservation|o1|y|"mới"'
)


async def test_a_result_that_was_replaced_is_not_touched_by_the_older_message(desk):
    desk.under(y=None)
    first = await desk.file("qn-general", OBSERVATION.encode())
    second = await desk.file("qn-general", OBSERVATION.replace("preliminary", "final").encode())
    before = await desk.house.store.current("Observation/o1")
    desk.under(y=None, valueString=None)
    assert (await desk.remap(first)).edits == ()
    assert await desk.house.store.current("Observation/o1") == before
    changed = await desk.remap(second)
    assert [(e.path, e.kind) for e in changed.edits] == [("valueString", "removed")]


async def test_a_record_that_is_no_longer_made_is_deleted_and_keeps_its_history(desk):
    desk.under()
    body = PATIENT + "\n" + OBSERVATION.replace('\nObservation|o1|y|"mới"', "")
    receipt = await desk.file("qn-general", body.encode())
    desk.under(**{"Observation.status": None, "Observation.code": None, "Observation.valueString": None})
    remapped = await desk.remap(receipt)
    assert [(e.reference, e.kind) for e in remapped.edits] == [("Observation/o1", "removed")]
    assert (await desk.house.store.current("Observation/o1")).deleted
    assert len(await desk.house.store.versions("Observation/o1", None, 9)) == 2
    assert "Observation/o1" not in (await desk.letters.receipt("qn-general", receipt.receipt)).resources


async def test_what_a_client_wrote_since_stays(desk):
    desk.under(valueString=None)
    receipt = await desk.file("qn-general", OBSERVATION.replace('\nObservation|o1|y|"mới"', "").encode())
    current = await desk.house.store.current("Observation/o1")
    edited = {**decode_resource(current.body), "status": "corrected"}
    await desk.house.store.commit(Commit((revision(edited, "Observation/o1", current, now(), ("qn-general",)),)))
    desk.under()
    assert (await desk.remap(receipt)).edits == ()
    assert (await desk.resource("Observation/o1"))["status"] == "corrected"


async def test_a_mapping_that_refuses_the_message_leaves_it_as_it_is(desk):
    desk.under()
    receipt = await desk.file("qn-general", PATIENT.encode())
    desk.under(gender="nothing")
    remapped = await desk.remap(receipt)
    assert (remapped.outcome, remapped.commit) == (Outcome.FAILED, None)
    assert remapped.problems[0]["where"]
    assert await desk.letters.receipt("qn-general", receipt.receipt) == receipt


async def test_a_third_mapping_corrects_what_the_second_did(desk):
    desk.under(x="language")
    receipt = await desk.file("qn-general", (PATIENT + '\nPatient|p1|x|"vi"').encode())
    desk.under(x=None)
    await desk.remap(receipt)
    desk.under(x="language")
    await desk.remap(receipt)
    assert (await desk.resource("Patient/p1"))["language"] == "vi"


async def test_the_transformation_says_which_mapping_made_a_record(desk):
    desk.under(language=None)
    receipt = await desk.file("qn-general", (PATIENT + '\nPatient|p1|language|"vi"').encode())
    desk.under()
    await desk.remap(receipt)
    after = await desk.letters.receipt("qn-general", receipt.receipt)
    names = [ref for ref in after.resources if ref.startswith("Provenance/")]
    made = [p for p in [await desk.resource(name) for name in names] if "policy" in p]
    assert made[0]["policy"][0].endswith(after.mapping)
    assert after.mapping != receipt.mapping


async def test_a_changed_row_of_a_code_table_is_another_version(desk, monkeypatch):
    hospital = desk.house.directory.hospital("bai-chay")
    first = mapping.version("vn_xml", vn_xml, hospital)
    assert first == mapping.version("vn_xml", vn_xml, replace(hospital))
    assert first != mapping.version("vn_xml", vn_xml, replace(hospital, offset="+08:00"))

"""Where an element came from, asked over HTTP: hospital, message, place, bytes, rule and its version."""

import re

import pytest

from adapters.places import carried

pytestmark = pytest.mark.anyio

HL7, XML, CDA = "application/hl7-v2", "application/xml", "application/hl7-cda+xml"


def elements(answer) -> list[dict]:
    assert answer.status_code == 200, answer.text
    found = [row for row in answer.json()["parameter"] if row["name"] == "element"]
    return [{part["name"]: _value(part) for part in row["part"]} for row in found]


def _value(part):
    if "part" in part:
        return {inner["name"]: _value(inner) for inner in part["part"]}
    return next(value for name, value in part.items() if name.startswith("value"))


async def stored(province, hospital, media_type, body, kind="Patient"):
    receipt = (await province.ingest(hospital, media_type, body)).json()
    assert receipt["state"] == "stored", receipt
    return receipt, next(ref for ref in receipt["resources"] if ref.startswith(f"{kind}/"))


async def test_an_element_leads_to_the_bytes_of_its_hl7_field(pair, message):
    province, _ = pair
    body = message("hl7v2/admission-a01")
    receipt, patient = await stored(province, "qn-general", HL7, body)
    (row,) = elements(await province.get("qn-general", f"/fhir/{patient}/$source?path=name[0].family"))
    resource = (await province.get("qn-general", f"/fhir/{patient}")).json()
    said = body[row["offset"] : row["offset"] + row["length"]].decode()
    assert said == resource["name"][0]["family"]
    assert row["place"].startswith("PID[1]-5[1]")
    assert row["message"] == f"/ingest/qn-general/{receipt['receipt']}"
    assert (row["hospital"], row["mapping"]) == ("qn-general", receipt["mapping"])
    assert row["control-number"].encode() in body
    assert row["rule"].startswith("hl7v2.")


async def test_an_element_of_the_national_xml_leads_into_its_inner_file(pair, message):
    province, _ = pair
    body = message("vn_xml/episode-3176")
    _, patient = await stored(province, "bai-chay", XML, body)
    rows = elements(await province.get("bai-chay", f"/fhir/{patient}/$source?path=name.text"))
    row = next(row for row in rows if row["place"].endswith("/XML1/HO_TEN"))
    outer = row["within"]
    inner = carried(body[outer["offset"] : outer["offset"] + outer["length"]])
    said = inner[row["offset"] : row["offset"] + row["length"]].decode()
    resource = (await province.get("bai-chay", f"/fhir/{patient}")).json()
    assert said == resource["name"][0]["text"]


async def test_an_element_of_a_cda_document_leads_to_its_attribute(pair, message):
    province, _ = pair
    body = message("cda/mother-discharge")
    _, document = await stored(province, "san-nhi", CDA, body, "Composition")
    (row,) = elements(await province.get("san-nhi", f"/fhir/{document}/$source?path=Composition.type.coding[0].code"))
    resource = (await province.get("san-nhi", f"/fhir/{document}")).json()
    assert body[row["offset"] : row["offset"] + row["length"]].decode() == resource["type"]["coding"][0]["code"]


async def test_a_path_means_all_below_it_and_no_path_everything(pair, message):
    province, _ = pair
    _, patient = await stored(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    every = elements(await province.get("qn-general", f"/fhir/{patient}/$source"))
    names = elements(await province.get("qn-general", f"/fhir/{patient}/$source?path=name"))
    assert 1 < len(names) < len(every)
    assert {row["path"].partition("[")[0] for row in names} == {"name"}


async def test_a_choice_is_asked_by_its_fhirpath_name(pair, message):
    province, _ = pair
    body = message("hl7v2/laboratory-oru")
    receipt = (await province.ingest("qn-general", HL7, body)).json()
    for reference in [ref for ref in receipt["resources"] if ref.startswith("Observation/")]:
        resource = (await province.get("qn-general", f"/fhir/{reference}")).json()
        if "valueQuantity" in resource:
            asked = "$source?path=value.ofType(Quantity).value"
            exact = elements(await province.get("qn-general", f"/fhir/{reference}/{asked}"))
            loose = elements(await province.get("qn-general", f"/fhir/{reference}/$source?path=value"))
            said = body[exact[0]["offset"] : exact[0]["offset"] + exact[0]["length"]].decode()
            assert float(said) == resource["valueQuantity"]["value"]
            assert exact[0] in loose
            return
    raise AssertionError("no quantity in the message")


async def test_each_message_that_made_the_current_version_is_named_where_it_did(pair, message):
    province, _ = pair
    first, patient = await stored(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    later = message("hl7v2/admission-a01").replace(b"ADT^A01^ADT_A01", b"ADT^A08^ADT_A01").decode()
    lines = later.replace("\r\n", "\r").replace("\n", "\r").split("\r")
    pid = next(i for i, line in enumerate(lines) if line.startswith("PID"))
    fields = lines[pid].split("|")
    fields[5], fields[11] = "VŨ^THỊ MỚI", ""
    lines[pid] = "|".join(fields)
    second, _ = await stored(province, "qn-general", HL7, "\r".join(lines).encode())
    of_name = elements(await province.get("qn-general", f"/fhir/{patient}/$source?path=name[0].family"))
    of_address = elements(await province.get("qn-general", f"/fhir/{patient}/$source?path=address"))
    of_number = elements(await province.get("qn-general", f"/fhir/{patient}/$source?path=identifier"))
    assert {row["message"] for row in of_name} == {f"/ingest/qn-general/{second['receipt']}"}
    assert {row["message"] for row in of_address} == {f"/ingest/qn-general/{first['receipt']}"}
    assert {row["message"] for row in of_number} == {f"/ingest/qn-general/{r['receipt']}" for r in (first, second)}


async def test_an_identifier_that_moved_in_its_list_is_still_found(pair):
    province, _ = pair
    message = (
        "MSH|^~\\&|HIS|22T01|GW|QN|20261120080000+0700||ADT^A04^ADT_A01|{0}|P|2.5.1\rEVN||20261120080000+0700\r"
        "PID|1||QN881^^^QN^MR~{1}||BÙI^LAN||19800101|F\rPV1|1|O\r"
    )
    first, patient = await stored(province, "qn-general", HL7, message.format("M1", "022180000881^^^^NI").encode())
    await stored(province, "qn-general", HL7, message.format("M2", "GD4222000000881^^^^NIIP").encode())
    resource = (await province.get("qn-general", f"/fhir/{patient}")).json()
    at = next(i for i, row in enumerate(resource["identifier"]) if row["value"] == "022180000881")
    rows = elements(await province.get("qn-general", f"/fhir/{patient}/$source?path=identifier[{at}].value"))
    assert [row["message"] for row in rows] == [f"/ingest/qn-general/{first['receipt']}"]


async def test_what_a_stand_in_said_is_found_at_the_record_it_stands_for(pair, message):
    province, _ = pair
    whole = message("vn_xml/episode-3176")

    def only(kind):
        parts = re.split(rb"(<FILEHOSO>.*?</FILEHOSO>)", whole, flags=re.DOTALL)
        return b"".join(p for p in parts if not p.startswith(b"<FILEHOSO>") or f"<LOAIHOSO>{kind}<".encode() in p)

    _, patient = await stored(province, "bai-chay", XML, only("XML1"))
    slip = (await province.ingest("bai-chay", XML, only("XML13"))).json()
    ledger = (await province.get("bai-chay", f"/ingest/bai-chay/{slip['receipt']}/ledger?fate=mapped")).json()
    targets = {t.partition("#")[0] for row in ledger["accounts"] for t in row["targets"] if t.startswith("Patient/")}
    assert targets <= {patient}


@pytest.mark.parametrize("path", ["nam", "name[0].famly", "name.where(use='official')", "name..family"])
async def test_a_path_that_is_none_is_refused(pair, message, path):
    province, _ = pair
    _, patient = await stored(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    answer = await province.http.get(
        f"/fhir/{patient}/$source", params={"path": path}, headers=province.bearer("qn-general")
    )
    assert answer.status_code == 400
    assert "path" in answer.text


async def test_who_may_not_read_the_record_learns_nothing_of_its_source(pair, message):
    province, _ = pair
    _, patient = await stored(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    assert (await province.get("bai-chay", f"/fhir/{patient}/$source")).status_code == 404
    assert (await province.get("auditor", f"/fhir/{patient}/$source")).status_code == 403
    assert (await province.get("doctor", f"/fhir/{patient}/$source")).status_code == 200


async def test_asking_for_a_source_is_audited_as_a_read_of_the_record(pair, message):
    province, _ = pair
    _, patient = await stored(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    before = len(await province.search("auditor", f"AuditEvent?entity={patient}&action=R&_count=100"))
    await province.get("doctor", f"/fhir/{patient}/$source?path=name")
    after = await province.search("auditor", f"AuditEvent?entity={patient}&action=R&_count=100")
    assert len(after) == before + 1


async def test_a_record_that_no_message_made_has_no_source(pair, message):
    province, _ = pair
    _, patient = await stored(province, "qn-general", HL7, message("hl7v2/admission-a01"))
    (person,) = await province.search("doctor", f"Person?link={patient}")
    answer = await province.get("doctor", f"/fhir/Person/{person['id']}/$source")
    assert elements(answer) == []


async def test_a_coding_that_a_table_added_is_answered_with_the_fields_it_is_made_of(pair, message):
    province, _ = pair
    receipt, _ = await stored(province, "bai-chay", XML, message("vn_xml/outpatient"))
    condition = next(ref for ref in receipt["resources"] if ref.startswith("Condition/"))
    coding = (await province.get("bai-chay", f"/fhir/{condition}")).json()["code"]["coding"]
    assert coding[1]["system"] == "http://hl7.org/fhir/sid/icd-10"
    rows = elements(await province.get("bai-chay", f"/fhir/{condition}/$source?path=code.coding[1].system"))
    assert any(row["place"].endswith("/MA_BENH_CHINH") and row["path"].startswith("code") for row in rows)
    assert elements(await province.get("bai-chay", f"/fhir/{condition}/$source?path=code.coding[7].code")) == []

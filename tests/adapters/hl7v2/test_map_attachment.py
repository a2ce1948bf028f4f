"""Encapsulated documents: the bytes come out as they went in."""

import base64
import hashlib
from collections.abc import Callable

from bundles import made
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Resource, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
OBR = "OBR|1|P1|F1|XQN|||||||||||||||||||||F"


def report(translation: Translation) -> Resource:
    [found] = [
        e["resource"] for e in translation.bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport"
    ]
    resource: Resource = found
    return resource


@settings(deadline=None, max_examples=50)
@given(st.binary(min_size=1, max_size=300))
def test_a_document_keeps_its_bytes_size_and_hash(translate: Translate, message: Build, raw: bytes) -> None:
    data = base64.b64encode(raw).decode()
    form = report(translate(message("ORU^R01", PID, OBR, f"OBX|1|ED|PDF||^AP^PDF^Base64^{data}||||||F")))
    attachment = form["presentedForm"][0]

    assert base64.b64decode(attachment["data"]) == raw
    assert attachment["size"] == len(raw)
    assert base64.b64decode(attachment["hash"]) == hashlib.sha1(raw).digest()
    assert attachment["contentType"] == "application/pdf"


def test_a_document_that_cannot_be_decoded_is_marked_missing_and_stops_nothing(
    translate: Translate, message: Build
) -> None:
    rows = ("OBX|1|ED|PDF^Phim||^AP^PDF^Base64^JVB*||||||F", "OBX|2|NM|NA||139||||||F")
    translation = translate(message("ORU^R01", PID, OBR, *rows))
    [form] = report(translation)["presentedForm"]

    assert "data" not in form
    assert form["_data"]["extension"][0]["valueCode"] == "error"
    assert [notice.where for notice in translation.notices] == ["OBX[1]-5[1].5"]
    assert len(report(translation)["result"]) == 1


def test_a_document_in_lines_and_in_hexadecimal_is_read(translate: Translate, message: Build) -> None:
    rows = ("OBX|1|ED|A||^TEXT^PLAIN^Base64^YWJj\nZGVm||||||F", "OBX|2|ED|B||^IM^JPEG^Hex^FFD8FF||||||F")
    forms = report(translate(message("ORU^R01", PID, OBR, *rows)))["presentedForm"]

    assert [base64.b64decode(form["data"]) for form in forms] == [b"abcdef", b"\xff\xd8\xff"]
    assert [form["contentType"] for form in forms] == ["text/plain", "image/jpeg"]


def test_a_document_outside_a_report_becomes_a_document_of_the_patient(translate: Translate, message: Build) -> None:
    entries = translate(message("ADT^A01", PID, "PV1|1|I", "OBX|1|ED|PDF^Phiếu||^AP^PDF^Base64^JVBERi0=||||||F")).bundle
    kinds = [entry["resource"]["resourceType"] for entry in entries["entry"]]

    assert "DocumentReference" in kinds


def test_a_document_of_a_report_keeps_its_code_and_status_in_a_document_reference(
    translate: Translate, message: Build
) -> None:
    row = "OBX|1|ED|PDF^Phiếu kết quả^L|1|^AP^PDF^Base64^JVBERi0=||||||P|||20261102101000"
    translation = translate(message("ORU^R01", PID, OBR, row))
    entries = [entry["resource"] for entry in translation.bundle["entry"]]
    [document] = [resource for resource in entries if resource["resourceType"] == "DocumentReference"]
    targets = {account.place: account.targets for account in translation.ledger}
    here = f"DocumentReference/{document['id']}#"

    assert document["type"]["coding"][0]["code"] == "PDF"
    assert document["docStatus"] == "preliminary"
    assert document["content"][0]["attachment"] == report(translation)["presentedForm"][0]
    assert document["context"]["related"] == [{"reference": f"urn:uuid:{report(translation)['id']}"}]
    assert targets["OBX[1]-3[1].1"] == (f"{here}type.coding[0].code",)
    assert targets["OBX[1]-3[1].3"] == (f"{here}type.coding[0].system",)
    assert targets["OBX[1]-11[1]"] == (f"{here}docStatus",)


def test_a_status_that_no_document_can_have_stays_unmapped(translate: Translate, message: Build) -> None:
    translation = translate(message("ORU^R01", PID, OBR, "OBX|1|ED|PDF||^AP^PDF^Base64^JVBERi0=||||||X"))

    assert [account.fate for account in translation.ledger if account.place == "OBX[1]-11[1]"] == ["unmapped"]


def test_a_document_announced_without_data_is_missing_and_no_text(translate: Translate, message: Build) -> None:
    pid = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"
    translation = translate(message("ORU^R01", pid, "OBR|1|P1|F1|CT", "OBX|1|ED|KQ||^AP^PDF^Base64^||||||F"))

    [document] = made(translation, "DocumentReference")
    attached = document["content"][0]["attachment"]
    assert attached["contentType"] == "application/pdf"
    assert attached["_data"]["extension"][0]["valueCode"] == "error"
    assert not made(translation, "Observation")

"""What becomes of a file's signature on its way in: receipt, ledger, Provenance, quarantine where it is required."""

from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from signxml import XMLSigner
from signxml.algorithms import SignatureMethod

from adapters.contract import Signing
from fhir_gateway.exchange.attestation import CHECK, signing_of
from fhir_gateway.problem import Problem

pytestmark = pytest.mark.anyio

XML = "application/xml"
_spec = spec_from_file_location("signed_files", Path(__file__).parents[1] / "security" / "test_xmlsign.py")
signed_files = module_from_spec(_spec)
_spec.loader.exec_module(signed_files)


@pytest.fixture(scope="module")
def own():
    key = ec.generate_private_key(ec.SECP256R1())
    return signed_files.certificate(key), key


def sign(body: bytes, own) -> bytes:
    certificate, key = own
    root = etree.fromstring(body)
    holder = root.find("CHUKYDONVI")
    if holder is None:
        holder = etree.SubElement(root, "CHUKYDONVI")
    holder.append(etree.fromstring(signed_files.PLACEHOLDER))
    maker = XMLSigner(signature_algorithm=SignatureMethod.ECDSA_SHA256)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return etree.tostring(maker.sign(root, key=private, cert=signed_files.pem(certificate).decode()))


@pytest.fixture
def policy(pair):
    """Sets what the hospital's file says of signatures."""
    province, _ = pair
    hospitals = province.gateway.directory.hospitals

    def choose(name: str, *roots: bytes) -> None:
        hospitals["bai-chay"] = replace(hospitals["bai-chay"], signing=Signing(name, roots))

    return choose


async def provenances(province, receipt) -> list[dict]:
    found = [ref for ref in receipt["resources"] if ref.startswith("Provenance/")]
    return [(await province.get("bai-chay", f"/fhir/{ref}")).json() for ref in found]


async def test_a_good_signature_stands_on_receipt_ledger_and_provenance(pair, policy, message, own):
    province, _ = pair
    policy("required", signed_files.pem(own[0]))
    answer = await province.ingest("bai-chay", XML, sign(message("vn_xml/outpatient"), own))
    receipt = answer.json()

    assert (answer.status_code, receipt["signature"]["state"]) == (200, "valid")
    assert receipt["signature"]["signer"] == "BỆNH VIỆN THỬ"
    ledger = (await province.get("bai-chay", f"/ingest/bai-chay/{receipt['receipt']}/ledger")).json()["accounts"]
    (line,) = [row for row in ledger if row["place"].endswith("CHUKYDONVI")]
    assert line["reason"].endswith("valid")
    (signed,) = [p for p in await provenances(province, receipt) if "signature" in p]
    assert signed["signature"][0]["sigFormat"] == "application/signature+xml"
    assert signed["signature"][0]["who"]["display"] == "BỆNH VIỆN THỬ"


async def test_a_signature_of_nobody_known_is_noted_and_keeps_nothing_out(pair, policy, message, own):
    province, _ = pair
    policy("noted")
    receipt = (await province.ingest("bai-chay", XML, sign(message("vn_xml/outpatient"), own))).json()

    assert (receipt["state"], receipt["signature"]["state"]) == ("stored", "unknown-signer")
    marked = [p for p in await provenances(province, receipt) if any(e["url"] == CHECK for e in p.get("extension", ()))]
    assert len(marked) == 1
    assert "signature" not in marked[0]


@pytest.mark.parametrize("signed", [True, False])
async def test_where_a_signature_is_required_a_file_without_a_good_one_is_held_with_its_place(
    pair, policy, message, own, signed
):
    province, _ = pair
    policy("required")
    body = message("vn_xml/outpatient")
    answer = await province.ingest("bai-chay", XML, sign(body, own) if signed else body)

    assert answer.status_code == 422
    assert answer.json()["problems"][0]["where"] == "/GIAMDINHHS/CHUKYDONVI"
    assert answer.json()["signature"]["state"] == ("unknown-signer" if signed else "absent")


async def test_the_signature_of_a_check_in_stands_in_the_ledger_as_one_field(pair, policy, message, own):
    province, _ = pair
    policy("required", signed_files.pem(own[0]))
    receipt = (await province.ingest("bai-chay", XML, sign(message("vn_xml/check-in"), own))).json()

    assert receipt["signature"]["state"] == "valid"
    ledger = (await province.get("bai-chay", f"/ingest/bai-chay/{receipt['receipt']}/ledger")).json()["accounts"]
    assert [(row["place"], row["fate"]) for row in ledger if "CHUKYDONVI" in row["place"]] == [
        ("/XML0/CHUKYDONVI", "ignored")
    ]


async def test_a_check_in_without_the_signature_it_needs_names_its_own_place(pair, policy, message):
    province, _ = pair
    policy("required")
    answer = await province.ingest("bai-chay", XML, message("vn_xml/check-in"))

    assert (answer.status_code, answer.json()["problems"][0]["where"]) == (422, "/XML0/CHUKYDONVI")


async def test_where_signatures_are_ignored_nobody_looks(pair, policy, message, own):
    province, _ = pair
    policy("ignored")
    receipt = (await province.ingest("bai-chay", XML, sign(message("vn_xml/outpatient"), own))).json()

    assert (receipt["state"], receipt["signature"]) == ("stored", {})


def test_a_hospital_file_names_its_policy_and_its_roots(tmp_path, own):
    (tmp_path / "ca.pem").write_bytes(signed_files.pem(own[0]))
    (tmp_path / "empty.pem").write_text("nothing")
    found = signing_of({"signature": {"policy": "required", "roots": ["ca.pem"]}}, tmp_path, "a.toml")

    assert found == Signing("required", (signed_files.pem(own[0]),))
    assert signing_of({}, tmp_path, "a.toml") == Signing("noted")
    for wrong in ({"policy": "perhaps"}, {"roots": ["absent.pem"]}, {"roots": ["empty.pem"]}):
        with pytest.raises(Problem, match="signature"):
            signing_of({"signature": wrong}, tmp_path, "a.toml")

"""The command line as its users type it, against a gateway that is a process of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fhir_gateway.exchange.directory import load

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"


def run(*arguments: str, data: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "fhir_gateway", *arguments, *(["--data", str(data)] if data else [])]
    known = {**os.environ, "COLUMNS": "200", **environment}
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, env=known)


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """The data folder of a running gateway."""
    data = tmp_path_factory.mktemp("serving")
    line = [sys.executable, "-m", "fhir_gateway", "serve", "--port", "0", "--data", str(data), "--mllp", "127.0.0.1:0"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline().startswith("ready http://127.0.0.1:")
    yield data
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def test_translate_prints_bundle_and_ledger_and_touches_nothing(tmp_path):
    done = run(
        "translate",
        "--hospital",
        "bai-chay",
        str(FIXTURES / "vn_xml/outpatient/message.xml"),
        FHIR_GATEWAY_DATA=str(tmp_path),
    )
    shown = json.loads(done.stdout)
    assert done.returncode == 0
    assert shown["bundle"]["type"] == "transaction"
    assert shown["counts"]["fields"] == len(shown["ledger"])
    assert list(tmp_path.iterdir()) == []


def test_translate_of_a_bad_message_names_its_place_and_fails():
    done = run("translate", "--hospital", "qn-general", str(FIXTURES / "hl7v2/bad-lab-value/message.hl7"))
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"][0]["where"] == "OBX[2]-5"


def test_an_unknown_hospital_is_one_clear_line():
    done = run("translate", "--hospital", "nowhere", str(FIXTURES / "hl7v2/bad-lab-value/message.hl7"))
    assert done.returncode == 1
    assert "bai-chay" in done.stderr
    assert "Traceback" not in done.stderr


def test_ingest_sends_files_and_ends_with_counts(serving):
    files = [str(FIXTURES / "vn_xml" / name / "message.xml") for name in ("outpatient", "bad-truncated")]
    done = run("ingest", "--hospital", "bai-chay", *files, data=serving)
    assert done.returncode == 1
    assert "1 quarantined, 1 stored; 2 sent" in done.stdout
    again = run("ingest", "--hospital", "bai-chay", "--json", files[0], data=serving)
    assert again.returncode == 0
    assert json.loads(again.stdout)[0]["repeated"] is True


def test_ingest_without_a_gateway_says_how_to_start_one(tmp_path):
    done = run("ingest", "--hospital", "bai-chay", str(FIXTURES / "vn_xml/outpatient/message.xml"), data=tmp_path)
    assert done.returncode == 1
    assert "fhir-gateway serve" in done.stderr


def test_import_ends_with_counts_that_add_up_and_a_list_of_reasons(serving, tmp_path):
    (tmp_path / "Patient.ndjson").write_text('{"resourceType":"Patient","id":"imported"}\n{}\n', encoding="utf-8")
    done = run("import", str(tmp_path), "--json", data=serving)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["read"], told["created"], told["refused"]) == (2, 1, 1)
    assert "Patient.ndjson:2: " in Path(told["reasons"]).read_text(encoding="utf-8")
    again = run("import", str(tmp_path), data=serving)
    assert "1 files, 2 resources read = 0 created + 0 updated + 1 unchanged + 1 refused" in again.stdout


def test_what_is_quarantined_is_told_with_place_reason_and_what_to_do(serving):
    files = [str(FIXTURES / "vn_xml" / name / "message.xml") for name in ("outpatient", "bad-truncated")]
    done = run("ingest", "--hospital", "bai-chay", *files, data=serving, COLUMNS="80")
    receipt = json.loads(run("ingest", "--hospital", "bai-chay", "--json", files[1], data=serving).stdout)[0]
    assert receipt["receipt"] in done.stdout
    assert "bad-truncated/message.xml: line 21, column 8105: the XML is not well formed" in done.stdout
    assert "/ingest/bai-chay?state=quarantined" in done.stdout
    assert "fhir-gateway replay --hospital bai-chay --dry-run" in done.stdout


def test_a_statement_of_nobody_asks_whose_day(serving):
    done = run("completeness", data=serving)
    assert done.returncode == 1
    assert "whose day? One of bai-chay, qn-general, san-nhi" in done.stderr


def test_the_version_is_told():
    assert run("--version").stdout.startswith("fhir-gateway ")


def test_the_help_of_the_listener_keeps_its_brackets():
    assert "[hospital@]host:port" in run("serve", "--help").stdout


def test_a_token_opens_the_door_it_is_for(serving):
    done = run("token", "auditor", data=serving)
    assert done.stdout.count(".") == 2
    unknown = run("token", "nobody", data=serving)
    assert unknown.returncode == 1
    assert "qn-general" in unknown.stderr


def test_the_audit_chain_is_verified_beside_the_running_gateway(serving):
    done = run("audit", "verify", "--json", data=serving)
    assert done.returncode == 0
    assert json.loads(done.stdout)["whole"] is True


def test_a_second_gateway_on_the_same_data_is_refused(serving):
    done = run("serve", "--port", "0", data=serving)
    assert done.returncode == 1
    assert "another gateway process uses this data folder" in done.stderr.replace("\n", " ")


def test_settings_are_listed():
    done = run("settings", FHIR_GATEWAY_PAGE_SIZE="7")
    assert "FHIR_GATEWAY_PAGE_SIZE" in done.stdout
    assert "7" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        ["demo"],
        ["ingest"],
        ["translate"],
        ["token"],
        ["import"],
        ["partner"],
        ["audit", "verify"],
        ["settings"],
    ],
)
def test_every_command_teaches(command):
    done = run(*command, "--help")
    assert done.returncode == 0
    assert len(done.stdout) > 100


def test_a_file_that_is_not_taken_does_not_hold_up_the_others(serving, tmp_path):
    (tmp_path / "1-empty.xml").write_bytes(b"")
    (tmp_path / "2-good.xml").write_bytes((FIXTURES / "vn_xml/outpatient/message.xml").read_bytes())
    done = run("ingest", "--hospital", "bai-chay", str(tmp_path), data=serving)
    assert done.returncode == 1
    assert "1 refused, 1 stored; 2 sent" in done.stdout
    assert "1-empty.xml" in done.stdout


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"FHIR_GATEWAY_PORT": "abc"}, "FHIR_GATEWAY_PORT"),
        ({"FHIR_GATEWAY_DATA": __file__}, "File exists"),
        ({"FHIR_GATEWAY_PARTNERS": "."}, "[nameless].toml: the partner file lacks name"),
    ],
    ids=["a setting of the wrong kind", "a data folder that is a file", "a partner without a name"],
)
def test_a_gateway_that_cannot_start_says_why_in_one_line(environment, said, tmp_path):
    (tmp_path / "[nameless].toml").write_text('title = "?"', encoding="utf-8")
    where = {"FHIR_GATEWAY_DATA": str(tmp_path / "data"), **environment}
    if "FHIR_GATEWAY_PARTNERS" in where:
        where["FHIR_GATEWAY_PARTNERS"] = str(tmp_path)
    done = run("serve", **{"FHIR_GATEWAY_PORT": "0", **where})
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_audit_chain_of_a_folder_without_a_gateway_is_not_called_whole(tmp_path):
    done = run("audit", "verify", data=tmp_path / "mistyped")
    assert done.returncode == 1
    assert "mistyped" in done.stderr
    assert not (tmp_path / "mistyped").exists()


def test_a_partner_file_carries_what_the_other_gateway_needs(tmp_path):
    for name in ("quang-ninh", "bach-mai"):
        other = tmp_path / ("bach-mai" if name == "quang-ninh" else "quang-ninh") / "partners"
        done = run("partner", str(other), "--url", f"http://{name}.example", "--name", name, data=tmp_path / name)
        assert done.returncode == 0, done.stderr
    known = load("quang-ninh", None, None, tmp_path / "quang-ninh" / "partners")
    assert known.partners["bach-mai"].facilities == ("01T01",)
    assert known.partners["bach-mai"].ca.startswith(b"-----BEGIN CERTIFICATE")
    assert len(json.loads(known.partners["bach-mai"].jwks)["keys"]) == 3
    other = load("bach-mai", None, None, tmp_path / "bach-mai" / "partners")
    assert other.partners["quang-ninh"].facilities == ("22T02", "22T01", "22T03")

"""Public data through the real doors: nothing of it is lost, nothing of it is stored invalid, nothing breaks the gateway.

The folder is not part of the project; FHIR_GATEWAY_CORPUS names it. Each message is settled by the worker on the
embedded engine, each FHIR example goes through the REST interface.
"""

import asyncio
import bz2
import os
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.validation import validate

CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
SENDERS = 8
# One in five of the 300 messages of a running hospital: all of them translate in tests/adapters, here they are stored.
EVERY = 5
FHIR_JSON = "application/fhir+json"

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not on this machine")]


def messages(files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """HL7 v2 messages by name; a file may hold many, parted by an empty line."""
    for file in files:
        parts = re.split(rb"(?:\r\n|\n|\r){2,}(?=MSH)", file.read_bytes())
        for place, part in enumerate(part for part in parts if part.strip()):
            if len(parts) == 1 or place % EVERY == 0:
                yield f"{file.name}[{place}]", part


async def at_once(work: Callable[[Any], Awaitable[Any]], things: Sequence[Any]) -> list[Any]:
    """The results of the work on each thing, some of them under way at the same time."""
    places = asyncio.Semaphore(SENDERS)

    async def one(thing: Any) -> Any:
        async with places:
            return await work(thing)

    return list(await asyncio.gather(*(one(thing) for thing in things)))


async def sent(gateway, hospital: str, media_type: str, named: Iterable[tuple[str, bytes]]) -> dict[str, dict]:
    """The settled receipt of each message by its name."""

    async def send(message: tuple[str, bytes]) -> tuple[str, dict]:
        answer = await gateway.ingest(hospital, media_type, message[1])
        assert answer.status_code in (200, 422), (message[0], answer.text)
        return message[0], answer.json()

    return dict(await at_once(send, list(named)))


async def check_settled(gateway, receipts: dict[str, dict]) -> None:
    """Every receipt is final, says where and why it was refused, accounts for its fields, and what it made is R4."""
    for name, receipt in receipts.items():
        assert receipt["state"] in ("stored", "quarantined"), name
        if receipt["state"] == "quarantined":
            assert receipt["problems"], name
            assert all(problem["where"] and problem["text"] for problem in receipt["problems"]), name
            assert "exception" not in {problem["code"] for problem in receipt["problems"]}, name
        else:
            await check_stored(gateway, name, receipt)


async def check_stored(gateway, name: str, receipt: dict) -> None:
    counts = receipt["ledger"]
    accounts = await gateway.gateway.reception.inbox.ledger(receipt["hospital"], receipt["receipt"])
    fates = Counter(account["fate"] for account in accounts)
    assert {fate: counts[fate] for fate in ("mapped", "ignored", "unmapped")} == {
        fate: fates[fate] for fate in ("mapped", "ignored", "unmapped")
    }, name
    assert counts["fields"] == len(accounts) == len({account["place"] for account in accounts}) > 0, name
    versions = await gateway.gateway.store.currents(receipt["resources"])
    assert set(versions) == set(receipt["resources"]), name
    for reference, version in versions.items():
        assert validate(decode_resource(version.body)) == (), (name, reference)


def states(receipts: dict[str, dict]) -> Counter[str]:
    return Counter(receipt["state"] for receipt in receipts.values())


def refused(receipts: dict[str, dict]) -> dict[str, list]:
    return {name: row["problems"] for name, row in receipts.items() if row["state"] == "quarantined"}


async def test_every_hl7_message_is_stored_or_quarantined_with_its_place(pair):
    province, _ = pair
    named = list(messages(sorted((CORPUS / "hl7v2").glob("*.hl7"))))
    receipts = await sent(province, "qn-general", "application/hl7-v2", named)
    assert len(receipts) > 110
    await check_settled(province, receipts)
    assert refused(receipts) == {}


async def test_every_national_file_is_stored_or_quarantined_with_its_place(pair):
    province, _ = pair
    files = sorted((CORPUS / "vietnam").glob("samples-*/*.xml"))
    receipts = await sent(province, "bai-chay", "application/xml", [(f.name, f.read_bytes()) for f in files])
    assert len(receipts) == len(files) > 40
    await check_settled(province, receipts)
    assert refused(receipts) == {}


async def test_every_clinical_document_is_stored_or_quarantined_with_its_place(pair):
    province, _ = pair
    files = sorted((CORPUS / "cda").glob("*.xml"))
    receipts = await sent(province, "san-nhi", "application/hl7-cda+xml", [(f.name, f.read_bytes()) for f in files])
    assert len(receipts) == len(files) >= 8
    await check_settled(province, receipts)
    assert refused(receipts) == {}


async def test_the_audit_chain_knows_every_message_of_the_corpus(pair):
    province, _ = pair
    files = sorted((CORPUS / "cda").glob("*.xml"))[:2]
    receipts = await sent(province, "san-nhi", "application/hl7-cda+xml", [(f.name, f.read_bytes()) for f in files])
    assert states(receipts) == {"stored": 2}


async def posted(gateway, path: str, body: bytes):
    headers = {**gateway.bearer("admin"), "Content-Type": FHIR_JSON}
    return await gateway.http.post(path, headers=headers, content=body)


def check_answer(name: str, answer) -> None:
    """Stored, or refused with an OperationOutcome that says where."""
    assert answer.status_code < 500, (name, answer.text[:500])
    if answer.status_code >= 400:
        outcome = answer.json()
        assert outcome["resourceType"] == "OperationOutcome", name
        errors = [issue for issue in outcome["issue"] if issue["severity"] in ("error", "fatal")]
        assert errors, name
        if answer.status_code != 403:
            assert all(issue.get("expression") and issue["diagnostics"] for issue in errors), (name, errors)


async def test_every_official_example_is_stored_or_refused_with_its_place(pair):
    province, _ = pair
    files = sorted((CORPUS / "fhir-r4").glob("*.json"))

    async def post(file: Path):
        resource = decode_resource(file.read_bytes())
        whole = resource["resourceType"] == "Bundle" and resource.get("type") in ("transaction", "batch")
        answer = await posted(province, "/fhir" if whole else f"/fhir/{resource['resourceType']}", file.read_bytes())
        check_answer(file.name, answer)
        return answer.status_code

    found = Counter(await at_once(post, files))
    print(found)
    assert found[201] > 400


async def test_synthea_patients_are_stored_with_their_hospitals(pair):
    province, _ = pair
    files = sorted((CORPUS / "synthea").glob("*.json.bz2"), key=lambda file: (file.name[:2] != "0-", file.stat().st_size))
    for file in files[:4]:
        answer = await posted(province, "/fhir", bz2.decompress(file.read_bytes()))
        check_answer(file.name, answer)
        print(file.name, answer.status_code, answer.text[:300])
        assert answer.status_code == 200, answer.text[:500]

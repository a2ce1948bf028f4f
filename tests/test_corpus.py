"""Public data through the real doors: nothing is lost, nothing is stored invalid, nothing breaks the gateway.

The folder is not part of the project; FHIR_GATEWAY_CORPUS names it. Each message is settled by the worker of a gateway
with an embedded database of its own, each FHIR example goes through the REST interface.
"""

import asyncio
import bz2
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_gateway.app import Gateway, gateway
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.validation import validate
from fhir_gateway.settings import Settings

CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
FATES = ("mapped", "ignored", "unmapped")
SENDERS = 8
# One in five of the 300 messages of a running hospital: all of them translate in tests/adapters, here they are stored.
EVERY = 5
FHIR_JSON = "application/fhir+json"

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not on this machine")]

Receipts = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Province:
    """A gateway at work and its HTTP door."""

    gateway: Gateway
    http: httpx.AsyncClient

    async def post(self, client: str, path: str, body: bytes, media_type: str = FHIR_JSON) -> httpx.Response:
        token = self.gateway.tokens().development_token(client)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type}
        return await self.http.post(path, headers=headers, content=body)


@pytest.fixture
async def province(tmp_path: Path) -> AsyncIterator[Province]:
    """The database goes with its folder: to drop one that holds the corpus takes the embedded engine half a minute."""
    settings = Settings(name="quang-ninh", data=tmp_path, mongo_url=None)
    async with gateway(settings, "http://quang-ninh") as house, house.working(), _door(house) as http:
        yield Province(house, http)


def _door(house: Gateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(house.app()), base_url=house.base_url)


async def at_once(work: Callable[[Any], Awaitable[Any]], things: Sequence[Any]) -> list[Any]:
    """The results of the work on each thing, some of them under way at the same time."""
    places = asyncio.Semaphore(SENDERS)

    async def one(thing: Any) -> Any:
        async with places:
            return await work(thing)

    return list(await asyncio.gather(*(one(thing) for thing in things)))


async def settled(province: Province, hospital: str, media_type: str, named: Sequence[tuple[str, bytes]]) -> Receipts:
    """The final receipt of each message by its name."""

    async def send(message: tuple[str, bytes]) -> tuple[str, dict[str, Any]]:
        answer = await province.post(hospital, f"/ingest/{hospital}?wait=true", message[1], media_type)
        assert answer.status_code in (200, 422), f"{message[0]} is not settled: {answer.text}"
        return message[0], answer.json()

    return dict(await at_once(send, named))


async def faults(province: Province, receipts: Receipts) -> dict[str, list[str]]:
    """What is wrong with what became of the messages, by name; empty when all is well."""
    found = {name: [text async for text in _faults(province, receipt)] for name, receipt in receipts.items()}
    return {name: texts for name, texts in found.items() if texts}


async def _faults(province: Province, receipt: dict[str, Any]) -> AsyncIterator[str]:
    if receipt["state"] == "quarantined":
        for problem in receipt["problems"] or [{"where": "", "text": "", "code": ""}]:
            if not problem["where"] or not problem["text"] or problem["code"] == "exception":
                yield f"quarantined without place and reason: {problem}"
        return
    accounts = await province.gateway.reception.inbox.ledger(receipt["hospital"], receipt["receipt"])
    fates = Counter(account["fate"] for account in accounts)
    if receipt["ledger"] != {**{fate: fates[fate] for fate in FATES}, "fields": len(accounts)} or not accounts:
        yield f"the ledger does not add up: {receipt['ledger']}"
    versions = await province.gateway.store.currents(receipt["resources"])
    for reference in receipt["resources"]:
        if reference not in versions:
            yield f"{reference} is not there"
        else:
            for issue in validate(decode_resource(versions[reference].body)):
                yield f"{reference} is stored invalid: {issue.where}: {issue.text}"


def refused(receipts: Receipts) -> Receipts:
    return {name: row["problems"] for name, row in receipts.items() if row["state"] == "quarantined"}


def messages(files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """HL7 v2 messages by name; a file may hold many, parted by an empty line."""
    for file in files:
        parts = [part for part in re.split(rb"(?:\r\n|\n|\r){2,}(?=MSH)", file.read_bytes()) if part.strip()]
        yield from ((f"{file.name}[{n}]", part) for n, part in enumerate(parts) if len(parts) < EVERY or n % EVERY == 0)


def documents(files: Iterable[Path]) -> list[tuple[str, bytes]]:
    return [(file.name, file.read_bytes()) for file in files]


async def test_every_hl7_message_is_settled_and_what_it_made_is_valid(province):
    named = list(messages(sorted((CORPUS / "hl7v2").glob("*.hl7"))))
    receipts = await settled(province, "qn-general", "application/hl7-v2", named)

    assert len(receipts) == len(named) > 110
    assert await faults(province, receipts) == {}
    assert refused(receipts) == {}


async def test_every_national_file_is_settled_and_what_it_made_is_valid(province):
    named = documents(sorted((CORPUS / "vietnam").glob("samples-*/*.xml")))
    receipts = await settled(province, "bai-chay", "application/xml", named)

    assert len(receipts) == len(named) > 40
    assert await faults(province, receipts) == {}
    assert refused(receipts) == {}


async def test_every_clinical_document_is_settled_and_what_it_made_is_valid(province):
    named = documents(sorted((CORPUS / "cda").glob("*.xml")))
    receipts = await settled(province, "san-nhi", "application/hl7-cda+xml", named)

    assert len(receipts) == len(named) > 7
    assert await faults(province, receipts) == {}
    assert refused(receipts) == {}


async def test_a_message_cut_in_the_middle_is_settled_too(province):
    files = [min((CORPUS / "cda").glob("*.xml")), min((CORPUS / "vietnam").glob("samples-*/*.xml"))]
    named = [(f"{name} {n}/8", body[: len(body) * n // 8]) for name, body in documents(files) for n in (1, 4, 7)]
    receipts = await settled(province, "san-nhi", "application/xml", named)

    assert set(refused(receipts)) == {name for name, _ in named}
    assert await faults(province, receipts) == {}


def answer_fault(answer: httpx.Response) -> str:
    """Empty for a resource that is stored, or refused with an OperationOutcome that says where and why."""
    if answer.status_code >= 500:
        return f"{answer.status_code}: {answer.text[:300]}"
    if answer.status_code < 400 or answer.status_code == 403:
        return ""
    issues = [issue for issue in answer.json()["issue"] if issue["severity"] in ("error", "fatal")]
    placed = [issue for issue in issues if issue.get("expression") and issue.get("diagnostics")]
    return "" if placed and placed == issues else f"{answer.status_code} without a place: {issues or answer.text[:300]}"


async def test_every_official_example_is_stored_or_refused_with_its_place(province):
    async def post(document: tuple[str, bytes]) -> tuple[str, httpx.Response]:
        name, body = document
        resource = decode_resource(body)
        together = resource["resourceType"] == "Bundle" and resource["type"] in ("transaction", "batch")
        path = "/fhir" if together else f"/fhir/{resource['resourceType']}"
        return name, await province.post("admin", path, body)

    answers = dict(await at_once(post, documents(sorted((CORPUS / "fhir-r4").glob("*.json")))))

    assert {name: fault for name, answer in answers.items() if (fault := answer_fault(answer))} == {}
    assert {name.split("-")[0] for name, answer in answers.items() if answer.status_code == 403} == {"AuditEvent"}
    assert sum(answer.status_code == 201 for answer in answers.values()) > 440


async def test_synthea_patients_are_stored_with_their_hospitals(province):
    files = sorted(
        (CORPUS / "synthea").glob("*.json.bz2"), key=lambda f: (not f.name.startswith("0-"), f.stat().st_size)
    )
    for name, body in documents(files[:5]):
        answer = await province.post("admin", "/fhir", bz2.decompress(body))

        assert answer.status_code == 200, f"{name}: {answer.text[:500]}"
        assert {entry["response"]["status"][:3] for entry in answer.json()["entry"]} <= {"200", "201"}

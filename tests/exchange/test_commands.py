"""What one message asks of the database: each command costs it something before it does anything."""

from uuid import uuid4

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.monitoring import CommandListener

from bench.messages import KINDS
from fhir_gateway.app import adapters, now
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.directory import load
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox, State
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.worker import Settled, Translator
from fhir_gateway.security.audit import Act
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.store.mongo import MongoStore

pytestmark = pytest.mark.anyio
MOST = {"hl7v2-adt": 19, "hl7v2-oru": 22, "vn_xml": 40, "cda": 33}


class Counted(CommandListener):
    """The commands in their order."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event) -> None:
        self.names.append(f"{event.command_name} {event.command[event.command_name]}")

    def succeeded(self, event) -> None:
        """Of no interest."""

    def failed(self, event) -> None:
        """Of no interest."""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name in MOST], ids=lambda kind: kind.name)
async def test_a_message_costs_no_more_commands_than_it_should(embedded_url, tmp_path, kind):
    counted = Counted()
    client = AsyncIOMotorClient(embedded_url, tz_aware=True, w="majority", journal=True, event_listeners=[counted])
    store = MongoStore(client, f"test-{uuid4().hex}")
    await store.prepare()
    known = load("counted", None, None, tmp_path)
    house = House("counted", "http://counted/fhir", store, known, KeyRing(tmp_path / "keys", "counted"), now)
    letters = Inbox(store, 10**6)
    translator = Translator(house, letters, adapters(), Bell(), Settled())
    for number in (1, 2):
        counted.names.clear()
        event = house.event(Act("ingest", None))
        receipt, _ = await letters.receive(kind.hospital, kind.media_type, kind.make(number), now(), event)
        (job,) = await store.lease(inbox.TRANSLATE, "worker", 16, 60)
        assert await translator.do(job)
    names = list(counted.names)
    assert (await letters.receipt(kind.hospital, receipt.receipt)).state is State.STORED
    await store.close()
    assert len(names) <= MOST[kind.name], names

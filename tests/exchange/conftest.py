"""A gateway at rest on the real store, and a format of one line an element whose mapping a test may choose."""

import json

import pytest

from adapters.contract import Account, Fate, Translation
from fhir_gateway.app import adapters, now
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.directory import load
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.remapping import Remapping
from fhir_gateway.exchange.worker import Settled, Translator
from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller
from fhir_gateway.security.keys import KeyRing

ADMIN = Caller("test", "admin", "")


class Plain:
    """A format of one line an element, ``Type|key|element|JSON``, and a mapping that varies."""

    NAME = "hl7v2"
    MEDIA_TYPES = frozenset({"x/plain"})

    def __init__(self, folder, **rename):
        self.rename = rename
        code = folder / hex(hash(json.dumps(rename)))
        code.mkdir(exist_ok=True)
        (code / "mapping.json").write_text(json.dumps(rename))
        self.__path__ = [str(code)]

    def recognises(self, body):
        return True

    def translate(self, message):
        entries = {}
        ledger = []
        for number, line in enumerate(message.body.decode().splitlines(), 1):
            kind, key, name, value = line.split("|")
            name = self.rename.get(f"{kind}.{name}", self.rename.get(name, name))
            if name is None:
                ledger.append(Account(f"L{number}", Fate.UNMAPPED))
                continue
            resource = entries.setdefault(key, {"resourceType": kind, "id": key})
            resource[name] = json.loads(value)
            ledger.append(Account(f"L{number}", Fate.MAPPED, (f"{kind}/{key}#{name}",)))
        rows = [
            {
                "fullUrl": f"urn:uuid:{key}",
                "resource": resource,
                "request": {"method": "PUT", "url": f"{resource['resourceType']}/{key}"},
            }
            for key, resource in entries.items()
        ]
        return Translation({"resourceType": "Bundle", "type": "transaction", "entry": rows}, tuple(ledger))


class Desk:
    """A gateway at rest: messages are filed one by one, by the mapping at hand."""

    def __init__(self, store, folder):
        directory = load("rest", None, None, folder)
        self.house = House("rest", "http://rest/fhir", store, directory, KeyRing(folder / "keys", "rest"), now)
        self.folder = folder
        self.letters = Inbox(store, 10_000_000)
        self.adapters = adapters()

    def under(self, **rename):
        """From now on messages are of the plain format, with these elements renamed or (None) left out."""
        self.adapters = {"hl7v2": Plain(self.folder, **rename)}

    async def file(self, hospital, body, media_type=""):
        event = self.house.event(Act("ingest", None))
        receipt, _ = await self.letters.receive(hospital, media_type, body, now(), event)
        (job,) = await self.house.store.lease(inbox.TRANSLATE, "test", 1, 60)
        await Translator(self.house, self.letters, self.adapters, Bell(), Settled()).do(job)
        return await self.letters.receipt(hospital, receipt.receipt)

    async def remap(self, receipt, thorough=True):
        receipt = await self.letters.receipt(receipt.hospital, receipt.receipt)
        remapped = await Remapping(self.house, self.letters, self.adapters, ADMIN, thorough).of(receipt)
        if remapped.commit is not None:
            await self.house.store.commit(remapped.commit)
        return remapped

    async def resource(self, reference):
        version = await self.house.store.current(reference)
        return None if version.deleted else decode_resource(version.body)


@pytest.fixture
def desk(store, tmp_path):
    return Desk(store, tmp_path)

"""A gateway that is killed at each moment of one message.

Run as ``killed_at.py URL DATABASE FOLDER FILE``; prints how many moments there were, and which of them came after the
acknowledgement.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from mortal import Death, moments

from adapters.contract import Message
from fhir_gateway.app import adapters, now
from fhir_gateway.exchange import inbox
from fhir_gateway.exchange.directory import load
from fhir_gateway.exchange.house import House
from fhir_gateway.exchange.inbox import Inbox
from fhir_gateway.exchange.lanes import Bell
from fhir_gateway.exchange.translation import translate
from fhir_gateway.exchange.worker import Settled, Translator
from fhir_gateway.security.audit import Act
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.store.mongo import MongoStore

# Control id, patient, citizen number, insurance card, stay.
OWN = (
    (b"QN-000001", b"KC-%05d"),
    (b"QN0001", b"KP%05d"),
    (b"022861009001", b"0228%08d"),
    (b"GD4229999900001", b"GD42299%08d"),
    (b"VN2026-0001", b"VN26-%05d"),
)
HOSPITAL, HL7 = "qn-general", "application/hl7-v2"


@dataclass
class Life:
    """One gateway: what it works with, and the pipe on which it says what it has acknowledged."""

    url: str
    database: str
    folder: Path
    pipe: int = 1

    async def open(self) -> MongoStore:
        return await MongoStore.open(self.url, self.database)

    def house(self, store: MongoStore) -> House:
        known = load("mortal", None, None, self.folder / "partners")
        return House("mortal", "http://mortal/fhir", store, known, KeyRing(self.folder / "keys", "mortal"), now)


def queue_of(moment: int) -> str:
    """A lane of its own: the database keeps the open transaction of a killed client for a minute."""
    return f"translate-{moment}"


def body_of(text: bytes, moment: int) -> bytes:
    """A message about a patient of its own."""
    for known, own in OWN:
        text = text.replace(known, own % moment)
    return text


async def received(life: Life, store: MongoStore, body: bytes) -> bool:
    """Hand the message in; whether it was here before."""
    house = life.house(store)
    event = house.event(Act("ingest", None))
    _, repeated = await Inbox(store, 10**6).receive(HOSPITAL, HL7, body, now(), event)
    return repeated


async def settled(life: Life, store: MongoStore) -> None:
    """Do what is owed until nothing is."""
    translator = Translator(life.house(store), Inbox(store, 10**6), adapters(), Bell(), Settled())
    while jobs := await store.lease(inbox.TRANSLATE, "worker", 16, 60):
        for job in jobs:
            await translator.do(job)


def warm(life: Life, text: bytes) -> None:
    """Definitions are read once here, not by each fork."""
    hospital = load("mortal", None, None, life.folder / "partners").hospital(HOSPITAL)
    translate(adapters(), Message(hospital, HL7, text, now()))


def main() -> None:
    url, database, folder, file = sys.argv[1:]
    life, text = Life(url, database, Path(folder)), Path(file).read_bytes()
    warm(life, text)

    async def live(death: Death, moment: int) -> None:
        inbox.TRANSLATE = queue_of(moment)
        store = await life.open()
        death.armed = True
        await received(life, store, body_of(text, moment))
        os.write(life.pipe, b"%d\n" % moment)
        await settled(life, store)
        death.armed = False

    print(f"moments {moments(live)}")


if __name__ == "__main__":
    main()

"""More than a thousand damaged national files: none crashes, none vanishes, none becomes FHIR that is not valid."""

import random
import re
import tomllib
from base64 import b64decode, b64encode
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters import vn_record, vn_xml
from adapters.contract import Hospital, Message
from fhir_gateway.exchange.translation import translate

ROOT = Path(__file__).parents[3]
SOURCES = sorted(
    path for path in (ROOT / "fixtures").glob("vn_*/*/message.*") if not path.parent.name.startswith("bad-")
)
EACH = 100
ODD = (
    "", " ", "0", "-1", "99999999", "202613459999", "197000000000", "1e9", "NaN", "Infinity", "5,4", "1.234,5", "<0,3",
    "a;b;;c", ";" * 50, "\u202e\u0000", "A\u0323", "NguyÔn V¨n A", "x" * 5000, "<b>", "&amp;", "B20", "1.9",
    "DN4220000000001;TE1220000000002", "GPHN(1);X.HD.22T01", "CSST<M75_T37_HA120/70>", "CSST<M_T>", "Âm tính",
)  # fmt: skip


@pytest.fixture(scope="session")
def demo_hospital() -> Hospital:
    folder = ROOT / "adapters" / "hospitals"
    defaults, own = (tomllib.loads((folder / f"{name}.toml").read_text()) for name in ("defaults", "bai-chay"))
    systems = {**defaults["systems"], **own["systems"]}
    return Hospital(own["name"], own["title"], own["facility_code"], ("vn_xml", "vn_record"), systems=systems)


def cut(body: bytes, dice: random.Random) -> bytes:
    return body[: dice.randrange(len(body))]


def flip(body: bytes, dice: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(dice.randint(1, 8)):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def drop(body: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(body))
    return body[:start] + body[start + dice.randint(1, 200) :]


def repeat(body: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(body))
    part = body[start : start + dice.randint(1, 400)]
    return body[:start] + part + body[start:]


def inside(body: bytes, dice: random.Random) -> bytes:
    """Damage within an inner file, which stays base64."""
    found = list(re.finditer(rb"<NOIDUNGFILE>([A-Za-z0-9+/=\s]+)</NOIDUNGFILE>", body))
    if not found:
        return values(body, dice)
    one = dice.choice(found)
    inner = b64decode(one.group(1))
    how = dice.choice((values, values, values, elements, elements, flip, drop, repeat, cut))
    return body[: one.start(1)] + b64encode(how(inner, dice)) + body[one.end(1) :]


def values(body: bytes, dice: random.Random) -> bytes:
    """Other texts in some elements, or in some members of a JSON object."""
    pattern = rb'(": ")[^"\n]*(")' if body.lstrip().startswith(b"{") else rb"(>)[^<>]+(<)"

    def other(match: re.Match[bytes]) -> bytes:
        if dice.random() > 0.15:
            return match.group()
        text = dice.choice(ODD).replace("\x00", "").replace("<", "&lt;").replace('"', "'")
        return match.group(1) + text.encode() + match.group(2)

    return re.sub(pattern, other, body)


def elements(body: bytes, dice: random.Random) -> bytes:
    """Some elements gone, doubled or renamed."""

    def other(match: re.Match[bytes]) -> bytes:
        chance = dice.random()
        if chance < 0.05:
            return b""
        if chance < 0.1:
            return match.group() * 2
        return match.group().replace(match.group(1), b"LA_LUNG") if chance < 0.15 else match.group()

    return re.sub(rb"<(\w+)>[^<>]*</\1>", other, body)


DAMAGES = (cut, flip, drop, repeat, inside, inside, inside, values, elements)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
def test_a_damaged_file_is_translated_to_valid_fhir_or_refused_with_its_place(source, demo_hospital):
    dice = random.Random(str(source.relative_to(ROOT)))
    adapters = {"vn_xml": vn_xml, "vn_record": vn_record}
    body, fates = source.read_bytes(), Counter()
    for _ in range(EACH):
        damaged = dice.choice(DAMAGES)(body, dice)
        found = translate(adapters, Message(demo_hospital, "application/xml", damaged, datetime.now(UTC)))
        fates["refused" if found.faults else "translated"] += 1
        assert all(fault.text and "TRẦN" not in fault.text for fault in found.faults)
        # What the adapter itself does not refuse passes the gate.
        assert found.translation is None or [fault.where for fault in found.faults] in ([], ["Bundle.entry"])
        assert found.faults or (found.counts["fields"] and found.translation.bundle["entry"])
    assert fates.total() == EACH
    assert fates["refused"]


def test_there_are_more_than_a_thousand():
    assert len(SOURCES) * EACH >= 1000

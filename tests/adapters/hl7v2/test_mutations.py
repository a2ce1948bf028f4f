"""Messages damaged in a thousand ways: none crashes, none vanishes without a place, none becomes invalid FHIR.

What is damaged are our fixtures and, where FHIR_GATEWAY_CORPUS names them, the public messages; the damage is drawn
from a seed, so a failure can be met again by its number.
"""

import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from damage import judged

from adapters.contract import Fate, Resource, Translation
from adapters.settle import leads
from fhir_gateway.fhir import validation

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS", ROOT.parent / "shared" / "corpus")) / "hl7v2"
OWN = [path.read_bytes() for path in sorted((ROOT / "fixtures" / "hl7v2").glob("*/message.hl7"))]
PUBLIC = [re.split(rb"\r\n\r\n|\n\n", path.read_bytes())[0] for path in sorted(CORPUS.glob("*.hl7"))]
MESSAGES = OWN + PUBLIC
SEEDS = range(1200)
GARBAGE = [
    b"20269945",
    b"\xff\xfe",
    b"^^^^^",
    b"&&&",
    b"~~~~",
    b'""',
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"\x00\x01",
]
GARBAGE += [b"A" * 70_000, b"\\X4\\", b"\\C2842", b"0", "Đỗ".encode(), b"<script>", b"\\.sp99\\", b"00000000", b"NaN"]
GARBAGE += [
    b"20260230250000",
    b"#",
    b"1,234,567",
    b"&#x0;",
    b" ",
    b"19000000000000.9999+9999",
    b"^^^^^^^^^^^^^^^^^^^^^1",
]

Damage = Callable[[random.Random, list[bytes]], list[bytes]]


def cut_off(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    body = b"\r".join(lines)
    return [body[: chance.randrange(len(body) + 1)]]


def without_a_segment(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    gone = chance.randrange(len(lines))
    return lines[:gone] + lines[gone + 1 :]


def with_a_segment_twice(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    again = chance.randrange(len(lines))
    return lines[: again + 1] + lines[again:]


def in_another_order(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    rest = lines[1:]
    chance.shuffle(rest)
    return [lines[0], *rest]


def with_garbage_in_fields(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    changed = list(lines)
    for _ in range(chance.randrange(1, 6)):
        row = chance.randrange(len(changed))
        fields = changed[row].split(b"|")
        fields[chance.randrange(1, len(fields) + 1) - 1 or -1] = chance.choice(GARBAGE)
        changed[row] = b"|".join(fields)
    return changed


def with_fields_moved(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    row = chance.randrange(1, len(lines)) if len(lines) > 1 else 0
    return [line.replace(b"|", b"||", 1) if place == row else line for place, line in enumerate(lines)]


def with_other_signs(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    old, new = chance.choice([(b"|", b"#"), (b"^", b"*"), (b"~", b"|"), (b"&", b"^"), (b"\\", b"")])
    return [line.replace(old, new) for line in lines]


def with_bytes_changed(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    body = bytearray(b"\r".join(lines))
    for _ in range(chance.randrange(1, 20) if body else 0):
        body[chance.randrange(len(body))] = chance.randrange(256)
    return [bytes(body)]


def in_another_encoding(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    text = b"\r".join(lines).decode("utf-8", "replace")
    return [text.encode(chance.choice(["utf-16", "cp1252", "utf-7", "latin-1", "cp1258"]), "replace")]


def of_another_event(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    fields = lines[0].split(b"|")
    if len(fields) > 8:
        fields[8] = chance.choice([b"ADT^A40", b"ADT^A37", b"REF^I12", b"SIU^S12", b"VXU^V04", b"MDM^T11", b"XXX^Y99"])
    return [b"|".join(fields), *lines[1:]]


def joined_with_another(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    return lines + [line for line in re.split(rb"[\r\n]+", chance.choice(MESSAGES)) if line][1:]


DAMAGES: list[Damage] = [
    cut_off,
    without_a_segment,
    with_a_segment_twice,
    in_another_order,
    with_garbage_in_fields,
    with_fields_moved,
    with_other_signs,
    with_bytes_changed,
    in_another_encoding,
    of_another_event,
    joined_with_another,
]


def damaged(seed: int) -> bytes:
    chance = random.Random(seed)
    lines = [line for line in re.split(rb"[\r\n]+", chance.choice(MESSAGES)) if line]
    for damage in chance.choices(DAMAGES, k=chance.choice([1, 1, 2, 3])):
        lines = damage(chance, lines) or [b""]
    return b"\r".join(lines) + chance.choice([b"\r", b"\n", b"\r\n", b""])


def faults(translation: Translation) -> list[str]:
    entries = translation.bundle.get("entry", [])
    found = [f"{issue.where}: {issue.text}" for issue in validation.validate(translation.bundle)] if entries else []
    places = [account.place for account in translation.ledger]
    found += ["a place twice"] if len(places) != len(set(places)) else []
    found += ["mapped to nothing"] if any(a.fate is Fate.MAPPED and not a.targets for a in translation.ledger) else []
    made = {f"{e['resource']['resourceType']}/{e['resource']['id']}": e["resource"] for e in entries}
    targets = ((a.place, *target.split("#", 1)) for a in translation.ledger for target in a.targets)
    return [*found, *(f"{p}: no {path} in {record}" for p, record, path in targets if not stands(made, record, path))]


def stands(made: dict[str, Resource], record: str, path: str) -> bool:
    """What the ledger claims is there."""
    return leads(made.get(record), path.split(".") if path else [])


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_message_is_refused_with_its_place_or_becomes_valid_fhir(
    translate: Callable[[bytes], Translation], part: int
) -> None:
    seen, wrong = judged(SEEDS[part::4], damaged, translate, faults)

    assert wrong == {}
    assert seen["translated"] > seen["refused"] / 2

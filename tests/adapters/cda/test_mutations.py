"""Documents damaged in a thousand ways: none crashes, none vanishes without a place, none becomes invalid FHIR.

What is damaged are our fixtures and, where FHIR_GATEWAY_CORPUS names them, the published samples; the damage is drawn
from a seed, so a failure can be met again by its number. `MUTANTS=all` walks every seed, else one in three.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from damage import judged
from lxml import etree

from adapters.contract import Fate, Translation
from adapters.settle import leads
from fhir_gateway.fhir import validation

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS", ROOT.parent / "shared" / "corpus")) / "cda"
OWN = [path.read_bytes() for path in sorted((ROOT / "fixtures" / "cda").glob("[!b]*/message.xml"))]
PUBLIC = [path.read_bytes() for path in sorted(CORPUS.glob("*.xml")) if path.stat().st_size < 200_000]
DOCUMENTS = OWN * 2 + PUBLIC
SEEDS = range(1500)
CHOSEN = SEEDS if os.environ.get("MUTANTS") == "all" else SEEDS[::3]
HL7 = "{urn:hl7-org:v3}"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
GARBAGE = [
    "",
    " ",
    "20261340",
    "2026023025",
    "99999999",
    "0000",
    "-1",
    "1e999",
    "NaN",
    "7,20",
    "<0,3",
    "9" * 60,
    "x" * 5000,
]
GARBAGE += [
    "\u0323",
    "Đỗ",
    "javascript:alert(1)",
    "#",
    "#nowhere",
    "urn:uuid:",
    "&<>\"'",
    "true",
    "TID",
    "vi_VN",
    "\ufffd",
]
TYPES = ["PQ", "CD", "ST", "IVL_TS", "PIVL_TS", "EIVL_TS", "TS", "INT", "BL", "RTO", "ED", "IVL_PQ", "REAL", "XX", "MO"]
NAMES = [
    "value",
    "id",
    "low",
    "high",
    "text",
    "observation",
    "act",
    "code",
    "period",
    "event",
    "author",
    "entryRelationship",
]
NAMES += [
    "participant",
    "performer",
    "effectiveTime",
    "doseQuantity",
    "reference",
    "translation",
    "organizer",
    "supply",
]

Damage = Callable[[random.Random, etree._Element], None]


def any_below(chance: random.Random, root: etree._Element) -> etree._Element:
    elements = [element for element in root.iter(etree.Element) if element is not root]
    return chance.choice(elements) if elements else root


def without_an_element(chance: random.Random, root: etree._Element) -> None:
    element = any_below(chance, root)
    if element.getparent() is not None:
        element.getparent().remove(element)


def with_an_element_twice(chance: random.Random, root: etree._Element) -> None:
    element = any_below(chance, root)
    if element is not root:
        element.addnext(etree.fromstring(etree.tostring(element, with_tail=False)))


def with_a_part_elsewhere(chance: random.Random, root: etree._Element) -> None:
    part = etree.fromstring(etree.tostring(any_below(chance, root), with_tail=False))
    any_below(chance, root).append(part)


def with_garbage_in_an_attribute(chance: random.Random, root: etree._Element) -> None:
    element = any_below(chance, root)
    names = sorted(element.attrib) or ["value"]
    element.set(chance.choice(names), chance.choice(GARBAGE))


def with_garbage_as_text(chance: random.Random, root: etree._Element) -> None:
    any_below(chance, root).text = chance.choice(GARBAGE)


def with_garbage_times(chance: random.Random, root: etree._Element) -> None:
    for element in root.iter(f"{HL7}low", f"{HL7}high", f"{HL7}time", f"{HL7}effectiveTime", f"{HL7}birthTime"):
        if chance.random() < 0.3:
            element.set("value", chance.choice(GARBAGE))


def without_ids(chance: random.Random, root: etree._Element) -> None:
    for element in list(root.iter(f"{HL7}id")):
        if chance.random() < 0.5 and element.getparent() is not None:
            element.getparent().remove(element)


def with_one_id_everywhere(chance: random.Random, root: etree._Element) -> None:
    for element in root.iter(f"{HL7}id"):
        element.set("root", "1.2.3")
        element.set("extension", chance.choice(["1", "2"]))


def with_other_types(chance: random.Random, root: etree._Element) -> None:
    for element in root.iter(f"{HL7}value", f"{HL7}effectiveTime"):
        if chance.random() < 0.4:
            element.set(TYPE, chance.choice(TYPES))


def with_null_flavors(chance: random.Random, root: etree._Element) -> None:
    for _ in range(chance.randrange(1, 12)):
        element = any_below(chance, root)
        if element is not root:
            element.attrib.clear()
            element.set("nullFlavor", chance.choice(["NI", "UNK", "OTH", "NA", "ASKU", "XX", "PINF", "NP", "TRC"]))


def with_another_name(chance: random.Random, root: etree._Element) -> None:
    element = any_below(chance, root)
    if element is not root:
        element.tag = HL7 + chance.choice(NAMES)


def in_another_mood(chance: random.Random, root: etree._Element) -> None:
    for element in [one for one in root.iter(etree.Element) if one.get("moodCode")]:
        if chance.random() < 0.4:
            element.set("moodCode", chance.choice(["EVN", "INT", "RQO", "GOL", "PRP", "APT", "XX"]))


def with_negations(chance: random.Random, root: etree._Element) -> None:
    for element in [one for one in root.iter(etree.Element) if one.get("moodCode")]:
        if chance.random() < 0.4:
            element.set("negationInd", chance.choice(["true", "false", "maybe"]))


def without_templates(chance: random.Random, root: etree._Element) -> None:
    for element in list(root.iter(f"{HL7}templateId")):
        if chance.random() < 0.6 and element.getparent() is not None:
            element.getparent().remove(element)


DAMAGES: list[Damage] = [
    without_an_element,
    with_an_element_twice,
    with_a_part_elsewhere,
    with_garbage_in_an_attribute,
    with_garbage_as_text,
    with_garbage_times,
    without_ids,
    with_one_id_everywhere,
    with_other_types,
    with_null_flavors,
    with_another_name,
    in_another_mood,
    with_negations,
    without_templates,
]


def damaged(seed: int) -> bytes:
    chance = random.Random(seed)
    root = etree.fromstring(chance.choice(DOCUMENTS))
    for damage in chance.choices(DAMAGES, k=chance.randrange(1, 6)):
        damage(chance, root)
    body = etree.tostring(root, encoding="utf-8")
    return body[: chance.randrange(len(body))] if chance.random() < 0.02 else body


def faults(translation: Translation) -> list[str]:
    found = [f"{issue.where}: {issue.text}" for issue in validation.validate(translation.bundle)]
    places = [account.place for account in translation.ledger]
    found += ["a place twice"] if len(places) != len(set(places)) else []
    found += ["mapped to nothing"] if any(a.fate is Fate.MAPPED and not a.targets for a in translation.ledger) else []
    entries = translation.bundle["entry"]
    made = {f"{e['resource']['resourceType']}/{e['resource']['id']}": e["resource"] for e in entries}
    targets = [target.split("#", 1) for account in translation.ledger for target in account.targets]
    gone = {
        f"{record}#{path}" for record, path in targets if not leads(made.get(record), path.split(".") if path else [])
    }
    return [*found, *(f"{target}: in the ledger but not in the Bundle" for target in sorted(gone))]


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_document_is_refused_with_its_place_or_becomes_valid_fhir(
    translate: Callable[[bytes], Translation], part: int
) -> None:
    seen, wrong = judged(CHOSEN[part::4], damaged, translate, faults)

    assert wrong == {}
    assert seen["translated"] > seen["refused"]

"""Every source field is in the ledger exactly once, and what it says was mapped is really there."""

import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.contract import Fate, Untranslatable

CASES = (
    "mother-discharge",
    "newborn-birth-record",
    "consultation-note",
    "unstructured",
    "nullflavors",
    "unknown-template",
    "care-summary",
)
HL7 = "{urn:hl7-org:v3}"


def field_count(body: bytes) -> int:
    """Counted without the adapter: attributes, own texts, and one field a section text."""
    parser = etree.XMLParser(remove_comments=True, remove_pis=True)
    total = 0
    stack = [etree.fromstring(body, parser)]
    while stack:
        element = stack.pop()
        total += sum(1 for value in element.attrib.values() if value.strip())
        parent = element.getparent()
        if element.tag == f"{HL7}text" and parent is not None and parent.tag == f"{HL7}section":
            total += bool("".join(element.itertext()).strip())
            continue
        total += bool("".join([element.text or "", *(child.tail or "" for child in element)]).strip())
        stack.extend(element)
    return total


def resolve(resource: dict, path: str) -> bool:
    """Whether a simple FHIRPath leads to something, or to the extension that stands for it."""
    at: object = resource
    for step in path.split("."):
        name, _, index = step.partition("[")
        if not isinstance(at, dict) or not (name in at or f"_{name}" in at):
            return False
        at = at.get(name, at.get(f"_{name}")) if name in at else at[f"_{name}"]
        if index:
            number = int(index.rstrip("]"))
            if not isinstance(at, list) or number >= len(at):
                return False
            at = at[number]
    return True


def unresolved(translation) -> list[str]:
    resources = {
        f"{e['resource']['resourceType']}/{e['resource']['id']}": e["resource"] for e in translation.bundle["entry"]
    }
    missing = []
    for account in translation.ledger:
        for target in account.targets:
            owner, _, path = target.partition("#")
            if owner not in resources or (path and not resolve(resources[owner], path)):
                missing.append(f"{account.place} -> {owner.partition('/')[0]}#{path}")
    return missing


@pytest.mark.parametrize("name", CASES)
def test_the_ledger_counts_every_field_of_the_message_once(name, fixtures, case):
    ledger = case(name).ledger

    assert len(ledger) == field_count((fixtures / name / "message.xml").read_bytes())
    assert max(Counter(account.place for account in ledger).values()) == 1


@pytest.mark.parametrize("name", CASES)
def test_every_mapped_field_is_found_where_the_ledger_says(name, case):
    assert unresolved(case(name)) == []


def test_every_mapped_field_of_the_corpus_is_found_where_the_ledger_says(corpus, translate):
    missing = [line for file in corpus for line in unresolved(translate(file.read_bytes()))]

    assert missing == []


def test_every_fate_says_what_it_must(case):
    for name in CASES:
        for account in case(name).ledger:
            assert (account.fate is Fate.MAPPED) == bool(account.targets)
            assert (account.fate is Fate.IGNORED) == bool(account.reason)


def test_the_discharge_of_the_mother_leaves_nothing_unmapped(case):
    assert [a.place for a in case("mother-discharge").ledger if a.fate is Fate.UNMAPPED] == []


def test_a_place_is_an_xpath_that_leads_to_the_field(fixtures, case):
    root = etree.parse(fixtures / "mother-discharge" / "message.xml")
    prefixes = {"c": "urn:hl7-org:v3", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
    for account in case("mother-discharge").ledger:
        path = re.sub(r"/(?!@)([A-Za-z])", r"/c:\1", account.place)
        assert len(root.xpath(path, namespaces=prefixes)) == 1


def test_the_ledger_of_an_unknown_element_shows_its_fields_as_unmapped(document, translate):
    translation = translate(document(header='<invented code="x"><deep>y</deep></invented>'))

    fates = {account.place: account.fate for account in translation.ledger}
    assert fates["/ClinicalDocument/invented/@code"] is Fate.UNMAPPED
    assert fates["/ClinicalDocument/invented/deep"] is Fate.UNMAPPED


def test_elements_of_other_namespaces_keep_places_of_their_own(document, translate):
    header = '<title xmlns="urn:x">a</title><x:title xmlns:x="urn:y">b</x:title>'
    places = [account.place for account in translate(document(header=header)).ledger]

    assert {"/ClinicalDocument/Q{urn:x}title", "/ClinicalDocument/Q{urn:y}title"} <= set(places)


@st.composite
def damage(draw) -> list[tuple[str, int, str]]:
    kinds = st.sampled_from(["drop", "drop-attribute", "set-attribute", "set-text", "insert", "double", "null"])
    words = st.sampled_from(
        ["", " ", "x", "20261340", "7,20", "<0,3", "-1", "true", "urn:x", "Ạ\u0323", "9" * 40, "a b"]
    )
    return draw(st.lists(st.tuples(kinds, st.integers(0, 10_000), words), min_size=1, max_size=6))


def damaged(body: bytes, steps: list[tuple[str, int, str]]) -> bytes:
    root = etree.fromstring(body)
    for kind, number, word in steps:
        elements = [element for element in root.iter(etree.Element) if element is not root]
        if not elements:
            break
        element = elements[number % len(elements)]
        if kind == "drop":
            element.getparent().remove(element)
        elif kind == "set-text":
            element.text = word
        elif kind == "insert":
            element.append(
                etree.Element(f"{HL7}{('value', 'id', 'low', 'text', 'observation')[number % 5]}", code=word)
            )
        elif kind == "double":
            element.addnext(etree.fromstring(etree.tostring(element, with_tail=False)))
        elif kind == "null":
            element.attrib.clear()
            element.set("nullFlavor", "NI")
        elif element.attrib:
            name = sorted(element.attrib)[number % len(element.attrib)]
            if kind == "drop-attribute":
                del element.attrib[name]
            else:
                element.set(name, word)
    return etree.tostring(root, encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=damage())
def test_a_damaged_document_is_refused_or_fully_accounted_for(name, fixtures, translate, r4_problems, steps):
    body = damaged((fixtures / name / "message.xml").read_bytes(), steps)
    try:
        translation = translate(body)
    except Untranslatable:
        return

    assert len(translation.ledger) == field_count(body)
    assert len({account.place for account in translation.ledger}) == len(translation.ledger)
    assert unresolved(translation) == []
    assert r4_problems(translation) == []
    assert all(unicodedata.is_normalized("NFC", notice.text) for notice in translation.notices)

"""Public messages of sixty kinds and 300 of a running hospital: each is translated or refused with its place.

The folder is not part of the project; FHIR_GATEWAY_CORPUS names it.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from bundles import links

from adapters.contract import Fate, Resource, Translation, Untranslatable
from fhir_gateway.fhir.validation import validate

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("FHIR_GATEWAY_CORPUS", ROOT.parent / "shared" / "corpus")) / "hl7v2"
FIXTURES = [path.read_bytes() for path in sorted((ROOT / "fixtures" / "hl7v2").glob("*/message.hl7"))]

needs_corpus = pytest.mark.skipif(not FOLDER.is_dir(), reason="the corpus is not on this machine")
Translate = Callable[[bytes], Translation]


def corpus() -> Iterator[tuple[str, bytes]]:
    for path in sorted(FOLDER.glob("*.hl7")):
        parts = re.split(rb"(?:\r\n|\n|\r){2,}(?=MSH)|\r\n\r\n|\r\n(?=\r?\nMSH)", path.read_bytes())
        yield from ((path.name, part) for part in parts if part.strip())


def translated(translate: Translate, body: bytes) -> Translation | None:
    try:
        return translate(body)
    except Untranslatable as refused:
        return None if refused.where and refused.reason else pytest.fail("a refusal without a place")


@cache
def model(resource_type: str) -> type:
    kind: type = getattr(import_module(f"fhir.resources.R4B.{resource_type.lower()}"), resource_type)
    return kind


def check_whole(translation: Translation) -> None:
    """The ledger adds up, no link dangles, every resource is R4 for the gate and for the models."""
    entries = translation.bundle["entry"]
    urls = [entry["fullUrl"] for entry in entries]
    assert len(urls) == len(set(urls))
    assert set(links(translation.bundle)) <= set(urls)
    fates = Counter(account.fate for account in translation.ledger)
    assert sum(fates[fate] for fate in Fate) == len({account.place for account in translation.ledger})
    for entry in entries:
        resource: Resource = entry["resource"]
        assert validate(resource) == ()
        model(resource["resourceType"]).model_validate(resource)  # type: ignore[attr-defined]
    made = {f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in entries}
    targets = {target.split("#")[0] for account in translation.ledger for target in account.targets}
    assert targets <= made


def leaves(body: bytes) -> int:
    """The non-empty fields, counted without the adapter: standard signs only."""
    text = body.decode().strip("\x0b\x1c\r\n")
    count = 2
    for line in re.split(r"[\r\n]+", text):
        content = line[9:] if line.startswith("MSH") else line[4:]
        count += sum(1 for leaf in re.split(r"[|~^&]", content) if leaf.strip())
    return count


@needs_corpus
def test_every_message_of_the_corpus_is_translated_or_refused_with_its_place(translate: Translate) -> None:
    results = [(name, translated(translate, body)) for name, body in corpus()]

    assert len(results) > 350
    refused = [name for name, result in results if result is None]
    assert refused == []


@needs_corpus
def test_what_the_corpus_becomes_is_whole_and_valid(translate: Translate) -> None:
    seen: Counter[str] = Counter()
    for name, body in corpus():
        seen[name] += 1
        if seen[name] > 60:
            continue
        translation = translate(body)
        check_whole(translation)
        assert len(translation.ledger) == leaves(body.removeprefix(b"\xef\xbb\xbf")), name


@needs_corpus
def test_every_cut_of_a_message_is_translated_or_refused(translate: Translate) -> None:
    body = (FOLDER / "ORU-R01-01.hl7").read_bytes()
    for end in range(0, len(body), 97):
        translated(translate, body[:end])


@pytest.mark.parametrize("body", FIXTURES)
def test_fixtures_are_whole_and_valid(translate: Translate, body: bytes) -> None:
    translation = translated(translate, body)
    if translation:
        check_whole(translation)


@pytest.mark.parametrize("body", FIXTURES)
def test_the_same_bytes_give_the_same_bundle_and_ledger(translate: Translate, body: bytes) -> None:
    assert translated(translate, body) == translated(translate, body)

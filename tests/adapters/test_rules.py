"""Which function maps what; and that a mapping which is taken away leaves its fields in the ledger as unmapped."""

import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from senders import HOSPITALS

from adapters.contract import Fate, Locating, Message, Untranslatable
from adapters.hl7v2 import read
from adapters.rules import CARRIERS, watched
from adapters.tally import Tally
from adapters.vn_xml.fields import FIELDS, REASONS, Field
from fhir_gateway.app import adapters, directory
from fhir_gateway.settings import Settings

FIXTURES = Path(__file__).parents[2] / "fixtures"
ADAPTERS = adapters()
TAKE, IGNORE = Tally.take, Tally.ignore


@cache
def good():
    """(adapter, message, translation, rules) of every fixture that can be translated."""
    known = directory(Settings()).hospitals
    found = []
    for name, hospital in HOSPITALS.items():
        for file in sorted((FIXTURES / name).glob("*/message.*")):
            message = Message(known[hospital], "", file.read_bytes(), datetime(2026, 11, 23, tzinfo=UTC))
            try:
                translation, rules = watched(ADAPTERS[name], message)
            except Untranslatable:
                continue
            found.append((name, message, translation, rules))
    return found


def test_every_mapped_field_of_every_fixture_has_its_rule():
    for name, _, translation, rules in good():
        pairs = {(account.place, target) for account in translation.ledger for target in account.targets}
        assert pairs <= rules.keys()
        assert all(rules[pair].startswith(f"{name}.") for pair in pairs)


def test_watching_changes_nothing():
    for name, message, translation, _ in good():
        assert ADAPTERS[name].translate(message) == translation


def test_every_field_of_every_fixture_is_found_among_the_bytes():
    for name, message, translation, _ in good():
        adapter = ADAPTERS[name]
        assert isinstance(adapter, Locating)
        spans = adapter.spans(message.body, {account.place: account.offset for account in translation.ledger})
        assert {account.place for account in translation.ledger} == set(spans)
        for account in translation.ledger:
            assert account.offset in (None, spans[account.place].offset)


def site(frame):
    """The line of a mapping that takes a field: the first one outside of what carries fields about."""
    while Path(frame.f_code.co_filename).stem in CARRIERS:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


@cache
def sites():
    """Every line of a mapping that alone takes a field of some fixture to some place: (line, fixture)."""
    found = {}
    for number, (name, message, _, _) in enumerate(good()):
        with pytest.MonkeyPatch.context() as patch:

            def take(self, place, target, number=number):
                found.setdefault((number, place, target), set()).add(site(sys._getframe(1)))
                TAKE(self, place, target)

            patch.setattr(Tally, "take", take)
            ADAPTERS[name].translate(message)
    alone = {next(iter(lines)): number for (number, _, _), lines in found.items() if len(lines) == 1}
    return sorted(alone.items())


def without(line):
    """The ledger's hand when one line of the mapping is gone."""

    def take(self, place, target):
        if site(sys._getframe(1)) != line:
            TAKE(self, place, target)

    return take


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_one_mapping_that_is_deleted_shows_in_the_ledger(data):
    line, number = data.draw(st.sampled_from(sites()))
    name, message, before, _ = good()[number]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tally, "take", without(line))
        after = ADAPTERS[name].translate(message)
    was = {account.place: account for account in before.ledger}
    now = {account.place: account for account in after.ledger}
    assert now.keys() == was.keys()
    changed = [place for place in was if now[place] != was[place]]
    assert changed
    for place in changed:
        # Some formats put what no mapping took into the narrative: then it is mapped, but no longer there.
        assert set(was[place].targets) - set(now[place].targets)
        assert now[place].targets or now[place].fate in (Fate.UNMAPPED, Fate.IGNORED)
    counts = [sum(account.fate is fate for account in after.ledger) for fate in Fate]
    assert sum(counts) == len(before.ledger)


def test_most_mappings_that_are_deleted_leave_a_field_unmapped_and_none_a_field_unlisted():
    left = 0
    for line, number in sites()[::12]:
        name, message, before, _ = good()[number]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Tally, "take", without(line))
            after = ADAPTERS[name].translate(message)
        fates = [account.fate for account in after.ledger].count(Fate.UNMAPPED)
        left += fates > [account.fate for account in before.ledger].count(Fate.UNMAPPED)
    assert left > len(sites()) / 12 / 2


@cache
def reasons():
    """The rows of the tables by which fields of fixtures are left out, each with a fixture that shows it."""
    found = {}
    for number, (name, _, translation, _) in enumerate(good()):
        for account in translation.ledger:
            if account.fate is not Fate.IGNORED:
                continue
            parts = account.place.split("/")
            if name == "vn_xml" and len(parts) > 2 and _table(parts) in FIELDS:
                table, element = _table(parts), parts[-1].partition("[")[0]
                if FIELDS[table].get(element, Field("", "", 0)).reason == account.reason:
                    found.setdefault((name, table, element), (number, account.place))
            segment, _, field = account.place.partition("-")
            key = (segment.partition("[")[0], int(field.partition("[")[0])) if name == "hl7v2" and field else None
            if key not in read._IGNORED_FIELDS or key[0] in read.IGNORED_SEGMENTS:
                continue
            if account.reason == read._IGNORED_FIELDS[key]:
                found.setdefault((name, *key), (number, account.place))
    return sorted(found.items(), key=str)


def _table(parts):
    return next((part for part in parts if part in FIELDS and part.startswith("XML")), "GIAMDINHHS")


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_one_row_of_a_table_that_is_deleted_shows_in_the_ledger(data):
    (name, *key), (number, place) = data.draw(st.sampled_from(reasons()))
    _, message, before, _ = good()[number]
    with pytest.MonkeyPatch.context() as patch:
        if name == "hl7v2":
            patch.delitem(read._IGNORED_FIELDS, tuple(key))
        else:
            patch.delitem(FIELDS[key[0]], key[1])
            patch.delitem(REASONS[key[0]], key[1])
        after = ADAPTERS[name].translate(message)
    now = {account.place: account for account in after.ledger}
    was = next(account for account in before.ledger if account.place == place)
    assert len(after.ledger) == len(before.ledger)
    # A row that is left out for a second reason says that one then.
    assert now[place].fate is Fate.UNMAPPED or now[place].reason not in ("", was.reason)

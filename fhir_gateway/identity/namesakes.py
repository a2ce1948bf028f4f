"""Looking for Persons of the same name, birth date and sex without comparing everybody with everybody.

https://hl7.org/fhir/R4/patient-operation-match.html

Those born on a day are few. Where they are not (a date that stands for an unknown one, a register typed in on one day)
people are asked for by name and date; where even these are many, no more suspects are noted: a suspicion that fits
hundreds says nothing about any of them. Links by number are not touched by this.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from fhir_gateway.identity.compare import spoken_names
from fhir_gateway.search import query as search
from fhir_gateway.search.criteria import Condition
from fhir_gateway.store.port import Records, Version

log = structlog.get_logger()
CANDIDATES = 50
"""More than so many who share a birth date and a sex, or a name besides, are a crowd."""
REMEMBERED = 10_000
_FIRST_RANK = 1

Block = tuple[str, ...]


@dataclass(slots=True)
class _Crowds:
    """The blocks that were found crowded, the latest of them."""

    known: OrderedDict[Block, None] = field(default_factory=OrderedDict)

    def add(self, block: Block, advice: str) -> None:
        log.warning("too many people to compare", more_than=CANDIDATES, share=_SHARED[: len(block)], advice=advice)
        self.known[block] = None
        if len(self.known) > REMEMBERED:
            self.known.popitem(last=False)


_SHARED = ("birth date", "sex", "name")
_crowds: WeakKeyDictionary[Records, _Crowds] = WeakKeyDictionary()


async def namesakes(store: Records, patient: Mapping[str, Any]) -> Sequence[Version]:
    """Persons that may bear the patient's name, of those born on the same day and of the same sex."""
    crowds = _crowds.setdefault(store, _Crowds())
    block = (str(patient["birthDate"]), str(patient["gender"]))
    if block not in crowds.known:
        found = await store.find(_query(block))
        if len(found) <= CANDIDATES:
            return found
        crowds.add(block, "suspects are looked for by the whole name from now on")
    return await _of_a_crowd(store, crowds, block, patient)


async def _of_a_crowd(store: Records, crowds: _Crowds, block: Block, patient: Mapping[str, Any]) -> Sequence[Version]:
    name = next(iter(spoken_names(patient)), "")
    if not name or (*block, name) in crowds.known:
        return ()
    found = await store.find(_query((*block, name)))
    if len(found) > CANDIDATES:
        crowds.add((*block, name), "no further suspects of this name and date are noted")
        return ()
    return found


def _query(block: Block) -> search.Query:
    pairs = [("birthdate", block[0]), ("gender", block[1]), ("_count", str(CANDIDATES + 1))]
    asked = search.parse("Person", pairs)
    for name in block[2:]:
        (by_name,) = search.parse("Person", [("name", _escaped(name))]).criteria
        if isinstance(by_name, Condition):
            asked = replace(asked, criteria=(replace(by_name, rank=_FIRST_RANK), *asked.criteria))
    return asked


def _escaped(name: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\,|$" else letter for letter in name)

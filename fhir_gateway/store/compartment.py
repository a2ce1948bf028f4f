"""What is in a patient's compartment, of many types, as stages of a few aggregations: pure.

https://hl7.org/fhir/R4/compartmentdefinition-patient.html

Behind the patient the index goes on with the type and the id, and ids begin with their type: a range of types is one
question, in the order of the references. It is asked by windows, so that a page does not read a whole long record.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from fhir_gateway.security.sight import Reader
from fhir_gateway.store.port import About
from fhir_gateway.store.sight import confinement
from fhir_gateway.store.together import Entrance

WINDOW = 22
"""Types asked for at once: R4 has 66 in the compartment."""

Stage = dict[str, Any]


def all_about(wanted: About) -> Entrance:
    """Where all of it is found at once, in a record that is short."""
    behind = {"_id": {"$gt": wanted.after}} if wanted.after else {}
    matches = [behind, *_matches(wanted, sorted(wanted.readers))]
    return Entrance("patients", (wanted.patient,), tuple(match for match in matches if match))


def windows(wanted: About) -> Iterator[list[Stage]]:
    """The stages of each aggregation, to be asked one after another until the page is full."""
    types = sorted(wanted.readers)
    if wanted.after:
        # The type that the page before broke off in will often fill this one too.
        first = wanted.after.partition("/")[0]
        if first in wanted.readers:
            yield _stages(wanted, [first], {"type": first, "_id": {"$gt": wanted.after}})
        types = [name for name in types if name > first]
    for start in range(0, len(types), WINDOW):
        window = types[start : start + WINDOW]
        yield _stages(wanted, window, {"type": {"$gte": window[0], "$lt": f"{window[-1]}/"}})


def _stages(wanted: About, types: Sequence[str], place: Stage) -> list[Stage]:
    matches = [{"patients": wanted.patient, **place}, *_matches(wanted, types)]
    return [*({"$match": match} for match in matches if match), {"$sort": {"_id": 1}}, {"$limit": wanted.limit}]


def _matches(wanted: About, types: Sequence[str]) -> list[Stage]:
    return [{"deleted": False}, {"updated": {"$gte": wanted.since}} if wanted.since else {}, _seen(wanted, types)]


def _seen(wanted: About, types: Sequence[str]) -> Stage:
    """Each type as far as its reader sees: mostly one reader stands for many types."""
    by_reader: dict[Reader, list[str]] = {}
    for name in types:
        by_reader.setdefault(wanted.readers[name], []).append(name)
    ways = [{"$and": [{"type": {"$in": names}}, confinement(reader)]} for reader, names in by_reader.items()]
    return ways[0] if len(ways) == 1 else {"$or": ways}

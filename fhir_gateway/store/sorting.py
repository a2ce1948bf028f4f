"""What a record sorts by, where that is a value of a search parameter: computed by the database when it is asked for.

https://hl7.org/fhir/R4/search.html#sort
"""

import re
from typing import Any

from fhir_gateway.search.controls import Sort
from fhir_gateway.search.criteria import UNIT, whole
from fhir_gateway.store.typed import typed

Stage = dict[str, Any]


def sort_value(type_: str, sort: Sort) -> Stage:
    """The least value of the record, descending the greatest; what it has if it has none."""
    if sort.field == "places":
        return {"$ifNull": [square(sort.key, sort.center), sort.missing]}
    edge = "$max" if sort.descending else "$min"
    each = [_spans(key) if sort.field == "spans" else _keys(type_, sort, key) for key in (sort.key, *sort.also)]
    return {"$ifNull": [{edge: each[0] if len(each) == 1 else {"$concatArrays": each}}, sort.missing]}


def square(key: str, center: tuple[float, float, float]) -> Stage:
    """Of the straight line from the record's place to a point; two numbers at a time, as ``kinds.near`` adds them."""
    ways = ({"$subtract": [f"$places.{key}.{axis}", at]} for axis, at in zip("xyz", center, strict=True))
    x, y, z = ({"$multiply": [way, way]} for way in ways)
    return {"$add": [{"$add": [x, y]}, z]}


def _spans(key: str) -> Stage:
    # The embedded engine finds nothing at the path of a field inside an array, so the array is walked.
    return {"$ifNull": [{"$map": {"input": f"$spans.{key}", "in": "$$this.lo"}}, []]}


def _keys(type_: str, sort: Sort, key: str) -> Stage:
    own = {"$filter": {"input": "$keys", "cond": of_parameter(typed(type_, key), sort.part)}}
    # Positions know no type, and keys of several parameters compare by what follows their names.
    skipped = len(typed(type_, f"{key}:" if sort.also else ""))
    return {"$map": {"input": own, "in": {"$substrBytes": ["$$this", skipped, -1]}}}


def of_parameter(key: str, part: str = "") -> Stage:
    """Whether one of the record's keys is of this parameter."""
    start, stop = whole(key)
    within: list[Stage] = [{"$gte": ["$$this", start]}, {"$lt": ["$$this", stop]}]
    if part:
        within.append({"$regexMatch": {"input": "$$this", "regex": f"{UNIT}{re.escape(part)}$"}})
    return {"$and": within}

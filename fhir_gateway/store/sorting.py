"""What a record sorts by, where that is a value of a search parameter: computed by the database when it is asked for.

https://hl7.org/fhir/R4/search.html#sort
"""

import re
from typing import Any

from fhir_gateway.search.controls import Sort
from fhir_gateway.search.criteria import UNIT, whole

Stage = dict[str, Any]


def sort_value(sort: Sort) -> Stage:
    """The least value of the record, descending the greatest; what it has if it has none."""
    edge = "$max" if sort.descending else "$min"
    each = [_spans(key) if sort.field == "spans" else _keys(sort, key) for key in (sort.key, *sort.also)]
    return {"$ifNull": [{edge: each[0] if len(each) == 1 else {"$concatArrays": each}}, sort.missing]}


def _spans(key: str) -> Stage:
    # The embedded engine finds nothing at the path of a field inside an array, so the array is walked.
    return {"$ifNull": [{"$map": {"input": f"$spans.{key}", "in": "$$this.lo"}}, []]}


def _keys(sort: Sort, key: str) -> Stage:
    own = {"$filter": {"input": "$keys", "cond": of_parameter(key, sort.part)}}
    # Keys of several parameters compare by what follows their names.
    return {"$map": {"input": own, "in": {"$substrBytes": ["$$this", len(key) + 1, -1]}}} if sort.also else own


def of_parameter(key: str, part: str = "") -> Stage:
    """Whether one of the record's keys is of this parameter."""
    start, stop = whole(key)
    within: list[Stage] = [{"$gte": ["$$this", start]}, {"$lt": ["$$this", stop]}]
    if part:
        within.append({"$regexMatch": {"input": "$$this", "regex": f"{UNIT}{re.escape(part)}$"}})
    return {"$and": within}

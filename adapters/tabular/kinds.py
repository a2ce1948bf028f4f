"""The kinds of rows an export may hold: their fields, what each field is, and which ones a row cannot do without.

The list is closed: a kind is a small function (``map_*.py``) over these fields, not a mapping language.
"""

from collections.abc import Mapping
from dataclasses import dataclass

TEXT, CODE, DATE, TIME, DECIMAL, NUMBER, BOOLEAN = "text", "code", "date", "time", "decimal", "number", "boolean"


@dataclass(frozen=True, slots=True)
class Kind:
    """``fields`` by name with their type; ``repeats`` may be in several columns."""

    name: str
    fields: Mapping[str, str]
    required: tuple[str, ...]
    repeats: frozenset[str] = frozenset()


_PLACE = {"patient": NUMBER, "visit": NUMBER, "number": NUMBER}
_WHO = {"doctor": NUMBER, "doctor_name": TEXT}
_CODED = {"code": CODE, "name": TEXT}

_ALL = (
    Kind(
        "patient",
        {
            "number": NUMBER, "name": TEXT, "birth_date": DATE, "sex": CODE, "citizen": NUMBER, "insurance": NUMBER,
            "phone": TEXT, "email": TEXT, "address": TEXT, "ethnicity": CODE, "occupation": CODE,
            "deceased": BOOLEAN, "deceased_at": TIME,
        },
        ("number",),
    ),
    Kind(
        "encounter",
        {
            "number": NUMBER, "patient": NUMBER, "class": CODE, "start": TIME, "end": TIME, "department": CODE,
            "reason": TEXT, "discharge": CODE, **_WHO,
        },
        ("number", "patient"),
    ),
    Kind(
        "condition",
        {**_PLACE, **_CODED, "onset": TIME, "abated": TIME, "recorded": TIME, "note": TEXT, **_WHO},
        ("patient", "code"),
    ),
    Kind(
        "observation",
        {
            **_PLACE, **_CODED, "value": DECIMAL, "unit": TEXT, "low": DECIMAL, "high": DECIMAL, "range": TEXT,
            "flag": CODE, "time": TIME, "issued": TIME, "category": CODE, "specimen": CODE, "note": TEXT, **_WHO,
        },
        ("patient", "value"),
        frozenset({"value"}),
    ),
    Kind(
        "medication",
        {
            **_PLACE, **_CODED, "dose": TEXT, "route": CODE, "amount": DECIMAL, "unit": TEXT, "ordered": TIME,
            "start": TIME, "end": TIME, "note": TEXT, **_WHO,
        },
        ("patient", "name"),
    ),
    Kind(
        "procedure",
        {**_PLACE, **_CODED, "start": TIME, "end": TIME, "outcome": CODE, "note": TEXT, **_WHO},
        ("patient", "name"),
    ),
    Kind(
        "allergy",
        {**_PLACE, **_CODED, "reaction": TEXT, "severity": CODE, "recorded": TIME, "note": TEXT, **_WHO},
        ("patient", "name"),
    ),
    Kind(
        "document",
        {**_PLACE, "type": CODE, "title": TEXT, "text": TEXT, "date": TIME, **_WHO},
        ("patient", "number", "text"),
    ),
)  # fmt: skip
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}

"""OBX-5 by the type OBX-2 declares, into value[x].

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-obx-to-observation.html
"""

import re
from collections.abc import Callable

from adapters.contract import Resource, Untranslatable
from adapters.hl7v2.datatypes import coded, time
from adapters.hl7v2.numbers import number, quantity
from adapters.hl7v2.read import Segment, Value
from adapters.hl7v2.scene import Scene
from adapters.hl7v2.times import clock

Reader = Callable[[Scene, Value, str, Resource], Resource]

NO_NUMBER = "OBX-5 is declared NM but is not a number"
AS_TEXT = "declared NM and not one number for sure; the value is kept as text"
# Digits with several decimal signs are damage, no answer: as text they would stand among the right results.
_DAMAGED = re.compile(r"\s*[+-]?\d+(?:[.,]\d*){2,}\s*", re.ASCII)
_GROUPED = re.compile(r"\s*[+-]?\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*(?:[.,]\d+)?\s*", re.ASCII)
TEXT = frozenset({"TX", "FT"})


def value_of(scene: Scene, obx: Segment, at: str, unit: Resource) -> Resource:
    """value[x] of a single value; several repetitions become components of one code."""
    values = obx.values(5)
    kind = _kind(obx, unit)
    if not values:
        return {}
    read = _READERS.get(kind, _text)
    if kind in _LINES:
        return {"valueString": "\n".join(value.take_text(f"{at}valueString") for value in values)}
    if len(values) == 1:
        return read(scene, values[0], at, unit)
    parts = [read(scene, value, f"{at}component[{n}].", unit) for n, value in enumerate(values)]
    return {"component": [part for part in parts if part]}


def _kind(obx: Segment, unit: Resource) -> str:
    """The declared type; a bare number with a unit whose type was left out is read as a number, with a notice."""
    kind = obx.peek(2).upper()
    if kind or not obx.peek(5):
        return kind
    if unit and number(obx.peek(5)):
        obx.notice(2, "the value type is missing; the value has a unit and is read as a number")
        return "NM"
    obx.notice(2, "the value type is missing; the value is kept as text")
    return "ST"


def _number(scene: Scene, value: Value, at: str, unit: Resource) -> Resource:
    read = number(value.peek())
    if read is None:
        return _no_number(scene, value, at, unit)
    text = value.take(1, f"{at}valueQuantity.value")
    made: Resource = {"valueQuantity": quantity(read, unit)}
    if read.comma and not at.endswith("."):
        made["note"] = [{"text": f"OBX-5: {text}"}]
    return made


def _no_number(scene: Scene, value: Value, at: str, unit: Resource) -> Resource:
    """Words, a range or 1,234, which may be read in two ways, stay text with a notice. Raises on a damaged number."""
    text = value.peek()
    if _DAMAGED.fullmatch(text) and not _GROUPED.fullmatch(text):
        raise Untranslatable(NO_NUMBER, value.place.rsplit("[", 1)[0])
    value.notice(AS_TEXT)
    return _text(scene, value, at, unit)


def _structured(scene: Scene, value: Value, at: str, unit: Resource) -> Resource:
    """SN: comparator, number, separator, number."""
    sign, first, separator, second = (value.peek(component) for component in (1, 2, 3, 4))
    left, right = number(first), number(second)
    if left and right and separator in ("-", ":", "/"):
        kind = "valueRange" if separator == "-" else "valueRatio"
        names = ("low", "high") if separator == "-" else ("numerator", "denominator")
        value.take_all(f"{at}{kind}")
        sides = zip(names, (left, right), strict=True)
        return {kind: {side: {"value": read.value, **unit} for side, read in sides}}
    whole = number(f"{sign if sign in ('<', '>', '<=', '>=') else ''}{first}")
    if whole and not separator and not second and sign in ("", "=", "<", ">", "<=", ">="):
        value.take_all(f"{at}valueQuantity")
        return {"valueQuantity": quantity(whole, unit)}
    return {"valueString": "".join(value.take_all(f"{at}valueString"))}


def _concept(scene: Scene, value: Value, at: str, unit: Resource) -> Resource:
    concept = coded(scene, value, f"{at}valueCodeableConcept", "result")
    return {"valueCodeableConcept": concept} if concept else _text(scene, value, at, unit)


def _moment(scene: Scene, value: Value, at: str, unit: Resource) -> Resource:
    moment = time(scene, value, f"{at}valueDateTime")
    return {"valueDateTime": moment} if moment else _text(scene, value, at, unit)


def _time_of_day(scene: Scene, value: Value, at: str, unit: Resource) -> Resource:
    moment = clock(value.peek())
    if moment is None:
        return _text(scene, value, at, unit)
    value.take(1, f"{at}valueTime")
    return {"valueTime": moment}


def _text(scene: Scene, value: Value, at: str, unit: Resource) -> Resource:
    return {"valueString": value.take_text(f"{at}valueString")}


_LINES = TEXT | {"ST"}
_READERS: dict[str, Reader] = {
    "NM": _number,
    "SN": _structured,
    "CE": _concept,
    "CWE": _concept,
    "CNE": _concept,
    "CF": _concept,
    "IS": _concept,
    "ID": _concept,
    "DT": _moment,
    "TS": _moment,
    "DTM": _moment,
    "TM": _time_of_day,
}

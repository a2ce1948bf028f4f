"""Results and measurements: one value a row, or a wide table with a column for each test.

https://hl7.org/fhir/R4/observation.html
"""

from adapters.contract import Resource
from adapters.tabular.line import Line
from adapters.tabular.map_clinical import begin, marks, notes
from adapters.tabular.map_people import doctor, stay, subject
from adapters.tabular.numbers import quantity
from adapters.tabular.sheet import Cell
from adapters.tabular.table import Column

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_FLAG = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_UNKNOWN = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def map_observation(line: Line) -> None:
    """A row of results: an Observation for each column that holds a value."""
    for column, cell in line.fields("value"):
        key = begin(line, "Observation", column.code or line.peek("code") or line.peek("name"))
        wide = len(line.export.table.of("value")) > 1
        key = f"{key}|{column.name}" if wide else key
        line.target = f"Observation/{line.export.draft.id('Observation', key)}"
        line.export.draft.add("Observation", key, _elements(line, column, cell))


def _elements(line: Line, column: Column, cell: Cell) -> Resource:
    who, category = doctor(line, "performer[0]"), line.known("category", "category[0]") or line.export.table.category
    flag = line.known("flag", "interpretation[0].coding[0].code")
    return {
        "identifier": marks(line),
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": category}]}] if category else [],
        "code": _code(line, column),
        "subject": subject(line),
        "encounter": stay(line),
        "effectiveDateTime": line.moment("time", "effectiveDateTime"),
        "issued": _issued(line),
        "performer": [who] if who else [],
        **_value(line, column, cell),
        "interpretation": [{"coding": [{"system": _FLAG, "code": flag}]}] if flag else [],
        "note": notes(line),
        "specimen": _specimen(line),
        "referenceRange": [_range(line, column)],
    }


def _code(line: Line, column: Column) -> Resource:
    """What was measured: the row says so, or the hospital's file for a column of a wide table."""
    if column.code or column.label:
        coding = [{"system": line.system(column), "code": column.code}] if column.code else []
        local = line.hospital.codes.get("observation", {}).get(column.code)
        if local:
            coding.append({"system": local.system, "code": local.code, "display": local.display})
        return {"coding": coding, "text": column.label or column.name}
    found = line.concept("code", "name", "code")
    return found or {"extension": [{"url": _UNKNOWN, "valueCode": "unknown"}], "text": column.name}


def _value(line: Line, column: Column, cell: Cell) -> Resource:
    found = line.number(column, cell)
    if found is None:
        line.took(column, "valueString")
        return {"valueString": cell.text}
    line.took(column, "valueQuantity.value")
    unit = line.text("unit", "valueQuantity.unit") or column.unit
    return {"valueQuantity": quantity((found[0], found[1]["value"]), unit)}


def _issued(line: Line) -> str | None:
    """An instant: a day alone is not turned into one, and stays unmapped."""
    for column, cell in line.fields("issued"):
        if len(cell.text) <= 10:
            line.note(column, "a day without a time is no instant; left unmapped")
            return None
        return line.moment("issued", "issued")
    return None


def _specimen(line: Line) -> Resource | None:
    concept = line.concept("specimen", "", "specimen.display")
    return {"display": concept["text"]} if concept else None


def _range(line: Line, column: Column) -> Resource:
    made: Resource = {"text": line.text("range", "referenceRange[0].text")}
    unit = line.peek("unit") or column.unit
    for bound in ("low", "high"):
        for side, cell in line.fields(bound):
            found = line.number(side, cell)
            if found is None or found[0]:
                line.note(side, "not an unambiguous number; left unmapped")
                continue
            line.took(side, f"referenceRange[0].{bound}.value")
            made[bound] = quantity(("", found[1]["value"]), unit)
    return made

"""What RXO, RXE and ORC say of handing a medicine out: by which pharmacy, how much at first, for a stay or for home.

https://hl7.org/fhir/R4/medicationrequest-definitions.html#MedicationRequest.dispenseRequest
"""

from dataclasses import dataclass

from adapters.contract import Resource
from adapters.hl7v2.codes import TERMINOLOGY
from adapters.hl7v2.datatypes import coding_system, unit
from adapters.hl7v2.map_organization import addresses, telecoms
from adapters.hl7v2.numbers import number
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene

_SETTINGS = {"I": "inpatient", "O": "outpatient"}


@dataclass(frozen=True, slots=True)
class Fields:
    """Where a row names the pharmacy, its address, its telephone, and the amount handed out first with its unit."""

    pharmacy: int
    address: int
    phone: int
    first: int = 0
    first_unit: int = 0


_FIELDS = {"RXO": Fields(32, 33, 36), "RXE": Fields(40, 41, 45, 39, 11)}


def dispensing(scene: Scene, row: Segment, at: str) -> Resource:
    """The parts of MedicationRequest.dispenseRequest that name the pharmacy and the first amount."""
    fields = _FIELDS[row.name]
    return {"performer": _pharmacy(scene, row, fields), "initialFill": _first_amount(row, fields, f"{at}.initialFill")}


def taken_where(orc: Segment | None, at: str) -> list[Resource]:
    """ORC-29, table 0482, as FHIR says it of medicines."""
    said = _SETTINGS.get(orc.peek(29).upper(), "") if orc else ""
    if not orc or not said:
        return []
    orc.take(29, f"{at}category[0]")
    return [{"coding": [{"system": f"{TERMINOLOGY}medicationrequest-category", "code": said}]}]


def _pharmacy(scene: Scene, row: Segment, fields: Fields) -> Resource | None:
    value = row.value(fields.pharmacy)
    mark, title = value.peek(1), value.peek(2)
    if not mark and not title:
        return None
    key = f"pharmacy:{mark or title}"
    at = scene.at("Organization", key)
    value.took(1, f"{at}identifier[0].value" if title else f"{at}name")
    value.took(2, f"{at}name")
    value.took(3, f"{at}identifier[0].system")
    numbered = {"system": coding_system(scene, value.peek(3) or "pharmacy"), "value": mark}
    elements = {
        "identifier": [numbered] if mark and title else [],
        "name": title or mark,
        "telecom": telecoms(row, fields.phone, at),
        "address": addresses(row, fields.address, at),
    }
    scene.add("Organization", key, elements)
    return {**scene.reference("Organization", key), "display": title or mark}


def _first_amount(row: Segment, fields: Fields, at: str) -> Resource | None:
    read = number(row.peek(fields.first)) if fields.first and row.peek(fields.first) else None
    if read is None:
        return None
    row.take(fields.first, f"{at}.quantity.value")
    return {"quantity": {"value": read.value, **unit(row.value(fields.first_unit), f"{at}.quantity")}}

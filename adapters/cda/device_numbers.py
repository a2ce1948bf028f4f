"""The unique number of a device, read apart: which product, which lot and piece, made when, good until when.

https://www.gs1.org/standards/barcodes/application-identifiers
"""

import re

from adapters.cda.times import moment
from adapters.contract import Resource

# As people read it: (01)00643169007222(17)160128(21)BLC200461H
_PART = re.compile(r"\((01|10|11|17|21)\)([^()]+)")
_DAY = re.compile(r"[0-9]{6}\Z")
_NAMES = {"10": "lotNumber", "11": "manufactureDate", "17": "expirationDate", "21": "serialNumber"}


def read_apart(number: str) -> tuple[str, Resource]:
    """The number of the product, and the elements of Device that the rest of it says; empty for other schemes."""
    parts = {kind: said.strip() for kind, said in _PART.findall(number)}
    told = {name: _written(kind, parts[kind]) for kind, name in _NAMES.items() if kind in parts}
    return parts.get("01", ""), {name: said for name, said in told.items() if said}


def _written(kind: str, said: str) -> str:
    if kind not in {"11", "17"}:
        return said
    # Such numbers are younger than 2000; day 00 is the whole month.
    return moment(f"20{said.removesuffix('00')}", "") if _DAY.match(said) else ""

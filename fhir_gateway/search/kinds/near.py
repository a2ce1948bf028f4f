"""Search by distance: ``near=latitude|longitude|distance|unit`` finds what lies within a circle on the ground.

https://hl7.org/fhir/R4/location.html#positional

The key holds the latitude, so that an index answers the band of latitudes that the circle touches; the exact check
compares straight lines through the globe, which need no trigonometry in the database and are exact to centimetres.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import asin, cos, pi, radians, sin, sqrt
from typing import Any

from fhir_gateway.fhir import ucum
from fhir_gateway.problem import BadRequest
from fhir_gateway.search.criteria import END, Circle
from fhir_gateway.search.entries import Entries
from fhir_gateway.search.escape import plain, split
from fhir_gateway.search.kinds.number import number_of
from fhir_gateway.search.registry import Parameter

EARTH_RADIUS_METRES = 6_371_008.8
DEFAULT_KILOMETRES, DEFAULT_UNIT = "25", "km"


def index(key: str, value: Any, entries: Entries) -> None:
    """A position with latitude and longitude."""
    if type(value) is dict and "latitude" in value and "longitude" in value:
        latitude, longitude = float(value["latitude"]), float(value["longitude"])
        if abs(latitude) <= 90 and abs(longitude) <= 180:
            entries.places[key] = dict(zip("xyz", _point(latitude, longitude), strict=True))
            entries.add(key, _band(latitude))


def parse(parameter: Parameter, text: str) -> Circle:
    parts = [plain(part) for part in split(text, "|")]
    if not 2 <= len(parts) <= 4:
        raise BadRequest(f"'{parameter.code}' needs latitude|longitude|distance|unit, the unit in UCUM, km by default")
    latitude, longitude = (float(number_of(part, parameter.code)) for part in parts[:2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise BadRequest(f"'{parameter.code}' needs a latitude up to 90 and a longitude up to 180 degrees")
    angle = _metres(parameter, *(part or None for part in parts[2:])) / EARTH_RADIUS_METRES
    width = angle * 180 / pi + 1e-6
    start = f"{parameter.key}:{_band(max(-90, latitude - width))}"
    stop = f"{parameter.key}:{_band(min(90, latitude + width))}{END}"
    chord = 2 * sin(min(angle, pi) / 2)
    unit = parts[3] if parts[3:] and parts[3] else DEFAULT_UNIT
    return Circle(parameter.key, start, stop, _point(latitude, longitude), chord * chord, unit)


def square(place: Mapping[str, float], center: tuple[float, float, float]) -> float:
    """Of the straight line from a place to a point: computed as the database does it, to the last bit."""
    x, y, z = (place[axis] - at for axis, at in zip("xyz", center, strict=True))
    return (x * x + y * y) + z * z


def distance(circle: Circle, place: Mapping[str, float]) -> dict[str, Any]:
    """From the middle of the circle to a place over the ground, as a FHIR Distance."""
    metres = 2 * EARTH_RADIUS_METRES * asin(min(sqrt(square(place, circle.center)) / 2, 1))
    scale = ucum.unit(circle.unit)
    number = metres / scale.canonical(Fraction(1)) if scale else metres
    return {"value": round(number, 3), "unit": circle.unit, "system": ucum.SYSTEM, "code": circle.unit}


def _metres(parameter: Parameter, distance: str | None = None, unit: str | None = None) -> float:
    scale = ucum.unit(unit or DEFAULT_UNIT)
    if scale is None or scale.base != "m":
        raise BadRequest(f"'{parameter.code}' needs a unit of length in UCUM, such as km, m or [mi_i]")
    number = number_of(distance or DEFAULT_KILOMETRES, parameter.code)
    if number < 0:
        raise BadRequest(f"'{parameter.code}' needs a distance from 0")
    return scale.canonical(Fraction(number))


def _point(latitude: float, longitude: float) -> tuple[float, float, float]:
    north, east = radians(latitude), radians(longitude)
    return cos(north) * cos(east), cos(north) * sin(east), sin(north)


def _band(latitude: float) -> str:
    """Micro-degrees from the south pole, as text that sorts."""
    return f"{round((latitude + 90) * 1_000_000):09d}"

"""Places within a circle."""

from math import cos, radians, sin

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.search.entries import Entries
from fhir_gateway.search.kinds.near import EARTH_RADIUS_METRES, index, parse
from fhir_gateway.search.registry import parameters

NEAR = parameters("Location")["near"]
DEGREES = st.floats(-89.9, 89.9).map(lambda value: round(value, 4))
TURNS = st.floats(-180, 180).map(lambda value: round(value, 4))


@settings(deadline=None, max_examples=300)
@given(DEGREES, TURNS, DEGREES, TURNS, st.integers(1, 15_000))
def test_the_index_and_the_check_agree_with_the_haversine(
    latitude: float, longitude: float, north: float, east: float, kilometres: int
) -> None:
    circle = parse(NEAR, f"{latitude}|{longitude}|{kilometres}|km")
    entries = Entries()
    index("near", {"latitude": north, "longitude": east}, entries)
    (key,), place = entries.keys, entries.places["near"]
    chord = sum((place[axis] - at) ** 2 for axis, at in zip("xyz", circle.center, strict=True))
    half = (
        sin(radians(north - latitude) / 2) ** 2
        + cos(radians(latitude)) * cos(radians(north)) * sin(radians(east - longitude) / 2) ** 2
    )
    wanted = sin(kilometres * 500 / EARTH_RADIUS_METRES) ** 2
    if abs(half - wanted) > 1e-9:
        assert (chord <= circle.chord) == (half <= wanted)
    if chord <= circle.chord:
        assert circle.start <= key < circle.stop


def test_an_impossible_position_is_not_indexed() -> None:
    entries = Entries()
    index("near", {"latitude": 91, "longitude": 0}, entries)
    index("near", {"latitude": 9}, entries)
    assert not entries.keys
    assert not entries.places

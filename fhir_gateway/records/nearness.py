"""How far away a place is that was found: told beside it.

https://hl7.org/fhir/R4/extension-location-distance.html
"""

from collections.abc import Sequence
from typing import Any

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.search.criteria import Near
from fhir_gateway.search.extract import index
from fhir_gateway.search.kinds import near

DISTANCE = "http://hl7.org/fhir/StructureDefinition/location-distance"


def distance_told(criteria: Sequence[object], body: bytes) -> tuple[dict[str, Any], ...]:
    """The extension of a match that somebody asked to be near to; of several such places the nearest counts."""
    circles = [circle for one in criteria if isinstance(one, Near) for circle in one.circles]
    places = index(decode_resource(body)).get("places", {}) if circles else {}
    found = [(near.square(places[one.key], one.center), one) for one in circles if one.key in places]
    if not found:
        return ()
    closest = min(found, key=lambda one: one[0])[1]
    return ({"url": DISTANCE, "valueDistance": near.distance(closest, places[closest.key])},)

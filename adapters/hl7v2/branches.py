"""What some message types add to the walk: documents, appointments, medicines, vaccinations, timing, roles.

https://build.fhir.org/ig/HL7/v2-to-fhir/message_maps.html
"""

from collections.abc import Callable

from adapters.contract import Resource
from adapters.hl7v2.map_appointment import add_booked, map_appointment
from adapters.hl7v2.map_document import Document, add_content, add_remark, map_document
from adapters.hl7v2.map_dosage import Treatment, add_timing
from adapters.hl7v2.map_immunization import add_shot_finding, add_shot_route, map_immunization
from adapters.hl7v2.map_medication import (
    add_component,
    add_route,
    map_administration,
    map_dispense,
    map_request,
)
from adapters.hl7v2.map_report import Order, add_request_timing
from adapters.hl7v2.map_role import map_role
from adapters.hl7v2.read import Segment
from adapters.hl7v2.scene import Scene


class Branches:
    """What such a segment builds on: the document, appointment, treatment or shot before it."""

    TRANSPARENT = frozenset({"TQ1", "ROL", "PRT", "RXR", "RXC", "RGS"})
    NAMES = TRANSPARENT | {"TXA", "SCH", "AIS", "AIG", "AIL", "AIP", "RXO", "RXE", "RXD", "RXA"}

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._orc: Segment | None = None
        self._document: Document | None = None
        self._appointment: Resource | None = None
        self._treatment: Treatment | None = None
        self._request: Treatment | None = None
        self._shot: Resource | None = None
        self._timings: list[Segment] = []

    def begin_order(self, orc: Segment) -> None:
        self._orc, self._treatment, self._request, self._shot = orc, None, None, None
        self._timings.clear()

    def step(self, segment: Segment) -> Resource | None:
        """Map the segment; the resource that a comment after it would be about."""
        step = _STEPS.get(segment.name)
        return step(self, segment) if step else None

    def role(self, row: Segment, about: Resource | None) -> None:
        map_role(self._scene, row, about)

    def time(self, tq1: Segment, order: Order | None) -> None:
        """TQ1 stands before the row of its order in some messages, after it in others."""
        if self._treatment:
            add_timing(self._scene, tq1, self._treatment)
        elif order:
            add_request_timing(self._scene, tq1, order.request)
        else:
            self._timings.append(tq1)

    def timed(self, order: Order) -> None:
        """Give the order the timing that stood before it."""
        for tq1 in self._timings:
            add_request_timing(self._scene, tq1, order.request)
        self._timings.clear()

    def content(self, obx: Segment) -> bool:
        """Whether the row was a part of the open document."""
        return self._document is not None and add_content(self._scene, obx, self._document)

    def remarked(self, nte: Segment, about: Resource | None) -> None:
        """A comment right after a document's header or content is a remark on the document."""
        if self._document and (about is None or about is self._document.made):
            add_remark(nte, self._document)

    def observed(self, observation: Resource) -> None:
        """Tie a result to the shot or the document it stands under."""
        if self._shot:
            observation["partOf"] = [{"reference": f"urn:uuid:{self._shot['id']}"}]
            add_shot_finding(observation, self._shot)
        elif self._document:
            related = self._document.made.setdefault("context", {}).setdefault("related", [])
            related.append({"reference": f"urn:uuid:{observation['id']}"})

    def close(self) -> None:
        if self._document:
            self._document.close()

    def _open_document(self, txa: Segment) -> None:
        self.close()
        self._document = map_document(self._scene, txa)

    def _book(self, sch: Segment) -> Resource:
        self._appointment = map_appointment(self._scene, sch)
        return self._appointment

    def _add_booked(self, row: Segment) -> Resource | None:
        if self._appointment:
            add_booked(self._scene, row, self._appointment)
        return self._appointment

    def _prescribe(self, row: Segment) -> Resource:
        original = self._request.made if self._request and row.name == "RXE" else None
        self._treatment = self._request = map_request(self._scene, self._orc, row, original)
        for tq1 in self._timings:
            add_timing(self._scene, tq1, self._treatment)
        self._timings.clear()
        return self._treatment.made

    def _dispense(self, rxd: Segment) -> Resource:
        request = self._request.made if self._request else None
        self._treatment = map_dispense(self._scene, self._orc, rxd, request)
        return self._treatment.made

    def _administer(self, rxa: Segment) -> Resource:
        if self._scene.event.code == "RAS":
            request = self._request.made if self._request else None
            self._treatment = map_administration(self._scene, self._orc, rxa, request)
            return self._treatment.made
        self._shot = map_immunization(self._scene, self._orc, rxa)
        return self._shot

    def _route(self, rxr: Segment) -> None:
        if self._shot:
            add_shot_route(self._scene, rxr, self._shot)
        elif self._treatment:
            add_route(self._scene, rxr, self._treatment)

    def _mix(self, rxc: Segment) -> None:
        if self._treatment:
            add_component(self._scene, rxc, self._treatment)


_STEPS: dict[str, Callable[[Branches, Segment], Resource | None]] = {
    "TXA": Branches._open_document,
    "SCH": Branches._book,
    "RXO": Branches._prescribe,
    "RXE": Branches._prescribe,
    "RXD": Branches._dispense,
    "RXA": Branches._administer,
    "RXR": Branches._route,
    "RXC": Branches._mix,
    **dict.fromkeys(("AIS", "AIG", "AIL", "AIP"), Branches._add_booked),
}

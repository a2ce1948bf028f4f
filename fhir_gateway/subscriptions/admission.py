"""What the API asks of a Subscription before it is stored, and the note of who wrote it.

https://hl7.org/fhir/uv/subscriptions-backport/workflow.html#creating-a-subscription

A client may want it ``requested`` or ``off``; whether it is active or in error is the server's to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fhir_gateway.records.step import Step
from fhir_gateway.security.caller import Caller
from fhir_gateway.store.port import Change, Note
from fhir_gateway.subscriptions.endpoints import Endpoints
from fhir_gateway.subscriptions.notice import REQUESTED
from fhir_gateway.subscriptions.register import ASKERS, OFF, asker_content
from fhir_gateway.subscriptions.terms import REST_HOOK, terms

SUBSCRIPTION = "Subscription"


@dataclass(frozen=True, slots=True)
class Admission:
    """``records.admission.Admission`` for Subscriptions."""

    endpoints: Endpoints

    def admitted(self, steps: Sequence[Step]) -> Sequence[Step]:
        """The steps with the status set that a client may set. Raises Invalid for terms that cannot be kept."""
        if not any(step.type == SUBSCRIPTION for step in steps):
            return steps
        return [self._admitted(step) for step in steps]

    def _admitted(self, step: Step) -> Step:
        resource = step.resource
        if step.type != SUBSCRIPTION or resource is None or resource.get("resourceType") != SUBSCRIPTION:
            return step
        if resource.get("status") != OFF:
            agreed = terms(resource)
            if agreed.channel == REST_HOOK:
                self.endpoints.must_allow(agreed.endpoint)
            resource = {**resource, "status": REQUESTED}
        return replace(step, resource={name: item for name, item in resource.items() if name != "error"})

    def notes(self, caller: Caller, changes: Sequence[Change]) -> tuple[Note, ...]:
        """Who answers for each version of a Subscription."""
        return tuple(
            Note(ASKERS, f"{change.version.id}/{change.version.number}", asker_content(caller))
            for change in changes
            if change.version.type == SUBSCRIPTION and not change.version.deleted
        )

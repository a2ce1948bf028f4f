"""Rules about requests, tasks, appointments, consents and traces.

https://hl7.org/fhir/R4/workflow.html
"""

from fhir_gateway.fhir.invariants.rule import Element, Rule, chosen, has, listed, ordered


def _is_booked(appointment: Element) -> bool:
    timed = has(appointment, "start") and has(appointment, "end")
    return timed or appointment.get("status") in ("proposed", "cancelled", "waitlist")


def _cancelled(appointment: Element) -> bool:
    return not has(appointment, "cancelationReason") or appointment.get("status") in ("no-show", "cancelled")


def _parameter(parameter: Element) -> bool:
    """A value, a resource or parts: exactly one of the three."""
    return [chosen(parameter, "value") is not None, has(parameter, "resource"), has(parameter, "part")].count(True) == 1


RULES: dict[str, tuple[Rule, ...]] = {
    "Appointment": (
        Rule("app-2", "start and end come together", lambda a: has(a, "start") == has(a, "end")),
        Rule("app-3", "without start and end the status must be proposed, cancelled or waitlist", _is_booked),
        Rule("app-4", "cancelationReason needs the status no-show or cancelled", _cancelled),
    ),
    "Appointment.participant": (Rule("app-1", "type or actor is required", lambda p: has(p, "type", "actor")),),
    "AppointmentResponse": (
        Rule("apr-1", "participantType or actor is required", lambda r: has(r, "participantType", "actor")),
    ),
    "AuditEvent.entity": (Rule("sev-1", "either name or query", lambda e: not (has(e, "name") and has(e, "query"))),),
    "Consent": (Rule("ppc-1", "policy or policyRule is required", lambda c: has(c, "policy", "policyRule")),),
    "CoverageEligibilityResponse.insurance.item": (
        Rule(
            "ces-1", "either category or productOrService", lambda i: has(i, "category") != has(i, "productOrService")
        ),
    ),
    "InsurancePlan": (Rule("ipn-1", "a name or an identifier is required", lambda p: has(p, "name", "identifier")),),
    "Linkage": (Rule("lnk-1", "at least two items", lambda link: len(listed(link, "item")) > 1),),
    "List": (
        Rule("lst-1", "emptyReason excludes entries", lambda x: not (has(x, "emptyReason") and has(x, "entry"))),
        Rule(
            "lst-2",
            "deleted needs the mode changes",
            lambda x: x.get("mode") == "changes" or not any(has(entry, "deleted") for entry in listed(x, "entry")),
        ),
        Rule(
            "lst-3",
            "an entry's date needs the mode working",
            lambda x: x.get("mode") == "working" or not any(has(entry, "date") for entry in listed(x, "entry")),
        ),
    ),
    "MeasureReport": (
        Rule(
            "mrp-1",
            "a data-collection has no group",
            lambda m: m.get("type") != "data-collection" or not has(m, "group"),
        ),
    ),
    "Parameters.parameter": (Rule("inv-1", "exactly one of value, resource and part", _parameter),),
    "RequestGroup.action": (
        Rule("rqg-1", "either resource or action", lambda a: has(a, "resource") != has(a, "action")),
    ),
    "ServiceRequest": (
        Rule("prr-1", "orderDetail needs a code", lambda r: not has(r, "orderDetail") or has(r, "code")),
    ),
    "Task": (
        Rule(
            "inv-1", "lastModified is before authoredOn", lambda t: ordered(t.get("authoredOn"), t.get("lastModified"))
        ),
    ),
}

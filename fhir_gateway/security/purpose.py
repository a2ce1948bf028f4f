"""Why somebody asks: an emergency that opens the secret records of patients, with its reason.

https://hl7.org/fhir/R4/security-labels.html#break-the-glass

Said by three headers of a request: ``X-Purpose-Of-Use: BTG``, ``X-Purpose-Patient: Patient/1,Patient/2`` and
``X-Purpose-Reason``, in UTF-8 or percent-encoded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from fhir_gateway.problem import BadRequest

PURPOSE, PATIENT, REASON = "x-purpose-of-use", "x-purpose-patient", "x-purpose-reason"
BREAK_THE_GLASS = "BTG"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
SHORTEST, LONGEST, MOST_PATIENTS = 10, 500, 10
_PATIENT = re.compile(r"Patient/([A-Za-z0-9\-.]{1,64})")


@dataclass(frozen=True, slots=True)
class Emergency:
    """``patients`` are ids; ``reason`` is what the doctor says."""

    patients: tuple[str, ...]
    reason: str


def stated(headers: Mapping[str, str]) -> Emergency | None:
    """The emergency that the headers of a request state. Raises BadRequest for half a statement."""
    purpose = headers.get(PURPOSE)
    if purpose is None:
        return None
    if purpose.strip() != BREAK_THE_GLASS:
        raise BadRequest(f"the one purpose that changes anything is {BREAK_THE_GLASS}", "X-Purpose-Of-Use")
    return Emergency(_patients(headers.get(PATIENT, "")), _reason(headers.get(REASON, "")))


def _patients(text: str) -> tuple[str, ...]:
    found = [_PATIENT.fullmatch(one.strip()) for one in text.split(",")]
    ids = tuple(dict.fromkeys(match[1] for match in found if match))
    if not all(found) or len(ids) > MOST_PATIENTS:
        text = f"the glass is broken for patients who are named: Patient/id, with commas, {MOST_PATIENTS} at most"
        raise BadRequest(text, "X-Purpose-Patient")
    return ids


def _reason(text: str) -> str:
    try:
        # Headers arrive as Latin-1, whatever they were written in.
        words = " ".join(unquote(text.encode("latin-1").decode("utf-8"), errors="strict").split())
    except UnicodeError as error:
        raise BadRequest("the reason is UTF-8, plain or percent-encoded", "X-Purpose-Reason") from error
    if not SHORTEST <= len(words) <= LONGEST or not words.isprintable():
        raise BadRequest(f"the reason takes {SHORTEST} to {LONGEST} characters", "X-Purpose-Reason")
    return words

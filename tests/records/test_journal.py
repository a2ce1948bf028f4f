"""What an interaction tells the audit trail."""

from collections.abc import Callable
from datetime import UTC, datetime

from fhir_gateway.fhir.codec import decode
from fhir_gateway.records.desk import Desk
from fhir_gateway.records.journal import Touched, Visit, entry, patients, written
from fhir_gateway.records.revision import revision
from fhir_gateway.security.audit import Trail


class Nowhere:
    """A desk's store for what is only worded, not stored."""

    async def append(self, events: object) -> None:
        raise AssertionError("nothing is stored here")


def test_an_event_says_who_asked_what_of_which_record(visit_of: Callable[[str], Visit]) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    desk = Desk(Nowhere(), Trail(Nowhere()), lambda: now, b"", 1, 1, "http://g/fhir", "here")  # type: ignore[arg-type]

    event = decode(entry(desk, visit_of("bai-chay"), "read", Touched(("Patient/p",)), 404).body)

    assert (event["action"], event["outcome"], event["source"]["observer"]["display"]) == ("R", "4", "here")
    assert event["agent"][0]["who"]["identifier"]["value"] == "bai-chay"
    assert event["agent"][0]["network"]["address"] == "192.0.2.1"
    assert event["entity"][0]["what"]["reference"] == "Patient/p"


def test_a_write_touches_its_versions_and_their_patients_once() -> None:
    about = {"resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/p"}}
    changes = [revision(about, f"Observation/{name}", None, datetime.now(UTC), ()) for name in "ab"]

    assert written(changes).entities == ("Observation/a/_history/1", "Observation/b/_history/1", "Patient/p")


def test_what_is_read_names_the_patients_it_is_about() -> None:
    about = {"resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/p/_history/2"}}
    observation = revision(about, "Observation/o", None, datetime.now(UTC), ()).version
    patient = revision({"resourceType": "Patient"}, "Patient/q", None, datetime.now(UTC), ()).version

    assert patients([observation, patient, observation]) == ("Patient/q", "Patient/p")

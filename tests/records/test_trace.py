"""The quick way to an AuditEvent leads where the plain one does."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_gateway.fhir.codec import decode
from fhir_gateway.records.trace import event
from fhir_gateway.search.extract import index
from fhir_gateway.security import audit
from fhir_gateway.security.audit import Act
from fhir_gateway.security.caller import Caller

IDS = st.from_regex(r"[A-Za-z0-9\-.]{1,64}", fullmatch=True)
ENDS = st.sampled_from(["", "", "/_history/3"])
TYPES = st.sampled_from(["Patient", "Observation", "Basic"])
REFERENCES = st.builds(lambda type_, id_, end: f"{type_}/{id_}{end}", TYPES, IDS, ENDS)
PATIENTS = st.builds("Patient/{}".format, IDS)
CALLERS = st.sampled_from([None, Caller("c", "doctor", "qn", token="t1"), Caller("d", "admin", "")])
ACTS = st.builds(
    Act,
    interaction=st.sampled_from(["read", "search-type", "vread", "unknown", "ingest", "update"]),
    caller=CALLERS,
    status=st.sampled_from([200, 404, 503]),
    address=st.sampled_from(["", "127.0.0.1", "his.example"]),
    entities=st.lists(REFERENCES, max_size=10).map(tuple),
    patients=st.lists(PATIENTS, max_size=3).map(tuple),
    query=st.text(max_size=20),
    request=st.one_of(st.just(""), st.from_regex(r"[A-Za-z0-9._:\-]{1,64}", fullmatch=True)),
)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(ACTS, MOMENTS)
@settings(deadline=None, max_examples=150)
def test_text_and_keys_are_those_of_the_plain_way(act: Act, moment: datetime) -> None:
    quick, plain = event(act, moment, "quang-ninh", "a.01"), audit.event(act, moment, "quang-ninh", index, "a.01")

    assert quick.body == plain.body
    assert (quick.id, quick.recorded) == (plain.id, plain.recorded)
    assert sorted(quick.index.pop("keys")) == sorted(plain.index.pop("keys"))  # type: ignore[attr-defined]
    assert quick.index == plain.index


@pytest.mark.parametrize(
    "reference", ["Patient/ô", "#contained", 'Patient/"', "http://elsewhere/Patient/1", "Patient/"]
)
def test_a_name_that_is_no_reference_goes_the_plain_way(reference: str) -> None:
    act = Act("read", None, patients=(reference,), request='"')

    made = decode(event(act, datetime.now(UTC), "quang-ninh", "a").body)

    assert [one["what"] for one in made["entity"]] == [{"reference": reference}, {"identifier": {"value": '"'}}]


def test_what_two_requests_name_is_not_mixed_up() -> None:
    def named(patient: str) -> tuple[bytes, list[str]]:
        made = event(Act("read", None, patients=(f"Patient/{patient}",)), datetime.now(UTC), "quang-ninh", patient)
        return made.body, made.index["patients"]

    (first, _), (second, about) = named("one"), named("two")
    assert (b"two" in first, b"one" in second, about) == (False, False, ["two"])

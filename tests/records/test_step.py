"""Request lines of REST and of Bundle entries."""

import pytest

from fhir_gateway.problem import BadRequest, NotSupported, TooLarge
from fhir_gateway.records.step import Step, steps, version_number

PATIENT = {"resourceType": "Patient"}


def _bundle(*requests: dict[str, object]) -> dict[str, object]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(requests)}


def _only(request: dict[str, object], **rest: object) -> Step:
    (step,) = steps(_bundle({"request": request, **rest}), 10, "http://here/fhir")
    return step


def test_a_post_brings_its_condition_and_its_name_inside_the_bundle() -> None:
    request = {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=a|1"}

    step = _only(request, resource=PATIENT, fullUrl="urn:uuid:1")

    assert (step.method, step.type, step.id, step.condition) == ("POST", "Patient", None, "identifier=a|1")
    assert step.full_url == "urn:uuid:1"


def test_a_put_names_an_id_or_a_condition() -> None:
    assert _only({"method": "PUT", "url": "Patient/7", "ifMatch": 'W/"3"'}, resource=PATIENT).if_match == 3
    assert _only({"method": "PUT", "url": "Patient?identifier=1"}, resource=PATIENT).condition == "identifier=1"


def test_an_absolute_url_of_this_server_is_taken_as_a_relative_one() -> None:
    assert _only({"method": "DELETE", "url": "http://here/fhir/Patient/7"}).reference == "Patient/7"


def test_a_reading_entry_keeps_its_url() -> None:
    assert _only({"method": "GET", "url": "Patient?name=an"}).url == "Patient?name=an"


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        ({"url": "Patient"}, "Bundle.entry[0].request.method"),
        ({"method": "POST"}, "Bundle.entry[0].request.url"),
        ({"method": "POST", "url": "Patient/1"}, "Bundle.entry[0].request.url"),
        ({"method": "PUT", "url": "Patient"}, "Bundle.entry[0].request.url"),
        ({"method": "PUT", "url": "Patient/a_b"}, "Bundle.entry[0].request.url"),
        ({"method": "DELETE", "url": "patient/1"}, "Bundle.entry[0].request.url"),
        ({"method": "POST", "url": "Observation"}, "Bundle.entry[0].resource.resourceType"),
        ({"method": "POST", "url": "Patient", "ifNoneExist": 3}, "Bundle.entry[0].request.ifNoneExist"),
        ({"method": "PUT", "url": "Patient/1", "ifMatch": "three"}, "Bundle.entry[0].request.ifMatch"),
    ],
)
def test_a_senseless_request_is_refused_with_its_place(request_: dict[str, object], place: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        _only(request_, resource=PATIENT)

    assert refusal.value.issues[0].where == place


def test_an_unknown_method_is_not_supported() -> None:
    with pytest.raises(NotSupported):
        _only({"method": "BREW", "url": "Patient"})


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"entri": []}, "Bundle.entri"),
        ({"entry": [{"request": {"method": "GET", "url": "Patient"}, "fullurl": "x"}]}, "Bundle.entry[0].fullurl"),
        (
            {"entry": [{"request": {"method": "GET", "url": "Patient", "ifmatch": "x"}}]},
            "Bundle.entry[0].request.ifmatch",
        ),
    ],
)
def test_a_misspelt_member_is_not_taken_for_an_absent_one(wrong: dict[str, object], place: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        steps({"resourceType": "Bundle", "type": "batch", **wrong}, 10, "")

    assert refusal.value.issues[0].where == place


def test_an_operation_that_a_transaction_posts_is_refused() -> None:
    with pytest.raises(NotSupported, match="operations"):
        _only({"method": "POST", "url": "ValueSet/$lookup"}, resource={"resourceType": "Parameters"})


def test_a_put_that_wants_to_create_asks_for_version_zero() -> None:
    assert _only({"method": "PUT", "url": "Patient/1", "ifNoneMatch": "*"}, resource=PATIENT).if_match == 0
    with pytest.raises(NotSupported, match="ifNoneMatch"):
        _only({"method": "PUT", "url": "Patient/1", "ifNoneMatch": 'W/"1"'}, resource=PATIENT)


def test_a_condition_may_be_written_with_its_type() -> None:
    request = {"method": "POST", "url": "Patient", "ifNoneExist": "Patient?identifier=1"}

    assert _only(request, resource=PATIENT).condition == "identifier=1"


def test_more_entries_than_the_limit_are_refused() -> None:
    with pytest.raises(TooLarge, match="2 entries"):
        steps(_bundle(*[{"request": {"method": "GET", "url": "Patient"}}] * 3), 2, "")


@pytest.mark.parametrize(("etag", "number"), [('W/"12"', 12), ('"12"', 12), (None, None)])
def test_an_entity_tag_names_a_version(etag: str | None, number: int | None) -> None:
    assert version_number(etag) == number

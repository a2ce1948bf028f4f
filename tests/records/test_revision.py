"""The next version of a resource."""

from datetime import UTC, datetime

import pytest

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.problem import Unprocessable
from fhir_gateway.records.revision import deletion, revision

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


def test_numbers_keep_their_spelling_and_old_stamps_are_replaced() -> None:
    text = (
        b'{"resourceType":"Observation","id":"x","meta":{"versionId":"9","tag":[{"code":"t"}]},'
        b'"valueQuantity":{"value":7.20}}'
    )

    change = revision(decode_resource(text), "Observation/o", None, NOW, ("bai-chay",))

    assert change.version.body == (
        b'{"resourceType":"Observation","id":"o","meta":{"versionId":"1","lastUpdated":"2026-11-23T10:00:00.000Z",'
        b'"tag":[{"code":"t"}]},"valueQuantity":{"value":7.20}}'
    )


def test_what_contains_more_than_an_index_holds_is_refused() -> None:
    person = {"resourceType": "Patient", "id": "p", "identifier": [{"value": str(at)} for at in range(3000)]}
    facts = [{"resourceType": "Basic", "id": f"b{at}", "subject": {"reference": "#p"}} for at in range(10)]
    with pytest.raises(Unprocessable) as refused:
        revision({"resourceType": "Basic", "contained": [person, *facts]}, "Basic/x", None, NOW, ())
    assert refused.value.issues[0].where == "Basic.contained"


def test_a_deletion_follows_the_version_it_ends() -> None:
    first = revision({"resourceType": "Patient"}, "Patient/p", None, NOW, ("bai-chay",)).version

    change = deletion(first, NOW)

    assert (change.replaces, change.version.number, change.version.readers, change.index) == (1, 2, ("bai-chay",), {})

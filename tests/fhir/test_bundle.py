"""Bundles joined from stored texts."""

from datetime import UTC, datetime

from fhir_gateway.fhir.bundle import (
    Entry,
    Header,
    Response,
    batch_response,
    history,
    searchset,
    transaction_response,
)
from fhir_gateway.fhir.codec import decode
from fhir_gateway.fhir.validation import validate

STORED = b'{"resourceType":"Observation","id":"1","status":"final","code":{"text":"K"},"valueQuantity":{"value":7.20}}'
MOMENT = datetime(2026, 11, 23, 10, tzinfo=UTC)


def test_a_searchset_holds_the_stored_text_untouched() -> None:
    header = Header(total=1, links=[("self", "http://a.vn/fhir/Observation?code=K&_count=1")], timestamp=MOMENT)
    text = searchset([Entry(STORED, "http://a.vn/fhir/Observation/1", "match")], header)
    assert STORED in text
    bundle = decode(text)
    assert validate(bundle) == ()
    assert (bundle["total"], bundle["entry"][0]["search"]) == (1, {"mode": "match"})
    assert bundle["timestamp"] == "2026-11-23T10:00:00.000Z"


def test_an_empty_searchset_has_no_entry_member() -> None:
    assert searchset([], Header(total=0)) == b'{"resourceType":"Bundle","type":"searchset","total":0}'


def test_a_history_tells_what_was_done_and_what_is_gone() -> None:
    entries = [
        Entry(
            full_url="http://a.vn/fhir/Observation/1",
            request=("DELETE", "Observation/1"),
            response=Response("204", etag='W/"2"', modified=MOMENT),
        ),
        Entry(STORED, "http://a.vn/fhir/Observation/1", request=("PUT", "Observation/1"), response=Response("201")),
    ]
    bundle = decode(history(entries, Header(total=2, id="h")))
    assert validate(bundle) == ()
    assert "resource" not in bundle["entry"][0]
    assert bundle["entry"][0]["response"] == {
        "status": "204",
        "etag": 'W/"2"',
        "lastModified": "2026-11-23T10:00:00.000Z",
    }


def test_answers_to_a_transaction_and_a_batch_carry_their_outcomes() -> None:
    outcome = b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}'
    entries = [Entry(response=Response("422 Unprocessable", outcome=outcome)), Entry(response=Response("201", "a/b"))]
    for join, kind in ((transaction_response, "transaction-response"), (batch_response, "batch-response")):
        bundle = decode(join(entries))
        assert validate(bundle) == ()
        assert bundle["type"] == kind
        assert bundle["entry"][0]["response"]["outcome"]["issue"][0]["code"] == "invalid"
        assert bundle["entry"][1]["response"]["location"] == "a/b"

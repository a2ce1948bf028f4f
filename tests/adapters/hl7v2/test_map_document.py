"""TXA: a document, its state, and what its content rows become."""

import base64
from collections.abc import Callable

import pytest
from bundles import made

from adapters.contract import Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


@pytest.mark.parametrize(
    ("said", "status", "kept"),
    [("AV", "current", False), ("", "current", False), ("OB", "superseded", True), ("CA", "entered-in-error", True)],
)
def test_availability_is_the_status_and_the_code_sent_stays_beside_it(
    translate: Translate, message: Build, said: str, status: str, kept: bool
) -> None:
    (document,) = made(translate(message("MDM^T02", PID, f"TXA|1|DS||||||||||D1|||||||{said}")), "DocumentReference")

    assert document["status"] == status
    assert ("_status" in document) is kept


def test_a_cancelled_document_was_entered_in_error(translate: Translate, message: Build) -> None:
    (document,) = made(translate(message("MDM^T11", PID, "TXA|1|DS||||||||||D1|||||AU||AV")), "DocumentReference")

    assert (document["status"], document["docStatus"]) == ("entered-in-error", "entered-in-error")


def test_text_rows_become_one_text_in_their_order(translate: Translate, message: Build) -> None:
    body = message("MDM^T02", PID, "TXA|1|DS||||||||||D1", "OBX|1|TX|A||một||||||F", "OBX|2|FT|B||hai||||||F")
    (document,) = made(translate(body), "DocumentReference")

    assert base64.b64decode(document["content"][0]["attachment"]["data"]).decode() == "một\nhai"
    assert len(document["content"]) == 1


def test_a_measured_number_is_an_observation_that_the_document_relates_to(translate: Translate, message: Build) -> None:
    translation = translate(message("MDM^T02", PID, "TXA|1|DS||||||||||D1", "OBX|1|NM|CAN||62.5|kg|||||F"))
    (document,) = made(translation, "DocumentReference")
    (weight,) = made(translation, "Observation")

    assert document["context"]["related"] == [{"reference": f"urn:uuid:{weight['id']}"}]


@pytest.mark.parametrize(("event", "relation"), [("MDM^T06", "appends"), ("MDM^T10", "replaces"), ("MDM^T02", "")])
def test_the_event_says_how_a_document_relates_to_its_parent(
    translate: Translate, message: Build, event: str, relation: str
) -> None:
    (document,) = made(translate(message(event, PID, "TXA|1|DS||||||||||D2|D1")), "DocumentReference")

    assert [related["code"] for related in document.get("relatesTo", ())] == ([relation] if relation else [])


def test_a_resent_document_meets_the_same_id(translate: Translate, message: Build) -> None:
    first, again = (
        made(translate(message(event, PID, "TXA|1|DS||||||||||D1")), "DocumentReference")[0]["id"]
        for event in ("MDM^T02", "MDM^T08")
    )

    assert first == again

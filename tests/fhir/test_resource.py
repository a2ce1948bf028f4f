"""A resource and what the server writes into it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from fhir_gateway.fhir.resource import instant, is_id, reference, stamp

MOMENT = datetime(2026, 11, 23, 17, 0, 0, 123456, tzinfo=timezone(timedelta(hours=7)))


def test_an_instant_is_utc_with_milliseconds() -> None:
    assert instant(MOMENT) == "2026-11-23T10:00:00.123Z"
    assert instant(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


def test_an_instant_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        instant(datetime(2026, 11, 23, 10))


def test_a_stamp_replaces_what_the_server_alone_writes_and_keeps_the_rest() -> None:
    given = {
        "id": "theirs",
        "meta": {"versionId": "9", "lastUpdated": "x", "_lastUpdated": {}, "source": "urn:a", "tag": [{"code": "t"}]},
        "resourceType": "Patient",
        "active": True,
    }
    assert stamp(given, "ours", 2, MOMENT) == {
        "resourceType": "Patient",
        "id": "ours",
        "meta": {
            "versionId": "2",
            "lastUpdated": "2026-11-23T10:00:00.123Z",
            "source": "urn:a",
            "tag": [{"code": "t"}],
        },
        "active": True,
    }
    assert given["id"] == "theirs"


def test_a_stamp_puts_type_id_and_meta_first() -> None:
    assert list(stamp({"active": True, "resourceType": "Patient"}, "a", 1, MOMENT)) == [
        "resourceType",
        "id",
        "meta",
        "active",
    ]


@pytest.mark.parametrize("text", ["a", "A-1.b", "x" * 64])
def test_ids_of_r4_are_known(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize("text", ["", "x" * 65, "a b", "a_b", "é", "a\n"])
def test_what_is_no_id_is_refused(text: str) -> None:
    assert not is_id(text)


def test_a_resource_is_named_by_type_and_id() -> None:
    assert reference({"resourceType": "Patient", "id": "1"}) == "Patient/1"

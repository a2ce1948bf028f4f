"""SCH: the state of an appointment, its times, who and what takes part."""

from collections.abc import Callable

import pytest
from bundles import made

from adapters.contract import Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


SCH = "SCH|1|LH1|||||||||^^^20261120083000"


@pytest.mark.parametrize(
    ("event", "said", "status"),
    [
        ("SIU^S12", "", "booked"),
        ("SIU^S12", "Pending", "pending"),
        ("SIU^S14", "Started", "checked-in"),
        ("SIU^S15", "Booked", "cancelled"),
        ("SIU^S17", "", "entered-in-error"),
        ("SIU^S26", "", "noshow"),
    ],
)
def test_status_is_what_the_event_says_and_else_what_the_filler_says(
    translate: Translate, message: Build, event: str, said: str, status: str
) -> None:
    (booked,) = made(translate(message(event, f"SCH|1|LH1|||||||||||||||||||||||{said}", PID)), "Appointment")

    assert booked["status"] == status


def test_the_end_follows_from_the_length(translate: Translate, message: Build) -> None:
    (booked,) = made(translate(message("SIU^S12", "SCH|1|LH1|||||||2|h|^^^20261120233000", PID)), "Appointment")

    assert (booked["start"], booked["end"]) == ("2026-11-20T23:30:00+07:00", "2026-11-21T01:30:00+07:00")
    assert booked["minutesDuration"] == 120


def test_an_end_that_nobody_said_is_unknown_and_never_invented(translate: Translate, message: Build) -> None:
    (booked,) = made(translate(message("SIU^S12", SCH, PID)), "Appointment")

    assert "end" not in booked
    assert booked["_end"]["extension"][0]["valueCode"] == "unknown"


def test_a_row_that_is_taken_out_is_not_booked(translate: Translate, message: Build) -> None:
    rows = ["AIP|1|A|BS1^PHẠM^AN", "AIP|2|D|BS2^LÊ^HÀ"]
    (booked,) = made(translate(message("SIU^S12", SCH, PID, *rows)), "Appointment")

    assert [entry["actor"].get("display") for entry in booked["participant"]] == [None, "PHẠM AN"]


def test_comments_of_the_book_and_of_its_rows_are_one_text(translate: Translate, message: Build) -> None:
    body = message("SIU^S12", SCH, "NTE|1||Nhịn ăn.", PID, "AIS|1|A|SA^Siêu âm", "NTE|1||Mang phim.")
    (booked,) = made(translate(body), "Appointment")

    assert booked["comment"] == "Nhịn ăn.\nMang phim."
    assert [concept["text"] for concept in booked["serviceType"]] == ["Siêu âm"]


def test_an_appointment_that_moves_keeps_its_id(translate: Translate, message: Build) -> None:
    first, moved = (
        made(translate(message(event, SCH.replace("20261120", day), PID)), "Appointment")[0]["id"]
        for event, day in (("SIU^S12", "20261120"), ("SIU^S13", "20261127"))
    )

    assert first == moved


def test_the_timing_row_comes_before_the_old_timing_field(translate: Translate, message: Build) -> None:
    sch = "SCH|1|LH1|||||||||^^^20261101083000^20261101090000"
    tq1 = "TQ1|1||||||20261120083000|20261120091500"

    (booked,) = made(translate(message("SIU^S12", sch, tq1, PID)), "Appointment")

    assert (booked["start"], booked["end"]) == ("2026-11-20T08:30:00+07:00", "2026-11-20T09:15:00+07:00")

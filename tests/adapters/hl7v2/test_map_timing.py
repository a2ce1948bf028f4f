"""TQ1: rhythm, bounds, hours and urgency."""

from collections.abc import Callable

import pytest
from bundles import made

from adapters.contract import Fate, Resource, Translation

Translate = Callable[[bytes], Translation]
Build = Callable[..., bytes]

PID = "PID|1||QN0001^^^22T01^MR||NGUYỄN^HOÀ^VĂN||1961|M"


def timing(translate: Translate, message: Build, tq1: str) -> Resource:
    (order,) = made(translate(message("OML^O21", PID, "ORC|NW|P1", tq1, "OBR|1|P1||SHM")), "ServiceRequest")
    return order


@pytest.mark.parametrize(
    ("said", "rhythm"),
    [("BID", (2, 1, "d")), ("Q6H", (1, 6, "h")), ("QOD", (1, 2, "d")), ("Q2W", (1, 2, "wk")), ("KHI ĐAU", None)],
)
def test_a_rhythm_is_read_where_it_has_a_meaning_and_kept_as_text(
    translate: Translate, message: Build, said: str, rhythm: tuple[int, int, str] | None
) -> None:
    made_of_it = timing(translate, message, f"TQ1|1||{said}")["occurrenceTiming"]
    repeat = made_of_it.get("repeat", {})

    assert made_of_it["code"]["text"] == said
    assert (tuple(repeat[name] for name in ("frequency", "period", "periodUnit")) if repeat else None) == rhythm


def test_hours_of_the_day_stand_instead_of_a_rhythm(translate: Translate, message: Build) -> None:
    repeat = timing(translate, message, "TQ1|1||BID|0800~2000")["occurrenceTiming"]["repeat"]

    assert repeat == {"timeOfDay": ["08:00:00", "20:00:00"]}


def test_an_urgency_without_a_time_is_no_timing(translate: Translate, message: Build) -> None:
    order = timing(translate, message, "TQ1|1||||||||S")

    assert order["priority"] == "stat"
    assert "occurrenceTiming" not in order


def test_the_time_of_the_order_itself_wins(translate: Translate, message: Build) -> None:
    body = message("OML^O21", PID, "ORC|NW|P1", "TQ1|1||BID", "OBR|1|P1||SHM||20261106080000")
    translation = translate(body)

    assert made(translation, "ServiceRequest")[0]["occurrenceDateTime"] == "2026-11-06T08:00:00+07:00"
    assert [account.fate for account in translation.ledger if account.place == "TQ1[1]-3[1]"] == [Fate.UNMAPPED]

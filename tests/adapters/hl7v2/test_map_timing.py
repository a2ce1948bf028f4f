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


def test_a_meal_and_the_minutes_before_it_are_a_rhythm(translate: Translate, message: Build) -> None:
    made_of_it = timing(translate, message, "TQ1|1||A^^^^1^d^^ACM^1800^s")["occurrenceTiming"]

    assert made_of_it["code"]["coding"][0]["code"] == "A"
    assert made_of_it["repeat"] == {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["ACM"], "offset": 30}


def test_minutes_from_nothing_stay_unmapped(translate: Translate, message: Build) -> None:
    said = message("OML^O21", PID, "ORC|NW|P1", "TQ1|1||A^^^^^^^^10^min", "OBR|1|P1||SHM")
    translation = translate(said)

    assert "repeat" not in made(translation, "ServiceRequest")[0]["occurrenceTiming"]
    assert {a.place: a.fate for a in translation.ledger}["TQ1[1]-3[1].9"] is Fate.UNMAPPED


def test_what_table_0335_says_in_another_way_keeps_its_own_code(translate: Translate, message: Build) -> None:
    codings = timing(translate, message, "TQ1|1||QHS")["occurrenceTiming"]["code"]["coding"]

    assert [one["code"] for one in codings] == ["BED", "QHS"]


def test_a_rhythm_of_a_list_of_the_senders_own_keeps_its_code(translate: Translate, message: Build) -> None:
    said = "TQ1|1||1013044400000000&ngày 3 lần sau ăn&JAMIS"
    code = timing(translate, message, said)["occurrenceTiming"]["code"]

    (coding,) = code["coding"]
    assert (coding["system"], coding["code"]) == ("urn:vn:code:qn-general:jamis", "1013044400000000")
    assert code["text"] == coding["display"] == "ngày 3 lần sau ăn"


def test_a_rhythm_named_with_its_table_is_one_coding(translate: Translate, message: Build) -> None:
    codings = timing(translate, message, "TQ1|1||P&Sau&HL70335")["occurrenceTiming"]["code"]["coding"]

    assert [(one["code"], one["display"]) for one in codings] == [("P", "Sau")]


def test_days_counted_from_a_day_end_on_the_last_of_them(translate: Translate, message: Build) -> None:
    for length, end in (("3^D", "2026-11-04"), ("1^WK", "2026-11-08"), ("5^h", None)):
        repeat = timing(translate, message, f"TQ1|1||BID|||{length}|20261102")["occurrenceTiming"]["repeat"]
        assert repeat["boundsPeriod"].get("end") == end

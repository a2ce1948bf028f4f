"""Dates by the format the hospital names."""

import pytest

from adapters.tabular.times import is_serial, moment


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("05/03/1986", "dd/MM/yyyy", "1986-03-05"),
        ("3/5/1986", "M/d/yyyy", "1986-03-05"),
        ("05/03/2026 07:30", "dd/MM/yyyy[ HH:mm]", "2026-03-05T07:30:00+07:00"),
        ("05/03/2026", "dd/MM/yyyy[ HH:mm]", "2026-03-05"),
        ("05.03.2026 7:05", "dd.MM.yyyy H:mm", "2026-03-05T07:05:00+07:00"),
        ("1970", "dd/MM/yyyy", "1970"),
        ("2026-03-05", "dd/MM/yyyy", "2026-03-05"),
        ("2026-03-05T07:30:15", "", "2026-03-05T07:30:15+07:00"),
        ("2026-03-05T07:30:15.123Z", "", "2026-03-05T07:30:15Z"),
        ("2026-03-05 07:30:15-05:00", "", "2026-03-05T07:30:15-05:00"),
        ("202603050730", "", "2026-03-05T07:30:00+07:00"),
        ("2026-03", "", "2026-03"),
    ],
)
def test_a_date_is_as_precise_as_its_text(text, form, expected):
    assert moment(text, (form,) if form else (), "+07:00") == expected


@pytest.mark.parametrize("text", ["31/02/2000", "45231", "05/03/86", "00/00/0000", "2026-13", "", "tomorrow", "1500"])
def test_what_is_no_day_is_not_read(text):
    assert moment(text, ("dd/MM/yyyy",), "+07:00") is None


def test_what_a_spreadsheet_counts_is_seen():
    assert is_serial("45231")
    assert is_serial("45231.5")
    assert not is_serial("1970")
    assert not is_serial("20260305")

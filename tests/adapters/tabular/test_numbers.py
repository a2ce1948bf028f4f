"""Amounts: exact where they are unambiguous."""

from decimal import Decimal

import pytest

from adapters.tabular.numbers import amount, quantity


@pytest.mark.parametrize(
    ("text", "comma", "expected"),
    [
        ("7.20", False, ("", "7.20")),
        ("5,4", False, ("", "5.4")),
        ("0,123", False, ("", "0.123")),
        ("1,234", False, None),
        ("1,234", True, ("", "1.234")),
        ("1.234,50", True, ("", "1234.50")),
        ("1.234", True, ("", "1234")),
        ("<0,3", False, ("<", "0.3")),
        ("≥ 12", False, (">=", "12")),
        ("-007", False, ("", "-7")),
        ("+3", False, ("", "3")),
        ("1.2.3", False, None),
        ("12 g", False, None),
        ("", False, None),
    ],
)
def test_a_number_is_read_only_one_way(text, comma, expected):
    found = amount(text, comma)
    assert (found and (found[0], str(found[1]))) == expected


def test_a_unit_keeps_its_text_and_gets_its_code():
    assert quantity(("", Decimal("1")), "ml/giờ")["code"] == "mL/h"
    assert "code" not in quantity(("", Decimal("1")), "viên")

"""The International Patient Summary as data."""

import pytest

from fhir_gateway.fhir import ips
from fhir_gateway.fhir.validation import validate


@pytest.mark.parametrize("section", [one for one in ips.SECTIONS if one.absent], ids=lambda one: one.code)
def test_what_says_that_nothing_is_known_is_valid(section: ips.Section) -> None:
    assert validate(ips.unknown(section, "11111111-1111-4111-8111-111111111111", "Patient/p")) == ()


def test_a_narrative_holds_what_is_said_and_when_without_markup_of_others() -> None:
    observation = {
        "code": {"text": "Huyết áp <b>"},
        "component": [{"code": {"text": "tối đa"}, "valueQuantity": {"value": 120, "unit": "mmHg"}}],
        "effectiveDateTime": "2026-11-23",
    }
    div = ips.narrative("Dấu hiệu", [observation], 3)["div"]

    assert "Huyết áp &lt;b&gt;: tối đa: 120 mmHg" in div
    assert "2026-11-23" in div
    assert "3 mục khác" in div


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        ({"code": {"coding": [{"code": "A90", "display": "Dengue"}]}}, "Dengue"),
        ({"vaccineCode": {"coding": [{"code": "08"}]}}, "08"),
        ({"medicationReference": {"display": "Paracetamol"}}, "Paracetamol"),
        ({"code": {"text": "Nhóm máu"}, "valueCodeableConcept": {"text": "O"}}, "Nhóm máu: O"),
        ({}, "—"),
    ],
)
def test_each_kind_of_record_says_what_it_is_about(resource, text) -> None:
    assert f"<td>{text}</td>" in ips.narrative("x", [resource])["div"]

"""Arguments of operations."""

from datetime import UTC, datetime

import pytest

from fhir_gateway.fhir.parameters import Arguments, answer, arguments, parameter
from fhir_gateway.problem import BadRequest, NotSupported


def test_arguments_of_the_url_and_of_parameters_come_together() -> None:
    sent = answer(parameter("count", "Integer", 3), parameter("coding", "Coding", {"code": "x"}))
    given = arguments([("url", "http://x")], sent)

    assert (given.text("url"), given.number("count"), given.element("coding")) == ("http://x", 3, {"code": "x"})
    assert (given.text("none"), given.number("none"), given.element("none"), given.flag("none")) == (None,) * 3 + (
        False,
    )


@pytest.mark.parametrize(
    "sent",
    [
        {"resourceType": "Patient"},
        {"resourceType": "Parameters", "parameter": {}},
        {"resourceType": "Parameters", "parameter": ["x"]},
        {"resourceType": "Parameters", "parameter": [{"name": "x"}]},
        {"resourceType": "Parameters", "parameter": [{"valueString": "x"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "x", "valueString": "a", "valueCode": "b"}]},
    ],
)
def test_what_is_no_parameters_is_refused(sent) -> None:
    with pytest.raises(BadRequest):
        arguments([], sent)


@pytest.mark.parametrize(
    "ask",
    [
        lambda given: given.text("twice"),
        lambda given: given.text("empty"),
        lambda given: given.number("word"),
        lambda given: given.number("flag"),
        lambda given: given.flag("word"),
        lambda given: given.instant("word"),
        lambda given: given.element("word"),
        lambda given: given.needed("none"),
        lambda given: given.texts("flag"),
        lambda given: given.only({"word"}),
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused(ask) -> None:
    entries = (("twice", "a"), ("twice", "b"), ("empty", ""), ("word", "x"), ("flag", True))

    with pytest.raises(BadRequest):
        ask(Arguments(entries))


def test_what_fhir_has_and_the_server_has_not_is_told_apart() -> None:
    with pytest.raises(NotSupported):
        Arguments((("context", "x"),)).only({"url"}, {"context"})


def test_a_day_begins_in_utc_and_a_time_needs_its_zone() -> None:
    assert Arguments((("since", "2026-11-23"),)).instant("since") == datetime(2026, 11, 23, tzinfo=UTC)
    assert Arguments((("since", "2026-11-23T07:00:00+07:00"),)).instant("since") == datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(BadRequest):
        Arguments((("since", "2026-11-23T07:00:00"),)).instant("since")

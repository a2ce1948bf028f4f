import os
from pathlib import Path

import pytest

from fhir_gateway.fhir.codec import decode_resource
from fhir_gateway.fhir.subset import SUMMARIES, TAG, WHOLE, must_be_whole, wanted
from fhir_gateway.fhir.validation import validate
from fhir_gateway.problem import BadRequest, Unprocessable

HERE = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("FHIR_GATEWAY_CORPUS", HERE.parent / "shared" / "corpus"))
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o",
    "meta": {"versionId": "1", "tag": [{"code": "mine"}]},
    "text": {"status": "generated", "div": "<div>x</div>"},
    "status": "final",
    "code": {"text": "Glucose", "extension": [{"url": "u", "valueCode": "c"}]},
    "valueQuantity": {"value": 7},
    "note": [{"text": "n"}],
}


def part(*pairs):
    return wanted(pairs, "Observation").of(OBSERVATION)


def names(resource):
    return [name for name in resource if name not in ("resourceType", "id", "meta")]


def test_each_summary_keeps_its_own_part():
    kept = {value: names(part(("_summary", value))) for value in SUMMARIES}
    assert kept == {
        "true": ["status", "code", "valueQuantity"],
        "false": ["text", "status", "code", "valueQuantity", "note"],
        "text": ["text", "status", "code"],
        "data": ["status", "code", "valueQuantity", "note"],
        "count": ["text", "status", "code", "valueQuantity", "note"],
    }


def test_a_summary_goes_down_into_the_elements():
    assert part(("_summary", "true"))["code"] == {"text": "Glucose"}


def test_elements_are_kept_with_those_that_must_be_there():
    assert names(part(("_elements", "value,Patient.name"))) == ["status", "code", "valueQuantity"]


def test_a_part_carries_the_tag_once_and_keeps_the_others():
    once = part(("_elements", "note"))
    assert once["meta"] == {"versionId": "1", "tag": [{"code": "mine"}, TAG]}
    assert wanted([("_summary", "data")], None).of(once)["meta"] == once["meta"]
    assert OBSERVATION["meta"]["tag"] == [{"code": "mine"}]


def test_the_whole_is_untouched():
    assert part() is OBSERVATION
    assert WHOLE.is_whole
    assert wanted([("_elements", "Patient.name")], "Patient").of(OBSERVATION) is OBSERVATION


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        (("_summary", "yes"), "one of"),
        (("_elements", "valeu"), "did you mean value?"),
        (("_elements", "Foo.name"), "Type.element"),
        (("_elements", "Patient.nam"), "did you mean name?"),
    ],
)
def test_what_is_not_understood_is_refused(pair, text):
    with pytest.raises(BadRequest) as caught:
        part(pair)
    assert text in caught.value.text


def test_a_part_may_not_replace_the_whole():
    must_be_whole(OBSERVATION)
    with pytest.raises(Unprocessable):
        must_be_whole(part(("_summary", "true")))


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_summaries_of_official_examples_have_no_fault_of_structure():
    faulty = []
    for path in sorted(CORPUS.glob("fhir-r4/*.json"))[::5]:
        resource = decode_resource(path.read_bytes())
        for value in SUMMARIES:
            issues = validate(wanted([("_summary", value)], None).of(resource))
            faulty += [path.name for issue in issues if issue.code in ("required", "value")]
    assert faulty == []

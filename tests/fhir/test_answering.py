"""Answers against their questions: each rule kept and broken."""

from typing import Any

import pytest

from fhir_gateway.fhir.answering import faults

Q = "QuestionnaireResponse"


def item(link: str, *answers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"linkId": link, **({"answer": list(answers)} if answers else {}), **more}


def found(questions: list[dict[str, Any]], *items: dict[str, Any], status: str = "completed", **more: Any):
    response = {"resourceType": Q, "status": status, "item": list(items)}
    questionnaire = {"resourceType": "Questionnaire", "item": questions}
    return [(one.where, one.code) for one in faults(response, questionnaire, more)]


AGE = {"linkId": "age", "type": "integer", "required": True}
SMOKES = {"linkId": "smokes", "type": "boolean"}
PACKS = {
    "linkId": "packs",
    "type": "decimal",
    "enableWhen": [{"question": "smokes", "operator": "=", "answerBoolean": True}],
}
COLOUR = {
    "linkId": "colour",
    "type": "choice",
    "answerOption": [{"valueCoding": {"system": "s", "code": "r"}}, {"valueCoding": {"system": "s", "code": "g"}}],
}


@pytest.mark.parametrize(
    ("questions", "good", "bad", "fault"),
    [
        ([AGE], [item("age", {"valueInteger": 5})], [], (f"{Q}.item", "required")),
        ([AGE], [item("age", {"valueInteger": 5})], [item("age")], (f"{Q}.item[0]", "required")),
        ([SMOKES], [item("smokes")], [item("other")], (f"{Q}.item[0].linkId", "not-found")),
        (
            [SMOKES],
            [item("smokes", {"valueBoolean": True})],
            [item("smokes", {"valueString": "yes"})],
            (f"{Q}.item[0].answer[0].valueString", "structure"),
        ),
        (
            [SMOKES],
            [item("smokes", {"valueBoolean": True})],
            [item("smokes", {"valueBoolean": True}, {"valueBoolean": False})],
            (f"{Q}.item[0].answer", "structure"),
        ),
        ([SMOKES], [item("smokes")], [item("smokes"), item("smokes")], (f"{Q}.item[1]", "structure")),
        (
            [SMOKES, PACKS],
            [item("smokes", {"valueBoolean": True}), item("packs", {"valueDecimal": 1})],
            [item("smokes", {"valueBoolean": False}), item("packs", {"valueDecimal": 1})],
            (f"{Q}.item[1]", "invariant"),
        ),
        (
            [SMOKES, COLOUR],
            [item("smokes"), item("colour")],
            [item("colour"), item("smokes")],
            (f"{Q}.item[1]", "structure"),
        ),
        (
            [COLOUR],
            [item("colour", {"valueCoding": {"system": "s", "code": "r", "display": "red"}})],
            [item("colour", {"valueCoding": {"system": "s", "code": "b"}})],
            (f"{Q}.item[0].answer[0].valueCoding", "code-invalid"),
        ),
        (
            [{"linkId": "n", "type": "string", "maxLength": 2}],
            [item("n", {"valueString": "ab"})],
            [item("n", {"valueString": "abc"})],
            (f"{Q}.item[0].answer[0].valueString", "too-long"),
        ),
        (
            [{"linkId": "g", "type": "group", "item": [SMOKES]}],
            [item("g", item=[item("smokes")])],
            [item("g", {"valueBoolean": True})],
            (f"{Q}.item[0].answer", "structure"),
        ),
        (
            [{"linkId": "q", "type": "string", "item": [AGE]}],
            [item("q", {"valueString": "x", "item": [item("age", {"valueInteger": 1})]})],
            [item("q", {"valueString": "x"})],
            (f"{Q}.item[0].answer[0].item", "required"),
        ),
    ],
)
def test_an_answer_is_what_its_question_asks(questions, good, bad, fault):
    assert found(questions, *good) == []
    assert fault in found(questions, *bad)


def test_what_is_in_progress_may_be_incomplete():
    assert found([AGE], status="in-progress") == []


def test_a_required_question_that_is_not_enabled_is_not_missed():
    assert found([SMOKES, {**PACKS, "required": True}], item("smokes", {"valueBoolean": False})) == []


@pytest.mark.parametrize(
    ("operator", "wanted", "enabled"),
    [(">", 4, True), (">", 5, False), ("<=", 5, True), ("!=", 5, False), ("!=", 6, True), ("exists", True, True)],
)
def test_a_question_is_enabled_by_other_answers(operator, wanted, enabled):
    member = "answerBoolean" if operator == "exists" else "answerInteger"
    after = {**SMOKES, "enableWhen": [{"question": "age", "operator": operator, member: wanted}]}
    answers = item("age", {"valueInteger": 5}), item("smokes", {"valueBoolean": True})

    assert (found([AGE, after], *answers) == []) is enabled


def test_one_of_several_conditions_or_all_of_them():
    conditions = [{"question": "age", "operator": "=", "answerInteger": one} for one in (5, 6)]
    answers = item("age", {"valueInteger": 5}), item("smokes", {"valueBoolean": True})

    for behaviour, enabled in (("any", True), ("all", False)):
        after = {**SMOKES, "enableWhen": conditions, "enableBehavior": behaviour}
        assert (found([AGE, after], *answers) == []) is enabled


def test_codes_are_asked_of_value_sets_and_an_open_choice_takes_any_text():
    question = {"linkId": "c", "type": "choice", "answerValueSet": "http://x/vs"}
    sets = {"http://x/vs": lambda _, code: code == "a"}
    good, bad = ({"valueCoding": {"system": "s", "code": code}} for code in "ab")

    assert found([question], item("c", good), **sets) == []
    assert found([question], item("c", bad), **sets) == [(f"{Q}.item[0].answer[0].valueCoding", "code-invalid")]
    assert found([question], item("c", bad)) == []
    assert found([{**COLOUR, "type": "open-choice"}], item("colour", {"valueString": "azure"})) == []


def test_an_answer_that_excludes_others_stands_alone():
    exclusive = {"url": "http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive", "valueBoolean": True}
    none = {"valueCoding": {"code": "none"}, "extension": [exclusive]}
    asked = {"linkId": "q", "type": "choice", "repeats": True, "answerOption": [none, {"valueCoding": {"code": "a"}}]}
    given = [{"valueCoding": {"code": "none"}}, {"valueCoding": {"code": "a"}}]
    assert found([asked], item("q", given[0])) == []
    assert found([asked], item("q", *given)) == [(f"{Q}.item[0].answer", "invariant")]


def test_limits_of_a_question_are_asked_of_each_answer_and_of_their_number():
    core = "http://hl7.org/fhir/StructureDefinition/"
    limits = [
        {"url": f"{core}minValue", "valueInteger": 5},
        {"url": f"{core}questionnaire-maxOccurs", "valueInteger": 1},
    ]
    asked = {"linkId": "q", "type": "integer", "repeats": True, "extension": limits}
    assert found([asked], item("q", {"valueInteger": 5})) == []
    assert found([asked], item("q", {"valueInteger": 4})) == [(f"{Q}.item[0].answer[0].valueInteger", "value")]
    assert found([asked], item("q", {"valueInteger": 5}, {"valueInteger": 6})) == [(f"{Q}.item[0]", "structure")]

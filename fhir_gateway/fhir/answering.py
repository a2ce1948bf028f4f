"""A QuestionnaireResponse against its Questionnaire: what is asked is answered, in its type, and nothing else is.

https://hl7.org/fhir/R4/questionnaireresponse.html#notes, https://hl7.org/fhir/R4/questionnaire.html#enableWhen
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fhir_gateway.fhir import answer_limits
from fhir_gateway.fhir.answer_limits import chosen
from fhir_gateway.fhir.expression.items import Item
from fhir_gateway.fhir.expression.operators import equal, order
from fhir_gateway.fhir.expression.syntax import NotFhirPath
from fhir_gateway.fhir.profile.tree import CORE
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Issue

Entry = dict[str, Any]
Holds = Callable[[str | None, str], bool | None]

EXCLUSIVE = f"{CORE}questionnaire-optionExclusive"
_FINISHED = ("completed", "amended")
_TYPES: Mapping[str, tuple[str, ...]] = {
    "boolean": ("Boolean",),
    "decimal": ("Decimal",),
    "integer": ("Integer",),
    "date": ("Date",),
    "dateTime": ("DateTime",),
    "time": ("Time",),
    "string": ("String",),
    "text": ("String",),
    "url": ("Uri",),
    "choice": ("Coding", "Integer", "Date", "Time", "String", "Reference"),
    "open-choice": ("Coding", "Integer", "Date", "Time", "String", "Reference"),
    "attachment": ("Attachment",),
    "reference": ("Reference",),
    "quantity": ("Quantity",),
}
_COMPARED: Mapping[str, Callable[[int | None], bool]] = {
    ">": lambda found: found == 1,
    "<": lambda found: found == -1,
    ">=": lambda found: found in (0, 1),
    "<=": lambda found: found in (0, -1),
}


def faults(response: Resource, questionnaire: Resource, value_sets: Mapping[str, Holds]) -> Iterator[Issue]:
    """What the response does against the questions; ``value_sets`` says which codes may answer."""
    given: dict[str, list[Item]] = {}
    _collect(response, given)
    check = _Check(str(response.get("status")) in _FINISHED, given, value_sets)
    yield from check.level(response, questionnaire, "QuestionnaireResponse")


def _collect(entry: Entry, found: dict[str, list[Item]]) -> None:
    for item in _listed(entry, "item"):
        for answer in _listed(item, "answer"):
            found.setdefault(str(item.get("linkId")), []).extend(chosen(answer))
            _collect(answer, found)
        _collect(item, found)


@dataclass(frozen=True, slots=True)
class _Check:
    finished: bool
    given: Mapping[str, list[Item]]
    value_sets: Mapping[str, Holds] = field(default_factory=dict)

    def level(self, entry: Entry, asked: Entry, path: str) -> Iterator[Issue]:
        """The items below an item, or below an answer, against the questions below the question."""
        questions = {str(one.get("linkId")): one for one in _listed(asked, "item")}
        places = {name: place for place, name in enumerate(questions)}
        found: dict[str, list[tuple[str, Entry]]] = {}
        last = -1
        for place, item in enumerate(_listed(entry, "item")):
            where, name = f"{path}.item[{place}]", str(item.get("linkId"))
            if name not in questions:
                yield Issue("the questionnaire has no such item here", f"{where}.linkId", "not-found")
                continue
            if places[name] < last:
                yield Issue("items come in the order of the questionnaire", where, "structure")
            last = places[name]
            found.setdefault(name, []).append((where, item))
        for name, question in questions.items():
            yield from self._question(question, found.get(name, []), path)

    def _question(self, question: Entry, found: list[tuple[str, Entry]], path: str) -> Iterator[Issue]:
        name = question.get("linkId")
        if not self._is_enabled(question):
            for where, item in found:
                if _listed(item, "answer") or _listed(item, "item"):
                    yield Issue(f"{name} is not enabled by the other answers", where, "invariant")
            return
        if question.get("required") is True and self.finished and not any(_is_filled(item) for _, item in found):
            yield Issue(f"{name} is required", found[0][0] if found else f"{path}.item", "required")
        given = (
            found if question.get("type") == "group" else [one for _, item in found for one in _listed(item, "answer")]
        )
        for text in answer_limits.count_faults(question, len(given), finished=self.finished):
            yield Issue(text, found[0][0] if found else f"{path}.item", "structure")
        if len(found) > 1 and (question.get("type") != "group" or question.get("repeats") is not True):
            yield Issue(f"{name} may be there once", found[1][0], "structure")
        for where, item in found:
            yield from self._item(question, item, where)

    def _item(self, question: Entry, item: Entry, where: str) -> Iterator[Issue]:
        answers = _listed(item, "answer")
        if question.get("type") in ("group", "display"):
            if answers:
                yield Issue(f"a {question['type']} has no answers", f"{where}.answer", "structure")
            yield from self.level(item, question, where)
            return
        if _listed(item, "item"):
            yield Issue("items below a question stand in its answers", f"{where}.item", "structure")
        if len(answers) > 1 and question.get("repeats") is not True:
            yield Issue("the question takes one answer", f"{where}.answer", "structure")
        if len(answers) > 1 and any(_is_exclusive(question, answer) for answer in answers):
            yield Issue("an answer that excludes all others is not alone", f"{where}.answer", "invariant")
        for place, answer in enumerate(answers):
            yield from self._answer(question, answer, f"{where}.answer[{place}]")
            yield from self.level(answer, question, f"{where}.answer[{place}]")

    def _answer(self, question: Entry, answer: Entry, where: str) -> Iterator[Issue]:
        member = next((name for name in answer if name.startswith("value")), "")
        kind, value = member.removeprefix("value"), answer.get(member)
        allowed = _TYPES.get(str(question.get("type")), ())
        if member and kind not in allowed:
            yield Issue(f"the answer must be {' or '.join(allowed)}", f"{where}.{member}", "structure")
            return
        longest = question.get("maxLength")
        if isinstance(longest, int) and isinstance(value, str) and len(value) > longest:
            yield Issue(f"is longer than {longest} characters", f"{where}.{member}", "too-long")
        for text in (one for each in chosen(answer) for one in answer_limits.faults(question, each, self.value_sets)):
            yield Issue(text, f"{where}.{member}", "value")
        if member and not self._is_offered(question, answer, kind):
            yield Issue("is none of the answers that the question offers", f"{where}.{member}", "code-invalid")

    def _is_offered(self, question: Entry, answer: Entry, kind: str) -> bool:
        """Whether it is among the options or codes; an open choice may be any text."""
        options, canonical = _listed(question, "answerOption"), question.get("answerValueSet")
        if question.get("type") == "open-choice" and kind == "String":
            return True
        if options:
            return any(_alike(one, other) for one in chosen(answer) for option in options for other in chosen(option))
        holds = self.value_sets.get(str(canonical))
        coding = answer.get("valueCoding")
        if holds is None or not isinstance(coding, dict) or "code" not in coding:
            return True
        return holds(coding.get("system"), coding["code"]) is not False

    def _is_enabled(self, question: Entry) -> bool:
        conditions = [self._holds(one) for one in _listed(question, "enableWhen")]
        if not conditions:
            return True
        return any(conditions) if question.get("enableBehavior") == "any" else all(conditions)

    def _holds(self, condition: Entry) -> bool:
        given = self.given.get(str(condition.get("question")), [])
        wanted = next(iter(chosen(condition, "answer")), None)
        operator = str(condition.get("operator"))
        if operator == "exists":
            return bool(given) is condition.get("answerBoolean")
        if wanted is None:
            return False
        if operator in ("=", "!="):
            return any(_alike(one, wanted) for one in given) is (operator == "=")
        return any(_COMPARED[operator](_order(one, wanted)) for one in given) if operator in _COMPARED else False


def _is_filled(item: Entry) -> bool:
    return bool(_listed(item, "answer")) or any(map(_is_filled, _listed(item, "item")))


def _is_exclusive(question: Entry, answer: Entry) -> bool:
    """https://hl7.org/fhir/R4/extension-questionnaire-optionexclusive.html"""
    options = _listed(question, "answerOption")
    marked = [one for one in options if any(flag.value for flag in answer_limits.stated(one, EXCLUSIVE))]
    return any(_alike(one, other) for option in marked for one in chosen(option) for other in chosen(answer))


def _alike(one: Item, other: Item) -> bool:
    """Equal; codes by system and code, links by where they lead."""
    for names in (("system", "code"), ("reference",)):
        if all(isinstance(each.value, dict) and names[-1] in each.value for each in (one, other)):
            return all(one.value.get(name) == other.value.get(name) for name in names)
    return equal(one, other) is True


def _order(one: Item, other: Item) -> int | None:
    try:
        return order(one, other)
    except NotFhirPath:
        return None


def _listed(element: Entry, name: str) -> list[Entry]:
    found = element.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

"""Rules about questionnaires and terminology: the definitions a hospital may store.

https://hl7.org/fhir/R4/questionnaire.html, https://hl7.org/fhir/R4/valueset.html
"""

from collections.abc import Iterator

from fhir_gateway.fhir.invariants.rule import Element, Rule, chosen, distinct, has, listed

_ANSWERED = ("choice", "open-choice", "decimal", "integer", "date", "dateTime", "time", "string", "quantity")
_LENGTHY = ("boolean", "decimal", "integer", "string", "text", "url", "open-choice")


def _below(element: Element, name: str) -> Iterator[Element]:
    for child in listed(element, name):
        yield child
        yield from _below(child, name)


def _plain_display(item: Element, *names: str) -> bool:
    return item.get("type") != "display" or not has(item, *names)


def _grouped(item: Element) -> bool:
    return has(item, "item") if item.get("type") == "group" else _plain_display(item, "item")


RULES: dict[str, tuple[Rule, ...]] = {
    "CodeSystem": (
        Rule(
            "csd-1",
            "a code is defined twice",
            lambda c: distinct([concept.get("code") for concept in _below(c, "concept")]),
        ),
    ),
    "Questionnaire": (
        Rule("que-2", "a linkId is used twice", lambda q: distinct([item.get("linkId") for item in _below(q, "item")])),
    ),
    "Questionnaire.item": (
        Rule("que-1", "a group has items, a display has none", _grouped),
        Rule("que-3", "a display has no code", lambda i: _plain_display(i, "code")),
        Rule(
            "que-4",
            "either answerOption or answerValueSet",
            lambda i: not (has(i, "answerOption") and has(i, "answerValueSet")),
        ),
        Rule(
            "que-5",
            "this type of item has no list of answers",
            lambda i: i.get("type") in _ANSWERED or not has(i, "answerOption", "answerValueSet"),
        ),
        Rule(
            "que-6", "a display is not required and does not repeat", lambda i: _plain_display(i, "required", "repeats")
        ),
        Rule(
            "que-8",
            "a group or display has no initial value",
            lambda i: i.get("type") not in ("group", "display") or not has(i, "initial"),
        ),
        Rule("que-9", "a display is never readOnly", lambda i: _plain_display(i, "readOnly")),
        Rule(
            "que-10",
            "this type of item has no maxLength",
            lambda i: i.get("type") in _LENGTHY or not has(i, "maxLength"),
        ),
        Rule("que-11", "answerOption excludes initial", lambda i: not (has(i, "answerOption") and has(i, "initial"))),
        Rule(
            "que-12",
            "several enableWhen need enableBehavior",
            lambda i: len(listed(i, "enableWhen")) <= 1 or has(i, "enableBehavior"),
        ),
        Rule(
            "que-13",
            "several initial values need repeats",
            lambda i: i.get("repeats") is True or len(listed(i, "initial")) <= 1,
        ),
    ),
    "Questionnaire.item.enableWhen": (
        Rule(
            "que-7",
            "the operator exists needs a boolean answer",
            lambda e: e.get("operator") != "exists" or isinstance(chosen(e, "answer"), bool),
        ),
    ),
    "ValueSet.compose.include": (
        Rule("vsd-1", "a value set or a system is required", lambda v: has(v, "valueSet", "system")),
        Rule(
            "vsd-2", "concepts and filters need a system", lambda v: not has(v, "concept", "filter") or has(v, "system")
        ),
        Rule("vsd-3", "either concepts or filters", lambda v: not (has(v, "concept") and has(v, "filter"))),
    ),
    "ValueSet.expansion.contains": (
        Rule("vsd-6", "a code or a display is required", lambda v: has(v, "code", "display")),
        Rule("vsd-9", "an entry without code is abstract", lambda v: has(v, "code") or v.get("abstract") is True),
        Rule("vsd-10", "a code needs its system", lambda v: not has(v, "code") or has(v, "system")),
    ),
}

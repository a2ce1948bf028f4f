"""Questionnaires: a condition asks about a question that can be reached from where it stands.

https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen.question
"""

from collections.abc import Iterator

from fhir_gateway.fhir.prose.rule import Demand, Element, Fault, listed


def _conditions(questionnaire: Element) -> Iterator[Fault]:
    known = set(_names(questionnaire))
    yield from _unreached("", questionnaire, known)


def _names(element: Element) -> Iterator[str]:
    for _, item in listed(element, "item"):
        yield str(item.get("linkId"))
        yield from _names(item)


def _unreached(path: str, element: Element, known: set[str]) -> Iterator[Fault]:
    for place, item in listed(element, "item"):
        where = f"{path}{place}"
        below = {str(item.get("linkId")), *_names(item)}
        for condition, facts in listed(item, "enableWhen"):
            question = str(facts.get("question"))
            if question not in known:
                yield f"{where}.{condition}.question", "the questionnaire has no question of this linkId"
            elif question in below:
                yield f"{where}.{condition}.question", "an item does not depend on itself or on what lies in it"
        yield from _unreached(f"{where}.", item, known)


DEMANDS: dict[str, tuple[Demand, ...]] = {"Questionnaire": (_conditions,)}

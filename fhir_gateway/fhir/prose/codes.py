"""Codes that can be told wrong without their system being held: by a check digit, or by a grammar.

https://hl7.org/fhir/R4/snomedct.html, https://hl7.org/fhir/R4/loinc.html, https://hl7.org/fhir/R4/ucum.html
"""

import re
from collections.abc import Iterator

from fhir_gateway.fhir import ucum
from fhir_gateway.fhir.prose.rule import Demand, Element, Fault, listed

_SNOMED, _LOINC = "http://snomed.info/sct", "http://loinc.org"
_WORDS = re.compile(r'\|[^|]*\||"[^"]*"')
_EXPRESSION = re.compile(r"[\d\s:+=,{}()<>#.-]+")
_NUMBER = re.compile(r"(?<![#\d.])\d+(?![\d.])")
_LONG = re.compile(r"\d{6,18}")
_LOINC_CODE = re.compile(r"(\d{1,8})-(\d)")
_LOINC_PART = re.compile(r"L[A-Z]\d{1,8}-\d|MTHU\d+")
_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _code(coding: Element) -> Iterator[Fault]:
    system, code = coding.get("system"), coding.get("code")
    if isinstance(code, str) and (
        (system == _SNOMED and not is_snomed(code)) or (system == _LOINC and not is_loinc(code))
    ):
        yield "code", f"is no code of {system}: its form or its check digit is wrong"


def _included(include: Element) -> Iterator[Fault]:
    for place, concept in listed(include, "concept"):
        for below, text in _code({"system": include.get("system"), "code": concept.get("code")}):
            yield f"{place}.{below}", text


def is_snomed(code: str) -> bool:
    """Whether a text is a concept id or an expression of such."""
    bare = _WORDS.sub("", code)
    numbers = _NUMBER.findall(bare)
    return bool(_EXPRESSION.fullmatch(bare) and numbers) and all(map(_is_concept, numbers))


def _is_concept(number: str) -> bool:
    """The check digit of Verhoeff: no single wrong digit and no two that changed places pass."""
    check = 0
    for place, digit in enumerate(reversed(number)):
        turned = int(digit)
        for _ in range(place % 8):
            turned = _TURN[turned]
        check = _times(check, turned)
    return bool(_LONG.fullmatch(number)) and check == 0


def _times(one: int, other: int) -> int:
    """The product in the group of the turns and flips of a pentagon."""
    if one < 5:
        return (one + other) % 5 if other < 5 else 5 + (one + other) % 5
    return 5 + (one - 5 - other) % 5 if other < 5 else (one - other) % 5


def is_loinc(code: str) -> bool:
    """Whether the last digit is that of the others: every second one doubled, from the right.

    Those of parts, answers, lists and groups (``LA6576-8``) do not keep to it.
    """
    match = _LOINC_CODE.fullmatch(code)
    if match is None:
        return bool(_LOINC_PART.fullmatch(code))
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(match[1])))
    return (sum(each // 10 + each % 10 for each in doubled) + int(match[2])) % 10 == 0


def _unit(quantity: Element) -> Iterator[Fault]:
    code = quantity.get("code")
    if quantity.get("system") == ucum.SYSTEM and isinstance(code, str) and not ucum.is_unit(code):
        yield "code", "is no unit of UCUM"


_MEASURED = ("Age", "Count", "Distance", "Duration", "Quantity")
DEMANDS: dict[str, tuple[Demand, ...]] = dict.fromkeys(_MEASURED, (_unit,)) | {
    "Coding": (_code, _unit),
    "ValueSet.compose.include": (_included,),
}

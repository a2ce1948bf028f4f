"""What R4's extensions of a question demand of its answers: bounds, lengths, patterns, units, kinds of files and links.

https://hl7.org/fhir/R4/questionnaire-profiles.html#extensions
"""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from fhir_gateway.fhir import pattern
from fhir_gateway.fhir.expression.amounts import Amount, compare
from fhir_gateway.fhir.expression.items import Item
from fhir_gateway.fhir.expression.operators import order
from fhir_gateway.fhir.expression.syntax import NotFhirPath
from fhir_gateway.fhir.profile.tree import CORE
from fhir_gateway.fhir.reference import parse
from fhir_gateway.problem import BadRequest

Entry = dict[str, Any]
Holds = Callable[[str | None, str], bool | None]

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
UNIT_VALUE_SET = f"{CORE}questionnaire-unitValueSet"


def stated(element: Entry, url: str) -> list[Item]:
    """The values of the extensions of that address, with their types."""
    listed = element.get("extension")
    found = [one for one in listed or () if isinstance(one, dict) and one.get("url") == url]
    return [item for one in found for item in chosen(one)]


def chosen(element: Entry, stem: str = "value") -> list[Item]:
    """The value of ``value[x]`` with its type."""
    for name, value in element.items():
        kind = name.removeprefix(stem)
        if kind != name and kind[:1].isupper():
            return [Item(value, kind if isinstance(value, dict) else f"{kind[0].lower()}{kind[1:]}")]
    return []


def count_faults(question: Entry, count: int, *, finished: bool) -> Iterator[str]:
    """How often the question is answered, against questionnaire-minOccurs and -maxOccurs."""
    least, most = (_number(question, f"{CORE}questionnaire-{name}") for name in ("minOccurs", "maxOccurs"))
    if least is not None and finished and count < least:
        yield f"at least {least} answers are asked for, {count} are there"
    if most is not None and count > most:
        yield f"at most {most} answers are asked for, {count} are there"


def _number(question: Entry, url: str) -> Decimal | None:
    found = [one.value for one in stated(question, url) if isinstance(one.value, int | Decimal)]
    return Decimal(found[0]) if found else None


def faults(question: Entry, answer: Item, value_sets: Mapping[str, Holds]) -> Iterator[str]:
    """What one answer does against the extensions of its question."""
    if not question.get("extension"):
        return
    if answer.kind == "Quantity":
        yield from _quantity(question, answer, value_sets)
    elif answer.kind == "Attachment":
        yield from _attachment(question, answer.value)
    elif answer.kind == "Reference":
        yield from _link(question, answer.value)
    else:
        yield from _bounds(question, answer)
        yield from _text(question, answer.value)
    yield from _places(question, answer)


def _bounds(question: Entry, answer: Item) -> Iterator[str]:
    for name, wrong, word in (("minValue", -1, "less"), ("maxValue", 1, "more")):
        for bound in stated(question, f"{CORE}{name}"):
            try:
                if order(answer, bound) == wrong:
                    yield f"is {word} than the question allows"
            except NotFhirPath:
                yield "cannot be compared with what the question allows"


def _text(question: Entry, value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        return
    least = _number(question, f"{CORE}minLength")
    if least is not None and len(value) < least:
        yield f"is shorter than {least} characters"
    for wanted in stated(question, f"{CORE}regex"):
        try:
            if isinstance(wanted.value, str) and not pattern.matches_whole(wanted.value, value):
                yield "does not have the form that the question asks for"
        except BadRequest:
            continue


def _places(question: Entry, answer: Item) -> Iterator[str]:
    most = _number(question, f"{CORE}maxDecimalPlaces")
    value = answer.value.get("value") if isinstance(answer.value, dict) else answer.value
    if most is not None and isinstance(value, Decimal) and -int(value.as_tuple().exponent) > most:
        yield f"has more than {most} decimal places"


def _quantity(question: Entry, answer: Item, value_sets: Mapping[str, Holds]) -> Iterator[str]:
    options = _objects(question, f"{CORE}questionnaire-unitOption")
    unit = (answer.value.get("system"), answer.value.get("code"))
    if options and unit not in [(one.get("system"), one.get("code")) for one in options]:
        yield "is in none of the units that the question offers"
    for canonical in stated(question, UNIT_VALUE_SET):
        holds = value_sets.get(str(canonical.value))
        if holds and unit[1] and holds(unit[0], str(unit[1])) is False:
            yield "is in a unit that is not of the question's value set"
    for name, wrong, word in (("minQuantity", -1, "less"), ("maxQuantity", 1, "more")):
        for bound in _objects(question, f"{_SDC}{name}"):
            found = _measured(answer.value, bound)
            if found == wrong:
                yield f"is {word} than the question allows"
            elif found is None:
                yield "is in a unit that cannot be compared with what the question allows"


def _objects(question: Entry, url: str) -> list[Entry]:
    """Of the values that are stated those that can be a quantity or a code: a questionnaire may hold others."""
    return [one.value for one in stated(question, url) if isinstance(one.value, dict)]


def _measured(one: Entry, other: Entry) -> int | None:
    """-1, 0 or 1 of two quantities, None where their units are of different scales; 0 where nobody can say."""
    if "value" not in one or "value" not in other:
        return 0
    units = [each.get("code") or each.get("unit") for each in (one, other)]
    if units[0] != units[1] and not (one.get("code") and other.get("code")):
        return 0
    left, right = (
        Amount(Decimal(each["value"]), str(unit or "1")) for each, unit in zip((one, other), units, strict=True)
    )
    return compare(left, right)


def _attachment(question: Entry, value: Entry) -> Iterator[str]:
    types = [one.value for one in stated(question, f"{CORE}mimeType")]
    if types and value.get("contentType", types[0]) not in types:
        yield "is of none of the media types that the question asks for"
    most, size = _number(question, f"{CORE}maxSize"), size_of(value)
    if most is not None and size is not None and size > most:
        yield f"is larger than {most} bytes"


def size_of(attachment: Entry) -> int | None:
    """The bytes of its data, else what it says of its size."""
    data = attachment.get("data")
    if not isinstance(data, str):
        size = attachment.get("size")
        return size if isinstance(size, int) else None
    try:
        return len(b64decode("".join(data.split()), validate=True))
    except (ValueError, binascii.Error):
        return None


def _link(question: Entry, value: Entry) -> Iterator[str]:
    kinds = [one.value for one in stated(question, f"{CORE}questionnaire-referenceResource")]
    text = value.get("reference")
    found = parse(text).type if isinstance(text, str) else value.get("type", "")
    if kinds and found and found not in kinds:
        yield f"refers to {found}; allowed: {', '.join(map(str, kinds))}"

"""Which types' narratives are found by their words, and by which: every word is a key, so somebody has to want it.

https://hl7.org/fhir/R4/search.html#content

Said once, when a process starts and before it indexes anything; all processes of a gateway have to say the same.
"""

from collections.abc import Sequence
from itertools import islice

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.fhir.resource import Resource
from fhir_gateway.problem import Problem
from fhir_gateway.search.criteria import Choice, Composite, Condition, Together, prefixed
from fhir_gateway.search.words import narrative, parts

KEY = "_text"
EVERY = "*"
WORDS = 2000
"""Different words of one narrative that are keys."""

_SHORT = 3
"""Fewer letters begin too many words to tell much."""

_declared: set[str] = set()


def declare(text: str) -> None:
    """The types of ``FHIR_GATEWAY_TEXT_INDEX``, with commas between them. Raises Problem for what is none."""
    names = {name.strip() for name in text.split(",") if name.strip()}
    if unheard := sorted(names - resource_types() - {EVERY}):
        raise Problem(f"{unheard[0][:40]!r} is no resource type of R4", "FHIR_GATEWAY_TEXT_INDEX")
    _declared.clear()
    _declared.update(resource_types() - {"AuditEvent"} if EVERY in names else names)


def is_declared(type_: str) -> bool:
    return type_ in _declared


def mark() -> str:
    """Tells one set of types from another; empty where there is none."""
    return f"+{','.join(sorted(_declared))}" if _declared else ""


def words(resource: Resource) -> Sequence[str]:
    """The words of its narrative, each once, in the order found; none where nobody wants them."""
    if resource["resourceType"] not in _declared:
        return ()
    found = dict.fromkeys(word for text in narrative(resource) for word in parts(text))
    return tuple(islice(found, WORDS))


def asked(phrases: Sequence[str]) -> Composite | None:
    """What the keys of words answer: all words of one phrase; None for a phrase without any."""
    each = [[_begins(word) for word in parts(phrase)] for phrase in phrases]
    if not all(each):
        return None
    # Every match meets one of the choices of each: of one phrase all its words, of several the longest of each.
    longest = tuple(max(choices, key=lambda choice: len(choice.start)) for choices in each)
    narrow = [(choice,) for choice in each[0]] if len(each) == 1 else [longest]
    whole = tuple(Together("", tuple(choices)) for choices in each)
    return Composite(whole, tuple(Condition(choices, _rank(choices)) for choices in narrow))


def _begins(word: str) -> Choice:
    return Choice(*prefixed(KEY, word))


def _rank(choices: Sequence[Choice]) -> int:
    return 4 if min(len(choice.start) for choice in choices) >= len(KEY) + 1 + _SHORT else 6

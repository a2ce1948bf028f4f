"""Names of people: an XPN, or what follows the number in an XCN.

https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-xpn-to-humanname.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import code
from adapters.hl7v2.read import Value
from adapters.hl7v2.times import day, in_order

# The component from which a name holds, by the one it begins at: XPN.12, XCN.19.
_LASTING = {1: 12, 2: 19}
# How a name is written (table 0465): XPN.8, XCN.15.
_WRITTEN_AT = {1: 8, 2: 15}
_WRITTEN = {"I": "IDE", "P": "SYL", "A": "ABC"}
_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_CORE = "http://hl7.org/fhir/StructureDefinition/humanname-"
# The subcomponents of a surname (FN) after the whole of it.
_SURNAME = ((2, "own-prefix"), (3, "own-name"), (4, "partner-prefix"), (5, "partner-name"))


def human_name(value: Value, at: str, first: int = 1) -> Resource | None:
    """An XPN, or an XCN from component 2. In Vietnam the middle words (XPN.3) are said before the given one (XPN.2)."""
    family = value.take(first, f"{at}.family")
    own = value.take(first + 1, f"{at}.given") if first + 1 in value else ""
    middle = value.take(first + 2, f"{at}.given") if first + 2 in value else ""
    suffix = [value.take(first + n, f"{at}.suffix") for n in (3, 5) if first + n in value]
    prefix = value.take(first + 4, f"{at}.prefix") if first + 4 in value else ""
    text = " ".join(filter(None, (family, middle, own)))
    if not text:
        return None
    given = [*middle.split(), *own.split()]
    if family and not given:
        # A whole name in the family field: its first word is the family name, the rest a guess like any split.
        family, *given = family.split()
    made: Resource = {"text": text}
    if family:
        made["family"] = family
        said = [(name, n) for n, name in _SURNAME if (first, n) in value]
        if said:
            made["_family"] = {"extension": _surname(value, said, (f"{at}.family", first))}
    if given:
        made["given"] = given
    if prefix:
        made["prefix"] = [prefix]
    written = _WRITTEN.get(value.peek(_WRITTEN_AT[first])) if _WRITTEN_AT[first] in value else None
    if written:
        value.took(_WRITTEN_AT[first], f"{at}.extension[0].value")
        made["extension"] = [{"url": _REPRESENTATION, "valueCode": written}]
    ends = _name_ends(value, (at, first), suffix) if suffix or value.beyond(_LASTING[first] - 3) else None
    return {**made, **ends} if ends else made


def _surname(value: Value, said: list[tuple[str, int]], at: tuple[str, int]) -> list[Resource]:
    """The parts of a surname: somebody's own and the partner's, each with its particle."""
    path, first = at
    return [
        {"url": f"{_CORE}{name}", "valueString": value.take(first, f"{path}.extension.value", n)} for name, n in said
    ]


def _name_ends(value: Value, at: tuple[str, int], suffix: list[str]) -> Resource:
    """The suffixes, with the professional one, and how long the name holds."""
    path, first = at
    begins = _LASTING[first]
    if not value.beyond(begins - 3):
        return {"suffix": suffix} if suffix else {}
    if begins + 2 in value:
        suffix.append(value.take(begins + 2, f"{path}.suffix"))
    span = lasting(value, begins, path) or spanning(value, begins - 2, path)
    return ({"suffix": suffix} if suffix else {}) | ({"period": span} if span else {})


def spoken_name(value: Value, at: str, first: int = 1) -> str:
    """An XPN, or an XCN from component 2, where FHIR has room for a text alone: title and degree stand in it too."""
    if not value or not name_text(value, first):
        return ""
    order = (4, 0, 2, 1, 3, 5)
    return " ".join(part for n in order if (part := value.take(first + n, at)))


def name_text(value: Value, first: int = 1) -> str:
    """The name as it is said, without title and degree, not yet taken."""
    return " ".join(filter(None, (value.peek(first), value.peek(first + 2), value.peek(first + 1))))


def lasting(value: Value, component: int, at: str) -> Resource | None:
    """The days from which and until which a name, an address or a number holds: two components after each other."""
    start, end = (day(value.peek(component + n)) if component + n in value else None for n in (0, 1))
    if not (start or end) or (start and end and not in_order(start, end)):
        return None
    made = {name: found for name, found in (("start", start), ("end", end)) if found}
    for name in made:
        value.took(component + (name == "end"), f"{at}.period.{name}")
    return made


def spanning(value: Value, component: int, at: str) -> Resource | None:
    """The same before version 2.7: both ends in one component (XPN.10, XCN.17, XAD.12)."""
    ends = (day(value.peek(component, sub)) if value.peek(component, sub) else None for sub in (1, 2))
    made = {name: found for name, found in zip(("start", "end"), ends, strict=True) if found}
    if not made or (len(made) > 1 and not in_order(made["start"], made["end"])):
        return None
    for name in made:
        value.took(component, f"{at}.period.{name}", 1 if name == "start" else 2)
    return made


def person_name(value: Value, at: str) -> Resource | None:
    """An XPN with its use (XPN.7)."""
    made = human_name(value, at)
    use = code("v2-0200", value.peek(7)) if made else ""
    if not made or not use:
        return made
    value.took(7, f"{at}.use")
    return {"use": use, **made}

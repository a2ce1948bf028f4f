"""Where somebody lives and how to reach him: addresses and telecoms.

https://build.fhir.org/ig/HL7/v2-to-fhir/datatype_maps.html
"""

from adapters.contract import Resource
from adapters.hl7v2.codes import code
from adapters.hl7v2.names import lasting, spanning
from adapters.hl7v2.numbers import positive
from adapters.hl7v2.read import Value
from adapters.hl7v2.scene import extension

_CORE = "http://hl7.org/fhir/StructureDefinition/"
_NET = frozenset({"INTERNET", "NET"})
_PARTS = ((5, "country"), (6, "area"), (7, "local"), (8, "extension"))


def address(value: Value, at: str) -> Resource | None:
    """An XAD. A text in its first component alone is a whole address, as many hospitals send it."""
    if not value:
        return None
    lines = _lines(value, at)
    city, state = value.take(3, f"{at}.city"), value.take(4, f"{at}.state")
    postal = value.take(5, f"{at}.postalCode") if 5 in value else ""
    country = value.take(6, f"{at}.country") if 6 in value else ""
    district = value.take(9, f"{at}.district") or value.take(9, f"{at}.district", 2)
    text = ", ".join(filter(None, (*lines, district, city, state)))
    if not text and not country and not postal:
        return None
    said = value.peek(7).upper()
    use, kind = code("v2-0190", said), code("v2-0190-type", said)
    if use or kind:
        value.took(7, f"{at}.use" if use else f"{at}.type")
    span = None
    if value.beyond(9):
        lines += [line for line in [value.take(19, f"{at}.line")] if line]
        span = lasting(value, 13, at) or spanning(value, 12, at)
    places = {"city": city, "district": district, "state": state, "postalCode": postal, "country": country}
    made = {"use": use, "type": kind, "text": text, "line": lines, **places, "period": span}
    return {name: part for name, part in made.items() if part}


def _lines(value: Value, at: str) -> list[str]:
    """Street and house, other designation, geographic designation, each a line where it says something."""
    lines: list[str] = []
    for component, subs in ((1, (1, 2, 3)), (2, (1,)), (8, (1,))):
        if component > 1 and component not in value:
            continue
        line = " ".join(filter(None, [value.take(component, f"{at}.line[{len(lines)}]", sub) for sub in subs]))
        lines.extend([line] if line else [])
    return lines


def telecom(value: Value, at: str, use: str = "") -> Resource | None:
    """An XTN: the number as dialled, kept as text so that its leading zero stays."""
    if not value:
        return None
    kind = value.peek(3).upper()
    mail = value.peek(4)
    # XTN.12 and XTN.1 are what people typed; 5 to 7 are the parsed form of it, and may lack the leading zero.
    number = value.take(12, f"{at}.value") or value.take(1, f"{at}.value") or _dialled(value, at)
    if value.peek(1) == number:
        value.took(1, f"{at}.value")
    if mail and (kind in _NET or not number):
        number = value.take(4, f"{at}.value")
    if not number:
        return None
    system = "email" if "@" in number else code("v2-0202", kind, "phone")
    if system == "email" and "@" not in number:
        system = "phone"
    value.took(3, f"{at}.system")
    said = "mobile" if kind == "CP" else code("v2-0201", value.peek(2).upper())
    if said:
        value.took(2, f"{at}.use")
    made: Resource = {"system": system, "value": number}
    if said or use:
        made["use"] = said or use
    return {**made, **_of_number(value, at)} if value.beyond(4) else made


def mail_beside(value: Value, at: str) -> Resource | None:
    """XTN.4 of a telephone number: the mail address of the same person is a contact of its own."""
    if 4 not in value or not (1 in value or 12 in value) or value.peek(3).upper() in _NET:
        return None
    return {"system": "email", "value": value.take(4, f"{at}.value")}


def _of_number(value: Value, at: str) -> Resource:
    """The parts of a telephone number, how long it holds, and which is tried first."""
    parts = [(name, value.take(n, f"{at}.extension")) for n, name in _PARTS]
    marks = [extension(f"{_CORE}contactpoint-{name}", valueString=part) for name, part in parts if part]
    rank = positive(value.peek(18))
    if rank:
        value.took(18, f"{at}.rank")
    made = {"extension": marks, "rank": rank, "period": lasting(value, 13, at)}
    return {name: part for name, part in made.items() if part}


def _dialled(value: Value, at: str) -> str:
    parts = [value.take(component, f"{at}.value") for component in (5, 6, 7)]
    return " ".join(part for part in parts if part)

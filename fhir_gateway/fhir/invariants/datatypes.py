"""Rules about datatypes, wherever they stand.

https://hl7.org/fhir/R4/datatypes.html
"""

from fhir_gateway.fhir.invariants.rule import (
    UCUM,
    Element,
    Rule,
    amounts_ordered,
    chosen,
    has,
    is_whole,
    ordered,
)


def _in_ucum(quantity: Element) -> bool:
    return (has(quantity, "code") or not has(quantity, "value")) and quantity.get("system", UCUM) == UCUM


def _positive(quantity: Element) -> bool:
    return "value" not in quantity or bool(quantity["value"] > 0)


def _is_count(quantity: Element) -> bool:
    whole = "value" not in quantity or is_whole(quantity["value"])
    return _in_ucum(quantity) and quantity.get("code", "1") == "1" and whole


def _ratio(ratio: Element) -> bool:
    both = has(ratio, "numerator") == has(ratio, "denominator")
    return both and has(ratio, "numerator", "extension")


def _offset(repeat: Element) -> bool:
    when = set(repeat.get("when", []))
    return "offset" not in repeat or (bool(when) and not when & {"C", "CM", "CD", "CV"})


_QUANTITY = Rule("qty-3", "a unit code needs its system", lambda q: not has(q, "code") or has(q, "system"))
_DISTANCE = Rule("dis-1", "the unit must be a UCUM code", _in_ucum)

RULES: dict[str, tuple[Rule, ...]] = {
    "Age": (
        _QUANTITY,
        Rule("age-1", "an age is positive, its unit a UCUM code", lambda q: _in_ucum(q) and _positive(q)),
    ),
    "Attachment": (Rule("att-1", "data needs a contentType", lambda a: not has(a, "data") or has(a, "contentType")),),
    "ContactPoint": (Rule("cpt-2", "a value needs its system", lambda c: not has(c, "value") or has(c, "system")),),
    "Count": (_QUANTITY, Rule("cnt-3", "a count is a whole number with the UCUM unit 1", _is_count)),
    "DataRequirement.codeFilter": (
        Rule("drq-1", "either path or searchParam", lambda d: has(d, "path") != has(d, "searchParam")),
    ),
    "DataRequirement.dateFilter": (
        Rule("drq-2", "either path or searchParam", lambda d: has(d, "path") != has(d, "searchParam")),
    ),
    "Distance": (_QUANTITY, _DISTANCE),
    "Duration": (
        _QUANTITY,
        Rule(
            "drt-1",
            "a duration's unit is a UCUM code and has a value",
            lambda q: not has(q, "code") or (q.get("system") == UCUM and has(q, "value")),
        ),
    ),
    "Expression": (
        Rule("exp-1", "an expression or a reference is required", lambda e: has(e, "expression", "reference")),
    ),
    "Extension": (
        Rule(
            "ext-1",
            "an extension has either a value or extensions of its own",
            lambda e: has(e, "extension") != (chosen(e, "value") is not None),
        ),
    ),
    "Period": (Rule("per-1", "the start is after the end", lambda p: ordered(p.get("start"), p.get("end"))),),
    "Quantity": (_QUANTITY,),
    "Range": (Rule("rng-2", "low is above high", lambda r: amounts_ordered(r.get("low", {}), r.get("high", {}))),),
    "Ratio": (Rule("rat-1", "a ratio has numerator and denominator, or an extension", _ratio),),
    "Timing.repeat": (
        Rule("tim-1", "duration needs durationUnit", lambda t: not has(t, "duration") or has(t, "durationUnit")),
        Rule("tim-2", "period needs periodUnit", lambda t: not has(t, "period") or has(t, "periodUnit")),
        Rule("tim-4", "duration must not be negative", lambda t: bool(t.get("duration", 0) >= 0)),
        Rule("tim-5", "period must not be negative", lambda t: bool(t.get("period", 0) >= 0)),
        Rule("tim-6", "periodMax needs period", lambda t: not has(t, "periodMax") or has(t, "period")),
        Rule("tim-7", "durationMax needs duration", lambda t: not has(t, "durationMax") or has(t, "duration")),
        Rule("tim-8", "countMax needs count", lambda t: not has(t, "countMax") or has(t, "count")),
        Rule("tim-9", "offset needs a when other than C, CM, CD, CV", _offset),
        Rule("tim-10", "timeOfDay excludes when", lambda t: not (has(t, "timeOfDay") and has(t, "when"))),
    ),
    "TriggerDefinition": (
        Rule("trd-1", "data excludes timing", lambda t: not has(t, "data") or chosen(t, "timing") is None),
        Rule("trd-2", "a condition needs data", lambda t: not has(t, "condition") or has(t, "data")),
    ),
}

"""Vital signs as FHIR's profiles have them: both pressures in one observation, both codes of a saturation.

https://hl7.org/fhir/R4/observation-vitalsigns.html
"""

from adapters.cda.node import Node
from adapters.contract import Resource

LOINC = "http://loinc.org"
_LOINC_OID = "2.16.840.1.113883.6.1"
_SYSTOLIC, _DIASTOLIC = "8480-6", "8462-4"
_SATURATION = ("59408-5", "2708-6")


def panel_code(code: Resource, loinc: str = "85353-1") -> Resource:
    """The sender's code and the one that FHIR has for such a panel."""
    codings = code.get("coding", [])
    if any(one.get("code") == loinc for one in codings):
        return code
    return {**code, "coding": [*codings, {"system": LOINC, "code": loinc}]}


def both_oximetries(elements: Resource) -> None:
    """FHIR's saturation by pulse oximetry has two codes, CDA's one of them."""
    codings = elements["code"].get("coding", [])
    told = {one["code"] for one in codings if one.get("system") == LOINC}
    if told & set(_SATURATION):
        codings += [{"system": LOINC, "code": code} for code in _SATURATION if code not in told]


def joined(observations: list[Node]) -> list[list[Node]]:
    """The observations, the two pressures of one moment together."""
    pairs: dict[int, Node] = {}
    taken: set[int] = set()
    for node in observations:
        other = _other_pressure(node, observations, taken)
        if other is not None:
            pairs[id(node)] = other
            taken.add(id(other))
    return [[node, pairs[id(node)]] if id(node) in pairs else [node] for node in observations if id(node) not in taken]


def _other_pressure(node: Node, observations: list[Node], taken: set[int]) -> Node | None:
    if not _is(node, _SYSTOLIC):
        return None
    when = _moment(node)
    fitting = (one for one in observations if _is(one, _DIASTOLIC) and _moment(one) == when and id(one) not in taken)
    return next(fitting, None)


def _is(node: Node, loinc: str) -> bool:
    code = node.first("code")
    codes = (code, *code.all("translation"))
    return any(one.get("code") == loinc and one.get("codeSystem") == _LOINC_OID for one in codes)


def _moment(node: Node) -> str:
    when = node.first("effectiveTime")
    return when.get("value") or when.first("low").get("value")

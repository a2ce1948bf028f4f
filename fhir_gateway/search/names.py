"""The names of search parameters as requests write them: what is legal, what was probably meant.

https://hl7.org/fhir/R4/search.html#modifiers
"""

import difflib
from collections.abc import Iterable

from fhir_gateway.fhir.definitions import resource_types
from fhir_gateway.problem import BadRequest, NotSupported
from fhir_gateway.search import controls
from fhir_gateway.search.kinds import KINDS
from fhir_gateway.search.registry import NARRATIVE, Parameter, nearest, parameters, wholes

IN_THE_RECORD = {"_id": frozenset({"not", "missing"}), "_lastUpdated": frozenset({"missing"})}


class Unknown(BadRequest):
    """A parameter that the type has not, or a modifier that it does not take."""


class Unoffered(Unknown):
    """As ``Unknown``, where R4 knows it and this server does not."""

    status, code = 400, NotSupported.code


def known(type_: str, name: str) -> tuple[Parameter, str]:
    """The parameter and the modifier of one step of a name. Raises BadRequest, which names the nearest legal one."""
    code, _, modifier = name.partition(":")
    if code in controls.LATER:
        raise Unoffered(f"'{name[:60]}': {controls.LATER[code]}", code)
    if code in controls.CONTROLS:
        raise Unoffered(f"'{name}' is {controls.UNOFFERED}", name)
    parameter = parameters(type_).get(code)
    if parameter is None:
        raise unknown(type_, code)
    if not parameter.searchable:
        raise Unoffered(f"'{code}' ({parameter.kind}) is a parameter that this server does not offer", name)
    _check_modifier(parameter, modifier)
    return parameter, modifier


def unknown(type_: str, code: str) -> Unknown:
    near = nearest(type_, code)
    hint = f"; did you mean '{near}'?" if near else ""
    return Unknown(f"{type_} has no search parameter '{code[:60]}'{hint}", code[:60])


def _check_modifier(parameter: Parameter, modifier: str) -> None:
    offered = modifiers(parameter)
    if not modifier or modifier in offered:
        return
    if parameter.kind == "reference" and modifier in resource_types():
        if modifier in parameter.targets:
            return
        raise Unknown(f"'{parameter.code}' refers to {', '.join(parameter.targets)}, not to {modifier}")
    names = ", ".join(f":{one}" for one in sorted(offered)) or "none"
    what = f"{parameter.kind} parameter '{parameter.code}'"
    hint = _hint(modifier, offered if parameter.kind != "reference" else {*offered, *parameter.targets})
    raise Unoffered(f"modifier ':{modifier[:40]}' is not offered for {what}; offered: {names}{hint}", parameter.code)


def _hint(modifier: str, offered: Iterable[str]) -> str:
    near = difflib.get_close_matches(modifier, offered, 1, 0.5)
    return f"; did you mean ':{near[0]}'?" if near else ""


def modifiers(parameter: Parameter) -> frozenset[str]:
    """What may stand behind the parameter's name, besides resource types."""
    if parameter.code in IN_THE_RECORD:
        return IN_THE_RECORD[parameter.code]
    if parameter.components or parameter.code in NARRATIVE:
        return frozenset()
    if parameter.kind == "special":
        return frozenset({"missing"})
    offered = KINDS[parameter.kind].MODIFIERS | {"missing"}
    has_wholes = parameter.kind != "reference" or any(map(wholes, parameter.targets))
    return offered if has_wholes else offered - {"above", "below"}

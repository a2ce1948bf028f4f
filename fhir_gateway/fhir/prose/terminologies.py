"""Code systems, value sets and search parameters: what their elements say together.

https://hl7.org/fhir/R4/codesystem.html, https://hl7.org/fhir/R4/valueset.html, https://hl7.org/fhir/R4/searchparameter.html
"""

from collections.abc import Iterator

from fhir_gateway.fhir.prose.rule import Demand, Element, Fault, is_absolute, listed

_DEFINED = "http://hl7.org/fhir/concept-properties#"
# https://hl7.org/fhir/R4/codesystem-concept-properties.html
_TYPES = {
    "inactive": "boolean",
    "notSelectable": "boolean",
    "deprecated": "dateTime",
    "parent": "code",
    "child": "code",
}
_FLAGS = tuple(name for name, kind in _TYPES.items() if kind == "boolean")


def _content(system: Element) -> Iterator[Fault]:
    content = system.get("content")
    if content == "not-present" and "concept" in system:
        yield "concept", "the content is said to be not present"
    if ("supplements" in system) != (content == "supplement"):
        yield "content", "a supplement has the content supplement and names what it supplements"


def _properties(system: Element) -> Iterator[Fault]:
    seen: set[str] = set()
    for place, one in listed(system, "property"):
        code, uri = str(one.get("code")), str(one.get("uri", ""))
        if code in seen:
            yield f"{place}.code", "a property of this code is there already"
        seen.add(code)
        kind = _TYPES.get(uri.removeprefix(_DEFINED)) if uri.startswith(_DEFINED) else None
        if kind and one.get("type") != kind:
            yield f"{place}.type", f"the property {uri} is a {kind}"


def _included(include: Element) -> Iterator[Fault]:
    if not is_absolute(include.get("system")):
        yield "system", "a code system is named by an absolute address"
    for place, one in listed(include, "filter"):
        if (
            one.get("property") in _FLAGS
            and "value" in one
            and one.get("op") == "="
            and one.get("value") not in ("true", "false")
        ):
            yield f"{place}.value", f"{one['property']} is true or false"


def _components(parameter: Element) -> Iterator[Fault]:
    if parameter.get("type") == "composite" and len(list(listed(parameter, "component"))) < 2:
        yield "component", "a composite search parameter combines two or more"


DEMANDS: dict[str, tuple[Demand, ...]] = {
    "CodeSystem": (_content, _properties),
    "SearchParameter": (_components,),
    "ValueSet.compose.include": (_included,),
}

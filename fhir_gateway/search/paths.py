"""Search expressions compiled to closures: the part of FHIRPath that R4's search parameters use.

https://hl7.org/fhir/R4/searchparameter-registry.html

Plain paths, ``as`` and ``ofType``, ``where(resolve() is X)``, ``where(x='y')``, ``where(hasExtension('url'))``,
``extension('url')``, ``[0]``: what is outside raises, so that nothing is silently left unindexed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from fhir_gateway.fhir.definitions import types

Walk = Callable[[Any, list[Any]], None]

_TYPES = (
    "Address Age Annotation Attachment Base64Binary Boolean Canonical Code CodeableConcept Coding ContactDetail"
    " ContactPoint Contributor Count DataRequirement Date DateTime Decimal Distance Dosage Duration Expression Id"
    " Identifier Instant Integer Markdown Meta Money Oid ParameterDefinition Period PositiveInt Quantity Range Ratio"
    " Reference RelatedArtifact SampledData Signature String Time Timing TriggerDefinition UnsignedInt Uri Url"
    " UsageContext Uuid HumanName"
)
TYPE_SUFFIXES = frozenset(_TYPES.split())

_STEP = re.compile(
    r"\.?(?:where\((?P<where>(?:[^()]|\([^()]*\))*)\)|(?:as|ofType)\((?P<cast>\w+)\)"
    r"|extension\('(?P<extension>[^']+)'\)|(?P<name>[a-z]\w*))|\[(?P<index>\d+)\]"
)
_CAST = re.compile(r"\(([^()|]+?)\s+as\s+(\w+)\)")
_EQUALS = re.compile(r"^(\w+)\s*=\s*'([^']*)'$")
_RESOLVES = re.compile(r"^resolve\(\) is (\w+)$")
_EXTENDED = re.compile(r"^hasExtension\('([^']+)'\)$")


@dataclass(frozen=True, slots=True)
class Path:
    """One branch of an expression. ``text`` is its canonical form without the type and the filters.

    ``target`` is the X of ``where(resolve() is X)``, ``system`` the y of a final ``where(system='y')``; ``first`` takes
    one item of a list. ``otherwise`` is found where the resource has no such element.
    """

    text: str
    field: str
    exact: bool
    walk: Walk
    target: str | None = None
    system: str | None = None
    first: bool = False
    otherwise: Any = None

    def begins(self, member: str) -> bool:
        """Whether the branch begins at this member of the resource."""
        return self.field == member or (not self.exact and is_choice(member, self.field))

    def values(self, child: Any) -> list[Any]:
        """What the branch finds below the element ``field``, whose JSON value is ``child``."""
        found: list[Any] = []
        _each(child[:1] if self.first and type(child) is list else child, self.walk, found)
        return found


def compile_paths(expression: str, type_: str) -> tuple[Path, ...]:
    """The branches that apply to the type. Raises ValueError on what this compiler does not know."""
    if expression == "Patient.deceased.exists() and Patient.deceased != false":
        return (Path("deceased", "deceased", False, _deceased, otherwise=False),)
    branches = [_CAST.sub(r"\1.as(\2)", branch.strip()) for branch in expression.split("|")]
    own = [branch for branch in branches if _belongs(branch, type_)]
    return tuple(_path(branch.partition(".")[2] if branch[0].isupper() else branch) for branch in own)


def _belongs(branch: str, type_: str) -> bool:
    return branch[0].islower() or branch.partition(".")[0] in (type_, "Resource", "DomainResource")


def _deceased(value: Any, found: list[Any]) -> None:
    found.append(value is not False)


def _path(branch: str) -> Path:
    steps = _steps(branch)
    (kind, field), rest = steps[0], steps[1:]
    first = rest[:1] == [("index", "0")]
    if kind not in ("name", "exact"):
        raise ValueError(f"a search expression has to begin with an element: {branch}")
    walk: Walk = _found
    for step in reversed(rest[1:] if first else rest):
        if step[0] not in _MAKERS:
            raise ValueError(f"[{step[1]}] is known only right after the first element: {branch}")
        walk = _MAKERS[step[0]](step[1], walk)
    target = dict(steps).get("resolves")
    last, _, value = steps[-1][1].partition("=")
    system = value if steps[-1][0] == "equals" and last == "system" else None
    told = [step for step in steps if step[0] != "resolves" and not (system and step is steps[-1])]
    return Path(".".join(map(":".join, told)), field, kind == "exact", walk, target, system, first)


def _found(node: Any, found: list[Any]) -> None:
    found.append(node)


def _steps(branch: str) -> list[tuple[str, str]]:
    steps: list[tuple[str, str]] = []
    at = 0
    while at < len(branch):
        match = _STEP.match(branch, at)
        if match is None:
            raise ValueError(f"not a search expression this server knows: {branch}")
        at = match.end()
        _add_step(steps, match.lastgroup or "", match[match.lastgroup or 0])
    return steps


def _add_step(steps: list[tuple[str, str]], kind: str, text: str) -> None:
    if kind == "cast":
        name = steps.pop()[1]
        steps.append(("exact", name + text[0].upper() + text[1:]))
    elif kind == "where":
        steps.append(_filter(text))
    else:
        steps.append((kind, text))


def _filter(text: str) -> tuple[str, str]:
    if match := _RESOLVES.match(text):
        return "resolves", match[1]
    if match := _EQUALS.match(text):
        return "equals", f"{match[1]}={match[2]}"
    if match := _EXTENDED.match(text):
        return "extended", match[1]
    raise ValueError(f"not a filter this server knows: {text}")


def _each(child: Any, rest: Walk, found: list[Any]) -> None:
    if type(child) is list:
        for item in child:
            if item is not None:
                rest(item, found)
    else:
        rest(child, found)


def _exact(name: str, rest: Walk) -> Walk:
    def walk(node: Any, found: list[Any]) -> None:
        if type(node) is dict and (child := node.get(name)) is not None:
            _each(child, rest, found)

    return walk


def _name(name: str, rest: Walk) -> Walk:
    if name not in choices():
        return _exact(name, rest)

    def walk(node: Any, found: list[Any]) -> None:
        if type(node) is not dict:
            return
        child = node.get(name)
        if child is None:
            child = _choice(node, name)
        if child is not None:
            _each(child, rest, found)

    return walk


def _choice(node: dict[str, Any], name: str) -> Any:
    """The value of a choice element (``value[x]``); matching by the mere prefix let status swallow statusHistory."""
    return next((node[key] for key in node if is_choice(key, name)), None)


def is_choice(key: str, name: str) -> bool:
    """Whether ``key`` is the choice element ``name`` with the suffix of a FHIR type."""
    return key.startswith(name) and key[len(name) :] in TYPE_SUFFIXES and name in choices()


@cache
def choices() -> frozenset[str]:
    """Names of all choice elements of R4. Without them ``subscriberId`` passed for a ``subscriber`` of type id."""
    elements = (name for facts in types().values() for name in facts["elements"])
    return frozenset(name.removesuffix("[x]") for name in elements if name.endswith("[x]"))


def _resolves(type_: str, rest: Walk) -> Walk:
    from_start, inside = f"{type_}/", f"/{type_}/"

    def walk(node: Any, found: list[Any]) -> None:
        if type(node) is not dict:
            return
        target = node.get("reference") or ""
        if node.get("type") == type_ or target.startswith(from_start) or inside in target:
            rest(node, found)

    return walk


def _equals(test: str, rest: Walk) -> Walk:
    name, _, wanted = test.partition("=")

    def walk(node: Any, found: list[Any]) -> None:
        if type(node) is dict and node.get(name) == wanted:
            rest(node, found)

    return walk


def _extended(url: str, rest: Walk) -> Walk:
    def walk(node: Any, found: list[Any]) -> None:
        if type(node) is dict and any(one.get("url") == url for one in node.get("extension", ())):
            rest(node, found)

    return walk


def _extension(url: str, rest: Walk) -> Walk:
    def walk(node: Any, found: list[Any]) -> None:
        for extension in node.get("extension", ()) if type(node) is dict else ():
            if extension.get("url") == url:
                _name("value", rest)(extension, found)

    return walk


_MAKERS: dict[str, Callable[[str, Walk], Walk]] = {
    "name": _name,
    "exact": _exact,
    "resolves": _resolves,
    "equals": _equals,
    "extended": _extended,
    "extension": _extension,
}

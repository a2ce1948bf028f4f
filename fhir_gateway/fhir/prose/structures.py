"""Structure definitions: their type, and paths that lead to elements of it.

https://hl7.org/fhir/R4/structuredefinition.html, https://hl7.org/fhir/R4/elementdefinition.html#path
"""

from collections.abc import Iterator

from fhir_gateway.fhir.definitions import types
from fhir_gateway.fhir.elements import members
from fhir_gateway.fhir.profile.tree import ABSTRACT, CORE, is_core, named
from fhir_gateway.fhir.prose.rule import Demand, Element, Fault, listed

# Of one another's kind, so that a profile of the one may stand where the other is.
_QUANTITIES = frozenset({"Quantity", "SimpleQuantity", "MoneyQuantity"})


def _type(structure: Element) -> Iterator[Fault]:
    kind, name = structure.get("kind"), str(structure.get("type", ""))
    if ":" not in name and not is_core(f"{CORE}{name}"):
        yield "type", "is no type of R4; types of others are named by an absolute address"
    elif ":" in name and not name.startswith(CORE) and kind != "logical":
        yield "type", "only logical models have a type named by an absolute address"
    if structure.get("derivation") == "specialization" and structure.get("baseDefinition") in (name, f"{CORE}{name}"):
        yield "baseDefinition", "a type does not specialize itself"


def _paths(structure: Element) -> Iterator[Fault]:
    name = str(structure.get("type", "")).rpartition("/")[2]
    for view in ("differential", "snapshot"):
        found = structure.get(view)
        for place, one in listed(found, "element") if isinstance(found, dict) else ():
            path = str(one.get("path", ""))
            where = f"{view}.{place}"
            if path.partition(".")[0] != name:
                yield f"{where}.path", f"the paths of {name} begin with {name}"
            elif structure.get("derivation") == "constraint":
                yield from ((f"{where}.{below}", text) for below, text in _constraint(path, one))
            yield from ((f"{where}.{below}", text) for below, text in _profiles(one))


def _constraint(path: str, element: Element) -> Iterator[Fault]:
    """What a profile says of an element against R4's own definition of it."""
    if not _leads_somewhere(path):
        yield "path", "leads to no element of this type"
        return
    owner, _, leaf = path.rpartition(".")
    facts = types().get(owner, {}).get("elements", {}).get(leaf)
    most, allowed = str(element.get("max", "0")), str(facts.get("max", "1")) if facts else "*"
    if (
        facts
        and isinstance(element.get("min"), int)
        and element["min"] < facts.get("min", 0)
        and "sliceName" not in element
    ):
        yield "min", f"R4 asks for {facts['min']}"
    if allowed != "*" and (most == "*" or (most.isdecimal() and int(most) > int(allowed))):
        yield "max", f"R4 allows {allowed}"
    slicing = element.get("slicing")
    for place, one in listed(slicing, "discriminator") if isinstance(slicing, dict) else ():
        if not _tells(path, str(one.get("path", ""))):
            yield f"slicing.{place}.path", "leads to no element of what is sliced"


def _tells(path: str, discriminator: str) -> bool:
    """Whether a discriminator leads somewhere; where it calls a function nobody is asked."""
    if "(" in discriminator or discriminator == "$this":
        return True
    steps = discriminator.removeprefix("$this.").split(".")
    kind = _kind_at(path)
    for step in steps:
        known = members(kind) if kind else {}
        if not known or kind in ("Resource", "Element"):
            return True
        found = [name for name in known if name == step or (name.startswith(step) and name[len(step) :][:1].isupper())]
        if not found:
            return False
        kind = known[found[0]] if len(found) == 1 else ""
    return True


def _kind_at(path: str) -> str:
    """The class of the element at a path; empty for a choice, or where it is not known."""
    kind, *steps = path.split(".")
    for step in steps:
        kind = members(kind).get(step, "")
    return kind


def _leads_somewhere(path: str) -> bool:
    """Whether each step is a member of what the step before it is; what is below a choice or an unknown is let be."""
    kind, *steps = path.split(".")
    if kind not in types():
        return True
    for step in steps:
        known = members(kind)
        if not known or kind in ("Resource", "Element"):
            return True
        stem = step.removesuffix("[x]")
        if stem != step:
            return any(name.startswith(stem) for name in known)
        if step not in known:
            return False
        kind = known[step]
    return True


def _profiles(element: Element) -> Iterator[Fault]:
    """A type of an element whose profile is another type of R4."""
    for place, item in listed(element, "type"):
        code = str(item.get("code"))
        wanted = [one.partition("|")[0].removeprefix(CORE) for one in named(item, "profile") if is_core(one)]
        if code[:1].isupper() and code not in ABSTRACT and any(not _fit(code, one) for one in wanted):
            yield f"{place}.profile", f"is no profile of {code}"


def _fit(code: str, name: str) -> bool:
    return name == code or {name, code} <= _QUANTITIES or name in ABSTRACT


DEMANDS: dict[str, tuple[Demand, ...]] = {"StructureDefinition": (_type, _paths)}

"""What a ledger claims of a resource that was said twice: only what still stands there counts as mapped.

https://hl7.org/fhirpath/#path-selection
"""

import re
from collections.abc import Iterable
from typing import Any

from adapters.contract import Account, Fate, Resource

SAID_AGAIN = "said again elsewhere in the message in other words, which stand in its place"
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")


def settle(accounts: Iterable[Account], bundle: Resource, rewritten: set[str]) -> None:
    """Drop targets in the rewritten resources (``Type/id``) that lead nowhere; a field with none left is unmapped."""
    entries = (entry["resource"] for entry in bundle.get("entry", ()))
    made = {name: one for one in entries if (name := f"{one['resourceType']}/{one['id']}") in rewritten}
    for account in accounts:
        kept = tuple(target for target in account.targets if _stands(target, made))
        if account.targets and not kept:
            account.fate, account.reason = Fate.UNMAPPED, SAID_AGAIN
        account.targets = kept


def _stands(target: str, made: dict[str, Resource]) -> bool:
    record, _, path = target.partition("#")
    return record not in made or leads(made[record], path.split(".") if path else [])


def leads(element: Any, path: list[str]) -> bool:
    """Whether something lies at the path; a choice by its FHIRPath name (``value``) is whichever member there is."""
    if not path:
        return element is not None
    if isinstance(element, list):
        return any(leads(item, path) for item in element)
    found = _STEP.match(path[0])
    if found is None or not isinstance(element, dict):
        return False
    return any(leads(_item(part, found[2]), path[1:]) for part in _members(element, found[1]))


def _members(element: Resource, name: str) -> list[Any]:
    exact = [element[spelt] for spelt in (name, f"_{name}") if spelt in element]
    choices = (part for spelt, part in element.items() if re.match(f"_?{name}[A-Z]", spelt))
    return exact or list(choices)


def _item(part: Any, place: str | None) -> Any:
    if place is None or not isinstance(part, list):
        return part
    return part[int(place)] if int(place) < len(part) else None

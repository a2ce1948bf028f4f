"""Topics: what may be watched, as data; and each as a client discovers it.

https://hl7.org/fhir/uv/subscriptions-backport/components.html#subscription-topics

A topic of R5 is a Basic resource in R4, its elements cross-version extensions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from fhir_gateway.fhir.resource import Resource

CREATE, UPDATE, DELETE = "create", "update", "delete"
_R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic"
_TYPES = "http://hl7.org/fhir/fhir-types"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A change of one type that makes an event.

    ``current`` and ``previous`` are searches that the new and the old version must meet; a creation has no old version
    and meets ``previous``. ``changed`` names elements of which one must differ; a creation differs in all.
    """

    resource: str
    interactions: tuple[str, ...]
    current: str = ""
    previous: str = ""
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Topic:
    """``filters`` are the search parameters a subscriber may narrow it by."""

    url: str
    title: str
    description: str
    triggers: tuple[Trigger, ...]
    filters: tuple[str, ...]

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(trigger.resource for trigger in self.triggers)


@cache
def topics() -> Mapping[str, Topic]:
    """The topics this gateway knows, by canonical URL."""
    listed = json.loads(files(__package__).joinpath("topics.json").read_text(encoding="utf-8"))
    return {entry["url"]: _topic(entry) for entry in listed}


def _topic(entry: Mapping[str, Any]) -> Topic:
    triggers = tuple(
        Trigger(
            one["resource"],
            tuple(one["interactions"]),
            one.get("current", ""),
            one.get("previous", ""),
            tuple(one.get("changed", ())),
        )
        for one in entry["triggers"]
    )
    return Topic(entry["url"], entry["title"], entry["description"], triggers, tuple(entry["filters"]))


def basic(topic: Topic) -> Resource:
    """The topic as R4 writes it down."""
    named = (("url", "Uri", topic.url), ("title", "String", topic.title))
    texts = (*named, ("description", "Markdown", topic.description))
    return {
        "resourceType": "Basic",
        "id": topic.url.rpartition(":")[2],
        "extension": [
            *(_extension(f"{_R5}.{name}", kind, value) for name, kind, value in texts),
            *(_trigger(trigger) for trigger in topic.triggers),
            *(_filter(type_, parameter) for type_ in topic.types for parameter in topic.filters),
        ],
        "modifierExtension": [_extension(f"{_R5}.status", "Code", "active")],
        "code": {"coding": [{"system": _TYPES, "code": "SubscriptionTopic"}]},
    }


def _extension(url: str, kind: str, value: Any) -> dict[str, Any]:
    return {"url": url, f"value{kind}": value}


def _trigger(trigger: Trigger) -> dict[str, Any]:
    parts = [_extension("resource", "Uri", f"http://hl7.org/fhir/StructureDefinition/{trigger.resource}")]
    parts += [_extension("supportedInteraction", "Code", name) for name in trigger.interactions]
    searches = [
        _extension(name, "String", text)
        for name, text in (("previous", trigger.previous), ("current", trigger.current))
        if text
    ]
    if searches:
        fixed = [
            _extension("resultForCreate", "Code", "test-passes"),
            _extension("resultForDelete", "Code", "test-fails"),
            _extension("requireBoth", "Boolean", True),
        ]
        parts.append({"url": "queryCriteria", "extension": [*searches, *fixed]})
    if trigger.changed:
        differs = " or ".join(f"(%current.{name} ~ %previous.{name}).not()" for name in trigger.changed)
        parts.append(_extension("fhirPathCriteria", "String", f"%previous.empty() or {differs}"))
    return {"url": f"{_R5}.resourceTrigger", "extension": parts}


def _filter(type_: str, parameter: str) -> dict[str, Any]:
    parts = [_extension("resource", "Uri", type_), _extension("filterParameter", "String", parameter)]
    return {"url": f"{_R5}.canFilterBy", "extension": parts}

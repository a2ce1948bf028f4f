"""AuditEvents as they lie in the database: a page for those that became durable together.

https://hl7.org/fhir/R4/auditevent.html

A page is found by the keys of any of its events, so that each key is paid for once a page. What a search asks is asked
twice: of the pages, by an index and not too narrowly, then of the events in them, exactly as of any other record. The
events of a page were recorded at one moment, and their ids begin with that of the page: pages in order are events in
order. An event that lies alone without a page, as earlier versions wrote them, is met as a page of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from fhir_gateway.search.criteria import UNIT
from fhir_gateway.store.typed import typed

Stage = dict[str, Any]
Document = dict[str, Any]

PAGED, WAITING = 0, -1
"""What stands in ``block``: of a page, of the mark that says that it waits to be sealed."""

_SAME = {"version": 1, "deleted": False, "readers": [], "owner": ""}
PAGE_FIELDS = ("events", "common", "block")


def page_of(event: str) -> str:
    """The name of the page that an event lies in, by the event's id or reference."""
    return event.rpartition(".")[0] or event


def folded(moment: Any, events: Sequence[Document]) -> Document:
    """The page of these events; each comes with ``_id``, ``id``, ``body`` and the fields that a search needs."""
    common = _common([event.get("keys", ()) for event in events])
    within = [event | {"keys": [key for key in event.get("keys", ()) if key not in common]} for event in events]
    return {
        "_id": page_of(events[0]["_id"]),
        "type": "AuditEvent",
        "updated": moment,
        "block": PAGED,
        "keys": list(dict.fromkeys([*common, *(key for event in within for key in event["keys"])])),
        "common": len(common),
        "events": within,
    }


def mark(page: Document) -> Document:
    """Says that the page waits to be sealed; it is written before the page and goes when a block lists it."""
    return {"_id": waiting(page["_id"]), "updated": page["updated"], "block": WAITING, "page": page["_id"]}


def waiting(page: str) -> str:
    """The name of a page's mark."""
    return f"waiting/{page}"


def opened(document: Mapping[str, Any]) -> Iterator[Document]:
    """The events of a page, each as if it lay alone; of an event that lies alone that one."""
    if "events" not in document:
        yield dict(document)
        return
    about = {name: document[name] for name in ("type", "updated") if name in document}
    common = document.get("keys", [])[: document.get("common", 0)]
    for event in document["events"]:
        yield {**about, **_SAME, **event, "keys": [*common, *event.get("keys", ())]}


def unfolding(matches: Sequence[Stage], narrowed: Sequence[Stage] = ()) -> list[Stage]:
    """Stages that find events by ``matches``; ``narrowed`` go to the pages, behind what these have to meet."""
    pages = [{"$match": narrow} for stage in matches if (narrow := _narrow(stage["$match"]))]
    return [*pages, *narrowed, *_UNFOLD, *matches]


_UNFOLD: list[Stage] = [
    {"$unwind": {"path": "$events", "preserveNullAndEmptyArrays": True}},
    {
        "$replaceRoot": {
            "newRoot": {
                "$mergeObjects": [
                    "$$ROOT",
                    _SAME,
                    "$events",
                    {
                        "keys": {
                            "$concatArrays": [
                                {"$cond": [{"$gt": ["$common", 0]}, {"$slice": ["$keys", "$common"]}, []]},
                                {"$ifNull": ["$events.keys", "$keys"]},
                            ]
                        }
                    },
                ]
            }
        }
    },
]


def _narrow(match: Stage) -> Stage:
    """What a page holds at least if one of its events meets the condition; nothing where that says nothing."""
    found: Stage = {}
    for field, wanted in match.items():
        if field in _NARROWS:
            found |= _NARROWS[field](wanted)
    return found


def _keys(wanted: Any) -> Stage:
    return {} if isinstance(wanted, dict) and set(wanted) & {"$nin", "$regex"} else {"keys": wanted}


def _ids(wanted: Any) -> Stage:
    if isinstance(wanted, str):
        wanted = {"$in": [wanted]}
    if "$nin" in wanted:
        return {}
    if "$in" in wanted:
        both = [name for one in wanted["$in"] for name in (page_of(one), one)]
        return {"_id": {"$in": list(dict.fromkeys(both))}}
    closed = {"$gt": "$gte", "$lt": "$lte"}
    return {"_id": {closed.get(edge, edge): page_of(value) for edge, value in wanted.items()}}


def _patients(wanted: Any) -> Stage:
    """The compartment of a patient is that of the events whose parameter ``patient`` names them."""
    if isinstance(wanted, str):
        return {"keys": _about(wanted)}
    return {"keys": {"$in": [*map(_about, wanted["$in"])]}} if "$in" in wanted else {}


def _about(patient: str) -> str:
    return typed("AuditEvent", f"patient:{patient}{UNIT}Patient")


_NARROWS: dict[str, Callable[[Any], Stage]] = {
    "type": lambda wanted: {"type": wanted},
    "keys": _keys,
    "_id": _ids,
    "updated": lambda wanted: {"updated": wanted},
    # Nobody who is confined to what was shared sees an event: no page has such a key.
    "readers": lambda _: {"keys": UNIT},
    "patients": _patients,
}


def _common(all_keys: Sequence[Iterable[str]]) -> dict[str, None]:
    """The keys that every event has, in the order of the first."""
    shared = set(all_keys[0]).intersection(*all_keys[1:])
    return {key: None for key in all_keys[0] if key in shared}

"""How each value of the store lies in the database: one document each, whole.

A current version lies in ``resources`` under ``Type/id`` beside the fields it is found by; a superseded one in
``versions`` under ``Type/id/number``, without them. ``body`` is the exact JSON text as bytes: a read decodes nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from fhir_gateway.store import pages
from fhir_gateway.store.mongo.connection import Document, milliseconds, now
from fhir_gateway.store.port import Block, Event, Job, Note, Version
from fhir_gateway.store.typed import with_type

VERSION_FIELDS = ("type", "id", "version", "updated", "deleted", "readers", "owner", "secret", "body")
FOUND_LENGTH = 80
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


def past(reference: str, number: int) -> str:
    """The name of a superseded version."""
    return f"{reference}/{number}"


def version_document(version: Version, readers: Iterable[str]) -> Document:
    return {
        "_id": version.reference,
        "type": version.type,
        "id": version.id,
        "version": version.number,
        "updated": milliseconds(version.updated),
        "deleted": version.deleted,
        "readers": sorted({*version.readers, *readers}),
        "owner": version.owner,
        **({"secret": True} if version.secret else {}),
        "body": version.body,
    }


def to_version(document: Mapping[str, Any]) -> Version:
    return Version(
        type=document["type"],
        id=document["id"],
        number=document["version"],
        updated=document["updated"],
        body=document["body"],
        deleted=document["deleted"],
        readers=tuple(document["readers"]),
        owner=document["owner"],
        secret=document.get("secret", False),
    )


def event_name(event: str) -> str:
    return f"AuditEvent/{event}"


def page_name(event: str) -> str:
    """The page that the event with this id lies in."""
    return event_name(pages.page_of(event))


def page_documents(events: Iterable[Event]) -> list[Document]:
    """The pages of these events, and before them a mark for each: a page without one would never be sealed."""
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(page_name(event.id), []).append(event)
    made = [pages.folded(milliseconds(group[0].recorded), [*map(_in_page, group)]) for group in groups.values()]
    return [*map(pages.mark, made), *made]


def _in_page(event: Event) -> Document:
    found = with_type("AuditEvent", event.index)
    return {**found, "_id": event_name(event.id), "id": event.id, "body": event.body}


def to_event(document: Mapping[str, Any], block: int | None = None) -> Event:
    return Event(document["id"], document["updated"], document["body"], block=document.get("block", block))


def note_name(shelf: str, key: str) -> str:
    return f"{shelf}/{key}"


def note_document(note: Note, content: Mapping[str, Any]) -> Document:
    return {
        "_id": note_name(note.shelf, note.key),
        "key": note.key,
        "found": found(note.shelf, content),
        "content": dict(content),
    }


def found(shelf: str, content: Mapping[str, Any]) -> list[str]:
    """What a note is found by: its shelf, and each field that says something and is short enough to be looked for."""
    short = {name: value for name, value in content.items() if isinstance(value, (str, bool, int)) and value != ""}
    fields = (f"{shelf}/{name}={value!r}" for name, value in short.items())
    return [f"{shelf}/", *(field for field in fields if len(field) <= FOUND_LENGTH)]


def lane_name(job: Job) -> str:
    """The group within the queue; a job without a group has a lane of its own."""
    return f"{job.queue}/{job.group}" if job.group else f"{job.queue}//{job.id}"


def job_document(job: Job, order: int) -> Document:
    return {
        "_id": job.id,
        "queue": job.queue,
        "group": job.group,
        "lane": lane_name(job),
        "due": milliseconds(job.due),
        "ready": AT_ONCE if job.due <= now() else milliseconds(job.due),
        "order": job.order or order,
        "content": dict(job.content),
        "attempts": job.attempts,
        "trouble": job.trouble,
    }


def to_job(document: Mapping[str, Any]) -> Job:
    return Job(
        id=document["_id"],
        queue=document["queue"],
        group=document["group"],
        due=document["due"],
        content=document["content"],
        attempts=document["attempts"],
        trouble=document["trouble"],
        order=document["order"],
    )


def block_document(block: Block) -> Document:
    return {
        "_id": block.number,
        "previous": block.previous,
        "root": block.root,
        "events": list(block.events),
        "pages": list(dict.fromkeys(map(page_name, block.events))),
        "sealed": milliseconds(block.sealed),
        "signature": block.signature,
    }


def to_block(document: Mapping[str, Any]) -> Block:
    return Block(
        number=document["_id"],
        previous=document["previous"],
        root=document["root"],
        events=tuple(document["events"]),
        sealed=document["sealed"],
        signature=document["signature"],
    )


def same(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether a stored note has the expected values; times are compared as the database keeps them."""
    return all(stored.get(name) == _kept(value) for name, value in expected.items())


def as_found(expected: Mapping[str, Any]) -> Document:
    """The same as a condition of the database."""
    return {f"content.{name}": {"$eq": _kept(value)} for name, value in expected.items()}


def _kept(value: object) -> object:
    return milliseconds(value) if isinstance(value, datetime) else value

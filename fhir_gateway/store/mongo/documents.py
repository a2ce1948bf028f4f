"""How each value of the store lies in the database: one document each, whole.

A current version lies in ``resources`` under ``Type/id`` beside the fields it is found by; a superseded one in
``versions`` under ``Type/id/number``, without them. ``body`` is the exact JSON text as bytes: a read decodes nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from fhir_gateway.store.mongo.connection import Document, milliseconds
from fhir_gateway.store.port import Block, Event, Job, Note, Version

VERSION_FIELDS = ("type", "id", "version", "updated", "deleted", "readers", "owner", "body")
FOUND_LENGTH = 80


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
    )


def event_document(event: Event) -> Document:
    return {
        **event.index,
        "_id": f"AuditEvent/{event.id}",
        "type": "AuditEvent",
        "id": event.id,
        "version": 1,
        "updated": milliseconds(event.recorded),
        "deleted": False,
        "readers": [],
        "owner": "",
        "body": event.body,
        "block": event.block,
    }


def to_event(document: Mapping[str, Any]) -> Event:
    return Event(document["id"], document["updated"], document["body"], block=document["block"])


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
    """What a note is found by: its shelf, and each field that is short enough to be looked for."""
    short = {name: value for name, value in content.items() if isinstance(value, (str, bool, int))}
    fields = (f"{shelf}/{name}={value!r}" for name, value in short.items())
    return [f"{shelf}/", *(field for field in fields if len(field) <= FOUND_LENGTH)]


def job_document(job: Job, order: int) -> Document:
    """``lane`` is the group within the queue; a job without a group has a lane of its own."""
    return {
        "_id": job.id,
        "queue": job.queue,
        "group": job.group,
        "lane": f"{job.queue}/{job.group}" if job.group else f"{job.queue}//{job.id}",
        "due": milliseconds(job.due),
        "ready": milliseconds(job.due),
        "order": order,
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
    )


def block_document(block: Block) -> Document:
    return {
        "_id": block.number,
        "previous": block.previous,
        "root": block.root,
        "events": list(block.events),
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


def _kept(value: object) -> object:
    return milliseconds(value) if isinstance(value, datetime) else value

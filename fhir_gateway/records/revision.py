"""The next version of a resource: number, time, readers, JSON text and the keys it is found by."""

from datetime import datetime

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.resource import Resource, stamp
from fhir_gateway.search.extract import index
from fhir_gateway.store.port import Change, Version


def revision(
    resource: Resource, reference: str, current: Version | None, now: datetime, readers: tuple[str, ...]
) -> Change:
    """The change that makes ``resource`` the content of ``reference``; readers and owner it has already stay.

    The first of ``readers`` owns what is new.
    """
    type_, _, identity = reference.partition("/")
    number = current.number if current else 0
    stamped = stamp(resource, identity, number + 1, now)
    kept = tuple(dict.fromkeys((*(current.readers if current else ()), *readers)))
    owner = current.owner if current else next(iter(readers), "")
    version = Version(type_, identity, number + 1, now, encode(stamped), readers=kept, owner=owner)
    return Change(version, number, index(stamped))


def deletion(current: Version, now: datetime) -> Change:
    """The change after which ``current`` is Gone; who could read it can still learn that."""
    version = Version(current.type, current.id, current.number + 1, now, b"", True, current.readers, current.owner)
    return Change(version, current.number)

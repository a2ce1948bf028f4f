"""The next version of a resource: number, time, readers, JSON text and the keys it is found by."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from fhir_gateway.fhir.codec import encode
from fhir_gateway.fhir.resource import Resource, stamp
from fhir_gateway.problem import Unprocessable
from fhir_gateway.search.extract import index, is_entangled
from fhir_gateway.security.secrecy import is_secret
from fhir_gateway.store.port import Change, Version


def revision(
    resource: Resource, reference: str, current: Version | None, now: datetime, readers: tuple[str, ...]
) -> Change:
    """The change that makes ``resource`` the content of ``reference``; readers and owner it has already stay.

    The first of ``readers`` owns what is new.
    """
    version = revised(resource, reference, current, now, readers)
    return Change(version, version.number - 1, keys(resource, version.id))


def revised(
    resource: Resource, reference: str, current: Version | None, now: datetime, readers: tuple[str, ...]
) -> Version:
    """The next version alone, for who made the keys before."""
    type_, _, identity = reference.partition("/")
    number = current.number if current else 0
    kept = tuple(dict.fromkeys((*(current.readers if current else ()), *readers)))
    owner = current.owner if current else next(iter(readers), "")
    moment = _moment(current, now)
    body = encode(stamp(resource, identity, number + 1, moment))
    return Version(type_, identity, number + 1, moment, body, readers=kept, owner=owner, secret=is_secret(resource))


def keys(resource: Resource, identity: str) -> dict[str, Any]:
    """What the resource is found by under this id; number and time of the version are no part of it."""
    must_be_searchable(resource)
    return index(resource if resource.get("id") == identity else {**resource, "id": identity})


def must_be_searchable(resource: Resource) -> None:
    """Raises Unprocessable where an index could not hold all that the resource is found by."""
    if "contained" in resource and is_entangled(resource):
        text = "the contained resources refer to each other too often to be searched by that"
        raise Unprocessable(text, f"{resource['resourceType']}.contained")


def deletion(current: Version, now: datetime) -> Change:
    """The change after which ``current`` is Gone; who could read it can still learn that."""
    moment = _moment(current, now)
    version = replace(current, number=current.number + 1, updated=moment, body=b"", deleted=True)
    return Change(version, current.number)


def _moment(current: Version | None, now: datetime) -> datetime:
    """A clock that was set back makes no version older than the one it replaces."""
    return max(now, current.updated) if current else now

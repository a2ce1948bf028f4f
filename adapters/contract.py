"""All that an adapter and the gateway share.

An adapter is a module with four names: ``NAME``, ``MEDIA_TYPES``, ``recognises(body)`` and ``translate(message)``.
It is a pure function: it reads no clock, file, database or network (its own code tables are read at import), so the
same bytes always give the same Bundle. That is what lets a message be replayed and an adapter be tested with two files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Coding:
    """One row of a code table: what a local code means in a standard system."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Hospital:
    """A sending hospital as its TOML file describes it: data, never code."""

    name: str
    title: str
    facility_code: str
    adapters: tuple[str, ...]
    offset: str = "+07:00"
    systems: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, Mapping[str, Coding]] = field(default_factory=dict)
    quirks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came. ``received`` never reaches the Bundle: same bytes, same Bundle."""

    hospital: Hospital
    media_type: str
    body: bytes
    received: datetime


class Fate(StrEnum):
    """What became of a source field."""

    MAPPED = "mapped"
    IGNORED = "ignored"
    UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger line of one source field.

    ``place`` is segment-field (``PID[1]-5[1].1``) or XPath; ``targets`` are ``Type/id#path`` for a mapped field;
    ``reason`` is the written reason for an ignored one; ``offset`` is its first byte in the message, where known.
    """

    place: str
    fate: Fate
    targets: tuple[str, ...] = ()
    reason: str = ""
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell the sender that did not stop the translation; never holds patient data."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Translation:
    """A transaction Bundle and the account of every source field."""

    bundle: Resource
    ledger: tuple[Account, ...]
    notices: tuple[Notice, ...] = ()


class Untranslatable(Exception):  # noqa: N818 - the contract's own word
    """The whole message cannot be read. ``reason`` and ``where`` name the fault, never the patient."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.reason = reason
        self.where = where


class Adapter(Protocol):
    """The shape of an adapter module."""

    NAME: str
    MEDIA_TYPES: frozenset[str]

    def recognises(self, body: bytes) -> bool:
        """Whether the first bytes look like this format; decides between adapters that share a media type."""
        ...

    def translate(self, message: Message) -> Translation:
        """Map one message. Raises Untranslatable when nothing of it can be understood."""
        ...

"""All that an adapter and the gateway share.

An adapter is a module with four names: ``NAME``, ``MEDIA_TYPES``, ``recognises(body)`` and ``translate(message)``.
One whose messages carry their sender's XML signature names its place in a fifth, ``SIGNATURE_PLACE``.
It is a pure function: it reads no clock, file, database or network (its own code tables are read at import), so the
same bytes always give the same Bundle. That is what lets a message be replayed and an adapter be tested with two files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

Resource = dict[str, Any]

# The extension by which a Patient says that its links to another (valueReference) are taken back: who files the
# Bundle drops them from what is stored, and the extension with them.
LINK_ENDED = "urn:vn:quang-ninh:fhir-gateway:link-ended"


@dataclass(frozen=True, slots=True)
class Coding:
    """One row of a code table: what a local code means in a standard system."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Signing:
    """How a hospital's signatures are taken: ``ignored``, ``noted`` or ``required``, and who vouches for them (PEM)."""

    policy: str = "noted"
    roots: tuple[bytes, ...] = ()


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
    outbound: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    signing: Signing = Signing()


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


# Not frozen: a 100 kB document has two thousand of these, and frozen ones take three times as long to make.
@dataclass(slots=True)
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

    def take(self, target: str) -> None:
        """The field went into ``target`` too; that wins over a reason to leave it out."""
        if not self.targets:
            self.fate, self.targets, self.reason = Fate.MAPPED, (target,), ""
        elif target not in self.targets:
            self.targets = (*self.targets, target)

    def ignore(self, reason: str) -> None:
        """The field is left out on purpose; the first reason stands."""
        if self.fate is Fate.UNMAPPED:
            self.fate, self.reason = Fate.IGNORED, reason


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell the sender that did not stop the translation; never holds patient data."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Unit:
    """All that a sender now says about one part of a subject, such as one table of one episode.

    ``resources`` (``Type/id``) are what this message made of it. A later message about the same unit replaces it whole:
    what that one no longer makes was withdrawn by the sender, unless it does not claim to revise the earlier one.
    """

    subject: str
    part: str
    resources: tuple[str, ...]
    revises: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """What is filed of one patient (``whence``) belongs to another (``to``) from now on, says the field at ``place``.

    ``under`` names the visits and accounts (``Type/id``) with which it goes, and ``accounts`` what visits call those
    accounts; where neither is said, all there is of the patient goes.
    """

    whence: str
    to: str
    place: str
    under: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Translation:
    """A transaction Bundle and the account of every source field; ``units`` are stated completely by the message.

    ``moves`` are carried out once, when the message is filed.
    """

    bundle: Resource
    ledger: tuple[Account, ...]
    notices: tuple[Notice, ...] = ()
    units: tuple[Unit, ...] = ()
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a message that stands alone, such as some rows of a table.

    ``place`` is where it stood in the whole. ``shift`` added to its own offsets gives those in the whole.
    """

    media_type: str
    body: bytes
    place: str
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of a source field: the first, and how many.

    Those of a file that the message carries (base64 in the national XML) are counted from the inner file's own first
    byte; ``carrier`` is then the place of the element that holds it and ``outer`` its bytes in the message.
    """

    offset: int
    length: int
    carrier: str = ""
    outer: "Span | None" = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a hospital is told of a case in its own format, by an adapter that has ``render(reply)``.

    ``resources`` are the Task and what it speaks of, by full resources; ``control`` numbers the message for good.
    """

    hospital: Hospital
    event: str
    resources: tuple[Resource, ...]
    control: str
    sent: datetime


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


@runtime_checkable
class Divisible(Protocol):
    """An adapter whose messages hold many things that do not need each other: one bad row spoils only itself.

    It may say in ``ROWS_TOGETHER`` how many of them are filed at once, each such piece with a receipt of its own.
    """

    def divide(self, message: Message, most: int) -> Sequence[Piece]:
        """The message in pieces of at most ``most`` rows, in order; empty when it has no more than one such piece."""
        ...


@runtime_checkable
class Locating(Protocol):
    """An adapter that can say afterwards, when a ledger is looked at, where its fields stand among the bytes."""

    def spans(self, body: bytes, offsets: Mapping[str, int | None]) -> Mapping[str, Span]:
        """The bytes of each place; ``offsets`` are the places of a ledger with the first byte where it knows it."""
        ...


@runtime_checkable
class Numbered(Protocol):
    """An adapter whose messages carry a number of their sender's own."""

    def control_number(self, body: bytes, offset: int) -> str:
        """The sender's number of the message that the byte at ``offset`` belongs to; empty without one."""
        ...


@runtime_checkable
class Sequenced(Protocol):
    """An adapter whose senders may count their messages, so that one that never came is seen."""

    def sequence(self, body: bytes) -> str:
        """The counter's name and its numbers (``HIS|22T01#17``); empty where the sender does not count."""
        ...

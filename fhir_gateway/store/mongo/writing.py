"""What one commit writes, collection by collection: few statements, each for all of its kind.

https://hl7.org/fhir/R4/http.html#transactional-integrity
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from time import time_ns
from uuid import uuid4

from bson import Binary
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReplaceOne, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from fhir_gateway.problem import Claimed, Conflict, Problem
from fhir_gateway.store.ladder import ranged
from fhir_gateway.store.mongo.connection import Document, duplicate, milliseconds, portions
from fhir_gateway.store.mongo.documents import (
    VERSION_FIELDS,
    as_found,
    job_document,
    note_document,
    note_name,
    page_documents,
    page_name,
    past,
    same,
    version_document,
)
from fhir_gateway.store.mongo.statements import Measure, insert, replace, wide
from fhir_gateway.store.mongo.transact import DirectSession, Overtaken, Session, directly
from fhir_gateway.store.port import Change, Claim, Commit, Note

_KEPT = dict.fromkeys((*VERSION_FIELDS, "commit"), 1)
# More than one commit has jobs.
ORDER_STEP = 100_000
AT_ONCE = 16
"""Notes of one statement: the database serves nobody else meanwhile."""
_latest = [0]
_counting = Lock()


@dataclass(frozen=True, slots=True)
class Writer:
    """One commit on its way. ``token`` marks what it wrote, so that it knows its own work after a crash.

    ``most`` is how much of it may go into one statement at the moment.
    """

    database: AsyncIOMotorDatabase[Document]
    commit: Commit
    token: Binary = field(default_factory=lambda: Binary(uuid4().bytes))
    most: Measure = wide
    _tries: list[None] = field(init=False, repr=False, default_factory=list)
    _granted: dict[str, list[str]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for grant in self.commit.grants:
            self._granted.setdefault(grant.reference, []).append(grant.reader)

    @property
    def _home(self) -> Database[Document]:
        """The same, as it is called from the thread of a commit."""
        direct: Database[Document] = self.database.delegate
        return direct

    @property
    def single(self) -> bool:
        """Whether it is one statement on one document, whole without a transaction."""
        commit = self.commit
        pages = {page_name(event.id) for event in commit.events}
        parts = (commit.changes, commit.claims, commit.grants, commit.notes, pages, commit.jobs, commit.settled)
        return sum(map(len, parts)) == 1 and not any(change.replaces for change in commit.changes)

    @property
    def _hopeful(self) -> bool:
        """Whether this is the first try: it writes as if all is as expected, a later one reads what is there."""
        return len(self._tries) == 1

    async def write(self, session: Session) -> None:
        self._tries.append(None)
        await directly(self._write, session)

    def _write(self, session: DirectSession) -> None:
        self._changes(session)
        self._claims(session)
        self._grants(session)
        self._notes(session)
        self._insert("events", page_documents(self.commit.events), session)
        order = _order()
        jobs = (job_document(job, order + place) for place, job in enumerate(self.commit.jobs))
        self._insert("jobs", jobs, session)
        self._settle(session)

    async def landed(self, uncertain: bool) -> bool:
        """Whether this commit is in the database already; one of its documents stands for all."""
        mark = {"commit": self.token}
        for change in self.commit.changes[:1]:
            version = change.version
            names = {"resources": version.reference, "versions": past(version.reference, version.number)}
            return any([await self.database[place].find_one({"_id": name} | mark) for place, name in names.items()])
        for event in self.commit.events[:1]:
            return bool(await self.database.events.find_one({"_id": page_name(event.id)} | mark))
        for note in self.commit.notes[:1]:
            return bool(await self.database.notes.find_one({"_id": note_name(note.shelf, note.key)} | mark))
        for job in self.commit.jobs[:1]:
            return bool(await self.database.jobs.find_one({"_id": job.id} | mark))
        # Grants repeat without harm, and a job that is gone was settled by the try whose answer was lost.
        return uncertain

    def _insert(self, collection: str, documents: Iterable[Document], session: DirectSession) -> None:
        # Made when their statement goes: all of a large commit at once would hold the loop.
        marked = (document | {"commit": self.token} for document in documents)
        taken = Conflict("another writer was first")
        insert(self._home[collection], marked, session, taken, self.most)

    def _changes(self, session: DirectSession) -> None:
        changes = {change.version.reference: change for change in self.commit.changes}
        if len(changes) < len(self.commit.changes):
            raise Conflict("one commit changes the same resource twice")
        fresh = [change for change in changes.values() if not change.replaces]
        self._insert("resources", map(self._document, fresh), session)
        if replaced := [change for change in changes.values() if change.replaces]:
            self._replace(replaced, session)

    def _document(self, change: Change, readers: Sequence[str] = ()) -> Document:
        granted = self._granted.get(change.version.reference, ())
        return {
            **ranged(change.version.reference, change.index),
            **version_document(change.version, {*readers, *granted}),
        }

    def _replace(self, changes: Sequence[Change], session: DirectSession) -> None:
        """The old versions move to the history; a grant once given stays with the new ones."""
        names = [change.version.reference for change in changes]
        old: dict[str, Document] = {}
        for part in portions(names):
            found = self._home.resources.find({"_id": {"$in": part}}, _KEPT, session=session)
            old |= {document["_id"]: document for document in found}
        for change in changes:
            before = old.get(change.version.reference)
            if before is None or before["version"] != change.replaces:
                raise Conflict("another version is current by now", change.version.reference)
        ends = {change.version.reference: milliseconds(change.version.updated) for change in changes}
        secret = {change.version.reference for change in changes if change.version.secret}
        history = [
            document | {"_id": past(name, document["version"]), "of": name, "until": ends[name]} | _mark(name in secret)
            for name, document in old.items()
        ]
        insert(self._home.versions, history, session, Overtaken(), self.most)
        if newly := [name for name in secret if old[name]["version"] > 1 and not old[name].get("secret")]:
            self._home.versions.update_many({"of": {"$in": newly}}, {"$set": _mark(True)}, session=session)
        replacements = [self._replacement(change, old[change.version.reference]["readers"]) for change in changes]
        if replace(self._home.resources, replacements, session, self.most) != len(changes):
            raise Overtaken

    def _replacement(self, change: Change, readers: Sequence[str]) -> tuple[Document, Document]:
        document = self._document(change, readers) | {"commit": self.token}
        return {"_id": document["_id"], "version": change.replaces}, document

    def _claims(self, session: DirectSession) -> None:
        wanted = _agreed(self.commit.claims)
        if not wanted:
            return
        owners = self._owners(wanted, session)
        moves = [move for claim in wanted.values() if (move := _move(claim, owners.get(claim.key)))]
        if moves:
            result = self._home.claims.bulk_write(moves, ordered=True, session=session)
            _must(result.matched_count == len(moves), Overtaken())
        fresh = [{"_id": key, "owner": claim.owner} for key, claim in wanted.items() if key not in owners]
        insert(self._home.claims, fresh, session, Overtaken())

    def _owners(self, wanted: Mapping[str, Claim], session: DirectSession) -> dict[str, str]:
        if self._hopeful and all(claim.instead_of is None for claim in wanted.values()):
            return {}
        cursor = self._home.claims.find({"_id": {"$in": list(wanted)}}, session=session)
        return {document["_id"]: document["owner"] for document in cursor}

    def _grants(self, session: DirectSession) -> None:
        written = {change.version.reference for change in self.commit.changes}
        readers: dict[str, dict[str, None]] = {}
        for grant in self.commit.grants:
            if grant.reference not in written:
                readers.setdefault(grant.reader, {})[grant.reference] = None
        for reader, references in readers.items():
            result = self._home.resources.update_many(
                {"_id": {"$in": list(references)}}, {"$addToSet": {"readers": reader}}, session=session
            )
            _must(result.matched_count == len(references), Conflict("what is to be shared is not stored"))

    def _notes(self, session: DirectSession) -> None:
        if self._hopeful and _are_few_and_known(self.commit.notes):
            self._notes_at_once(session)
            return
        fresh = [note_document(note, note.content) for note in self.commit.notes if note.expected is None]
        self._insert("notes", fresh, session)
        changed = {note_name(note.shelf, note.key): note for note in self.commit.notes if note.expected is not None}
        if not changed:
            return
        cursor = self._home.notes.find({"_id": {"$in": list(changed)}}, session=session)
        stored = {document["_id"]: document for document in cursor}
        rewritten = [self._rewritten(note, stored.get(name)) for name, note in changed.items()]
        result = self._home.notes.bulk_write(rewritten, ordered=True, session=session)
        _must(result.matched_count == len(rewritten), Overtaken())

    def _notes_at_once(self, session: DirectSession) -> None:
        """New notes and those whose old content does not matter, as one statement."""
        placed = [self._placed(note) for note in self.commit.notes]
        try:
            result = self._home.notes.bulk_write(placed, ordered=True, session=session)
        except BulkWriteError as error:
            if duplicate(error):
                raise Overtaken from None
            raise
        _must(result.matched_count + result.upserted_count == len(placed), Overtaken())

    def _placed(self, note: Note) -> ReplaceOne[Document]:
        document = note_document(note, note.content) | {"commit": self.token}
        if note.expected is None:
            # No note is of no commit: one of that name that is there already is a duplicate.
            return ReplaceOne({"_id": document["_id"], "commit": None}, document, upsert=True)
        return ReplaceOne({"_id": document["_id"], **as_found(note.expected)}, document)

    def _rewritten(self, note: Note, stored: Document | None) -> ReplaceOne[Document]:
        if stored is None or not same(stored["content"], note.expected or {}):
            raise Conflict(f"the note on shelf {note.shelf} is not as expected")
        document = note_document(note, {**stored["content"], **note.content}) | {"commit": self.token}
        return ReplaceOne({"_id": stored["_id"], "commit": stored["commit"]}, document)

    def _settle(self, session: DirectSession) -> None:
        settled = list(dict.fromkeys(self.commit.settled))
        if settled:
            result = self._home.jobs.delete_many({"_id": {"$in": settled}}, session=session)
            _must(result.deleted_count == len(settled), Conflict("another worker settled the job"))


def _are_few_and_known(notes: Sequence[Note]) -> bool:
    """Whether they go as one statement, some of them in the place of old ones that need not be read."""
    known = all(note.expected is None or note.entire for note in notes)
    return known and len(notes) <= AT_ONCE and any(note.entire for note in notes)


def _mark(secret: bool) -> Document:
    """A record that became secret was so before it was called so."""
    return {"secret": True} if secret else {}


def _agreed(claims: Iterable[Claim]) -> dict[str, Claim]:
    wanted: dict[str, Claim] = {}
    for claim in claims:
        if wanted.setdefault(claim.key, claim).owner != claim.owner:
            raise Claimed(claim.key, wanted[claim.key].owner)
    return wanted


def _move(claim: Claim, owner: str | None) -> UpdateOne | None:
    """What has to be done to a claim that has an owner; None for one that is new or in the right hands."""
    if owner is None or owner == claim.owner:
        return None
    if owner != claim.instead_of:
        raise Claimed(claim.key, owner)
    return UpdateOne({"_id": claim.key, "owner": owner}, {"$set": {"owner": claim.owner}})


def _must(holds: bool, otherwise: Problem | Overtaken) -> None:
    if not holds:
        raise otherwise


def _order() -> int:
    """Later calls get larger numbers, also within one tick of the clock, and after the clock was set back.

    Nanoseconds since 1970, as long as it is not.
    """
    with _counting:
        _latest[0] = max(time_ns(), _latest[0] + ORDER_STEP)
        return _latest[0]


def go_behind(orders: Iterable[int]) -> None:
    """What is written from now on stands behind these, which another process wrote before the clock was set back."""
    with _counting:
        _latest[0] = max((*orders, _latest[0]))

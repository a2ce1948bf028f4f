"""The store that notices: a commit which changes what somebody watches owes a notification in the same commit.

https://hl7.org/fhir/uv/subscriptions-backport/workflow.html

Every road into the records ends in ``commit``, so this is the one place. Which types are watched is remembered for
``VALID_SECONDS``; a subscription comes into force only when every process must have looked again (``enrolling``), so no
commit that begins afterwards can miss it. Nothing is matched here: the commit carries one job that names the versions.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from fhir_gateway.problem import Invalid
from fhir_gateway.search.query import parse
from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Change, Commit, Job, Version
from fhir_gateway.subscriptions.pulse import Pulse
from fhir_gateway.subscriptions.register import NEVER, standing
from fhir_gateway.subscriptions.terms import terms_of

VALID_SECONDS = 1.0
SETTLE_SECONDS = 1.25
CHANGES, ENROL = "subscription-changes", "subscription-enrol"
SUBSCRIPTION = "Subscription"
STANDING = (("status", "requested,active,error"), ("_count", "1000"), ("_total", "none"))


class WatchedStore(MongoStore):
    """``Store``. ``settle_seconds`` is how long a Subscription waits before it can come into force."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.pulse = Pulse()
        self.settle_seconds = SETTLE_SECONDS
        self._watched = frozenset({SUBSCRIPTION})
        self._until = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._looking is not None:
            await asyncio.wait([self._looking])
        await super().close()

    async def commit(self, commit: Commit) -> None:
        if not commit.changes:
            await super().commit(commit)
            return
        if time.monotonic() >= self._until:
            await self._look()
        watched = self._watched
        noticed = [change for change in commit.changes if change.version.type in watched]
        if not noticed:
            await super().commit(commit)
            return
        jobs = [*_changes(noticed), *self._enrolments(noticed)]
        await super().commit(replace(commit, jobs=(*commit.jobs, *jobs)))
        if any(change.version.type == SUBSCRIPTION for change in noticed):
            self._until = 0.0
        self.pulse.beat()

    async def _look(self) -> None:
        """Ask once for all who wait: which types have a subscription, in force or on its way."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_again())
            # Looked at here too: whoever waited for it may have given up.
            self._looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._looking)

    async def _look_again(self) -> None:
        try:
            asked = time.monotonic()
            found = {SUBSCRIPTION}
            for register in await standing(self):
                found |= register.terms.types
            for version in await self.find(parse(SUBSCRIPTION, STANDING)):
                found |= _types(version)
            self._watched, self._until = frozenset(found), asked + VALID_SECONDS
        finally:
            self._looking = None

    def _enrolments(self, changes: Sequence[Change]) -> list[Job]:
        wait = timedelta(seconds=self.settle_seconds)
        return [
            Job(f"{ENROL}/{one.version.id}/{one.version.number}", ENROL, one.version.id, one.version.updated + wait)
            for one in changes
            if one.version.type == SUBSCRIPTION
        ]


def _changes(changes: Sequence[Change]) -> list[Job]:
    """One job for the commit; all of them are one group and due alike, so they are taken in the order written."""
    named = [
        [change.version.reference, change.version.number, change.version.deleted]
        for change in changes
        if change.version.type != SUBSCRIPTION
    ]
    return [Job(f"{CHANGES}/{uuid4()}", CHANGES, CHANGES, NEVER, {"changes": named})] if named else []


def _types(version: Version) -> frozenset[str]:
    """What a Subscription on its way will watch; nothing where its terms cannot be kept, which enrolling will say."""
    try:
        return terms_of(version.body).types
    except Invalid:
        return frozenset()

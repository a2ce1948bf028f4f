"""A writer that is killed at each moment of one commit: before each command leaves and after each answer came.

Run as ``die_at.py URL DATABASE``; prints how many moments there were. Each writer is a fork that SIGKILLs itself.
"""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime

from pymongo import monitoring

from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Change, Claim, Commit, Event, Grant, Job, Note, Version

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Death(monitoring.CommandListener):
    """Kills this process at the moment ``at``, counted from the time it is armed."""

    def __init__(self) -> None:
        self.at, self.seen, self.armed = 0, 0, False

    def started(self, event: object) -> None:
        if self.armed:
            self.seen += 1
            if self.seen == self.at:
                os.kill(os.getpid(), signal.SIGKILL)

    succeeded = started
    failed = started


def change(id_: str, number: int) -> Change:
    return Change(Version("Patient", id_, number, NOON, b"{}"), number - 1, {"keys": [id_], "patients": [id_]})


def before(moment: int) -> Commit:
    """What is there already."""
    return Commit(
        changes=(change(f"old-{moment}", 1), change(f"shared-{moment}", 1)),
        notes=(Note("inbox", f"old-{moment}", {"state": "received"}),),
        jobs=(Job(f"old-{moment}", "out", "", NOON),),
    )


def whole(moment: int) -> Commit:
    """One of everything that a commit can hold."""
    return Commit(
        changes=(change(f"old-{moment}", 2), change(f"new-{moment}", 1)),
        claims=(Claim(f"mrn|{moment}", f"Patient/new-{moment}"),),
        grants=(Grant(f"Patient/shared-{moment}", "bach-mai"),),
        notes=(
            Note("inbox", f"new-{moment}", {"state": "received"}),
            Note("inbox", f"old-{moment}", {"state": "stored"}, expected={"state": "received"}),
        ),
        events=(Event(f"e-{moment}", NOON, b"{}", {"keys": [], "patients": []}),),
        jobs=(Job(f"new-{moment}", "out", "", NOON),),
        settled=(f"old-{moment}",),
    )


async def write(url: str, database: str, death: Death, moment: int) -> None:
    store = await MongoStore.open(url, database)
    await store.commit(before(moment))
    death.at, death.armed = moment, True
    await store.commit(whole(moment))
    await store.close()


def survives(url: str, database: str, death: Death, moment: int) -> bool:
    child = os.fork()
    if child == 0:
        asyncio.run(write(url, database, death, moment))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    assert status == 0, f"the writer of moment {moment} ended with {status}"
    return True


def main() -> None:
    url, database = sys.argv[1:]
    death = Death()
    monitoring.register(death)
    moment = 1
    while not survives(url, database, death, moment):
        moment += 1
    print(moment)


if __name__ == "__main__":
    main()

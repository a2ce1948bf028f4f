"""A writer that is killed at each moment of one commit.

Run as ``die_at.py URL DATABASE``; prints how many moments there were.
"""

import sys
from datetime import UTC, datetime

from mortal import Death, moments

from fhir_gateway.store.mongo import MongoStore
from fhir_gateway.store.port import Change, Claim, Commit, Event, Grant, Job, Note, Version

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


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


def main() -> None:
    url, database = sys.argv[1:]

    async def write(death: Death, moment: int) -> None:
        store = await MongoStore.open(url, database)
        await store.commit(before(moment))
        death.armed = True
        await store.commit(whole(moment))
        await store.close()

    print(moments(write))


if __name__ == "__main__":
    main()

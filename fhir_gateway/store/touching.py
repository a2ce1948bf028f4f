"""What a commit reads or writes that another one may as well, by name: two that share none can go beside each other.

https://www.mongodb.com/docs/manual/core/transactions/
"""

from collections.abc import Iterator

from fhir_gateway.store.port import Commit


def note(shelf: str, key: str) -> str:
    """How a note is called here."""
    return f"note {shelf}/{key}"


def claim(key: str) -> str:
    """How a claim is called here."""
    return f"claim {key}"


def names(commit: Commit) -> Iterator[str]:
    """All that the commit is about; a resource is called by its reference."""
    yield from (change.version.reference for change in commit.changes)
    yield from (grant.reference for grant in commit.grants)
    yield from (claim(one.key) for one in commit.claims)
    yield from (note(one.shelf, one.key) for one in commit.notes)
    yield from (f"job {job.id}" for job in commit.jobs)
    yield from (f"job {job}" for job in commit.settled)

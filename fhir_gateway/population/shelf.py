"""The folder of a bulk job: NDJSON files that grow by whole lines, and shrink back to what is certain after a crash.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-output-file-request
"""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

OWN = 0o600
_ID = re.compile(rb'^\{"resourceType":"[A-Za-z]+","id":"([A-Za-z0-9.\-]+)"')
_NAME = re.compile(r"[A-Za-z0-9\-]{1,80}")


def is_name(text: str) -> bool:
    """Whether it can be the name of a folder or a file here, and leads nowhere else."""
    return _NAME.fullmatch(text) is not None


def folder(data: Path, kind: str, job: str) -> Path:
    """The folder of a job, made where it is missing, for the gateway's own user only."""
    place = data / kind / job
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def file(place: Path, name: str) -> Path:
    return place / f"{name}.ndjson"


def remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)


def cut_back(place: Path, sizes: Mapping[str, int]) -> bool:
    """Remove what was written behind the certain sizes; False when a file is shorter than that."""
    for path in place.glob("*.ndjson"):
        if path.stem not in sizes:
            path.unlink()
    for name, size in sizes.items():
        path = file(place, name)
        if not path.exists() or path.stat().st_size < size:
            return False
        os.truncate(path, size)
    return True


def append(path: Path, lines: Iterable[bytes]) -> int:
    """Add lines, durably; gives the file's size."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, OWN)
    with os.fdopen(descriptor, "ab") as out:
        out.writelines(line + b"\n" for line in lines)
        out.flush()
        os.fsync(out.fileno())
        return out.tell()


def there(path: Path, ids: frozenset[str]) -> frozenset[str]:
    """Which of the ids the resources in the file have; reads line by line."""
    if not ids or not path.exists():
        return frozenset()
    with path.open("rb") as lines:
        found = (match[1].decode() for line in lines if (match := _ID.match(line)))
        return frozenset(name for name in found if name in ids)

"""Which mapping a message went through: one version for an adapter's code, its code tables and the hospital's file.

Two runs under one version say the same; a change of any of the three is another version.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from pathlib import Path

from adapters import contract
from adapters.contract import Adapter, Hospital

LENGTH = 16
CODE = frozenset({".py", ".csv", ".toml", ".json", ".xsd"})
_known: dict[tuple[int, int], tuple[Adapter, Hospital, str]] = {}


def version(name: str, adapter: Adapter, hospital: Hospital) -> str:
    """``hl7v2@`` and a hash; worked out once for each adapter and hospital."""
    # Both are kept with the answer, so that their ids stay theirs.
    found = _known.get((id(adapter), id(hospital)))
    if found is None:
        digest = sha256(f"{code_of(name, tuple(getattr(adapter, '__path__', ())))}|{_file(hospital)}".encode())
        found = (adapter, hospital, f"{name}@{digest.hexdigest()[:LENGTH]}")
        _known[id(adapter), id(hospital)] = found
    return found[2]


def versions(adapters: Mapping[str, Adapter], hospitals: Iterable[Hospital]) -> dict[str, dict[str, str]]:
    """The versions in force by hospital and adapter; called at the start, so that they are of the code that runs."""
    return {
        hospital.name: {n: version(n, adapters[n], hospital) for n in hospital.adapters if n in adapters}
        for hospital in hospitals
    }


@cache
def code_of(name: str, folders: tuple[str, ...]) -> str:
    """The hash of an adapter's files, and of those that all adapters share."""
    digest = sha256(name.encode())
    for folder, files in [(Path(f), Path(f).rglob("*")) for f in folders] + [_shared()]:
        for file in sorted(file for file in files if file.suffix in CODE):
            digest.update(f"{file.relative_to(folder).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _shared() -> tuple[Path, Iterable[Path]]:
    folder = Path(contract.__file__).parent
    return folder, folder.glob("*.py")


def _file(hospital: Hospital) -> str:
    """The hospital's file as it was understood: a comment in it changes nothing."""
    return sha256(json.dumps(asdict(hospital), sort_keys=True, default=str).encode()).hexdigest()

from pathlib import Path

import pytest

from fhir_gateway.security.keys import KeyRing


@pytest.fixture(scope="session")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing(tmp_path_factory.mktemp("province") / "keys", "quang-ninh")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    """Another gateway with an authority of its own, which nobody here trusts."""
    return KeyRing(tmp_path_factory.mktemp("stranger") / "keys", "quang-ninh")


@pytest.fixture
def empty_folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys"

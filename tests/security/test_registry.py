"""Clients registered by files: who they are, and what is wrong with a file that makes no sense."""

import json
from pathlib import Path

import pytest

from fhir_gateway.problem import Problem
from fhir_gateway.security.keys import KeyRing
from fhir_gateway.security.registry import registered

GOOD = {"name": "his", "role": "hospital", "organization": "qn-general", "jwks": "his.jwks.json"}


def write(folder: Path, ring: KeyRing, **changes: str | None) -> Path:
    table = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    (folder / "his.toml").write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items()))
    (folder / "his.jwks.json").write_text(json.dumps(ring.client_keys("qn-general")))
    return folder


def test_a_file_makes_a_client_with_its_public_keys(tmp_path: Path, ring: KeyRing) -> None:
    client = registered(write(tmp_path, ring))["his"]
    assert (client.role, client.organization) == ("hospital", "qn-general")
    assert client.keys == ring.client_keys("qn-general")


def test_no_folder_is_no_client(tmp_path: Path) -> None:
    assert registered(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"role": "gateway"}, "role is one of"),
        ({"role": "king"}, "role is one of"),
        ({"role": None}, "lacks role"),
        ({"organization": None}, "acts for an organization"),
        ({"name": "Ông Tư"}, "small letters"),
        ({"jwks": "other.json"}, "no readable JWK set"),
        ({"secret": "x"}, "has no secret"),
    ],
)
def test_what_makes_no_sense_is_said_with_the_file(
    tmp_path: Path, ring: KeyRing, changes: dict[str, str | None], text: str
) -> None:
    with pytest.raises(Problem, match=text) as caught:
        registered(write(tmp_path, ring, **changes))
    assert "his.toml" in caught.value.text


def test_a_private_key_is_refused(tmp_path: Path, ring: KeyRing) -> None:
    write(tmp_path, ring)
    keys = ring.client_keys("qn-general")
    (tmp_path / "his.jwks.json").write_text(json.dumps({"keys": [{**keys["keys"][0], "d": "x"}]}))
    with pytest.raises(Problem, match="public keys only"):
        registered(tmp_path)

"""The documents say what the code does: settings, pictures, commands and paths are held against it."""

import re
from pathlib import Path

import pytest

from fhir_gateway.cli import cli
from fhir_gateway.exchange.referral import REFERRAL
from fhir_gateway.exchange.teleconsult import TELECONSULT
from fhir_gateway.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_in_the_readme_with_its_meaning(name):
    meaning = Settings.model_fields[name].description
    assert f"| `FHIR_GATEWAY_{name.upper()}` |" in README
    assert meaning in README


@pytest.mark.parametrize("workflow", [REFERRAL, TELECONSULT], ids=lambda w: w.name)
def test_the_pictures_of_the_workflows_are_drawn_from_their_tables(workflow):
    assert workflow.diagram() in README


def test_every_command_of_the_readme_exists():
    known = {command.name or command.callback.__name__ for command in cli.registered_commands} | {"audit"}
    mentioned = set(re.findall(r"^fhir-gateway (\w+)", README, re.MULTILINE))
    assert mentioned
    assert mentioned <= known


def test_every_make_target_of_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    mentioned = set(re.findall(r"`make (\w+)`|^make (\w+)", README, re.MULTILINE))
    for target in {one or other for one, other in mentioned}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_path_of_the_map_exists():
    rows = re.findall(r"^\| `([a-z_/]+)/?` \|", README, re.MULTILINE)
    assert len(rows) >= 10
    for path in rows:
        assert (ROOT / path.rstrip("/")).exists(), path


def test_every_http_path_of_the_readme_is_served():
    served = "\n".join(
        (ROOT / f"fhir_gateway/api/{name}.py").read_text(encoding="utf-8")
        for name in ("exchange", "routes", "receipts", "source", "completeness", "outbound", "emergencies")
    )
    mentioned = set(re.findall(r"`(?:GET|POST) (/[^`? ]+)", README))
    assert len(mentioned) >= 8
    for path in mentioned:
        template = re.sub(r"/(bai-chay|san-nhi)", "/{hospital}", path)
        assert f'"{template}"' in served, path


def test_each_adapter_and_each_fixture_explains_itself():
    folders = [ROOT / "adapters" / name for name in ("hl7v2", "vn_xml", "cda", "tabular", "fhir_bundle")]
    folders += [
        case
        for adapter in ("hl7v2", "vn_xml", "cda", "tabular", "fhir_bundle")
        for case in (ROOT / "fixtures" / adapter).iterdir()
        if case.is_dir()
    ]
    assert [folder for folder in folders if not (folder / "README.md").exists()] == []

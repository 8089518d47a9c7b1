"""The bill of materials: valid, whole, the same each time, and without anything of the machine that wrote it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.installs import locked

ROOT = Path(__file__).resolve().parents[2]


def write(target: Path) -> str:
    command = [sys.executable, str(ROOT / "deploy" / "ci" / "sbom.py"), str(target)]
    subprocess.run(command, check=True, capture_output=True, cwd=target.parent)
    return target.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("sbom") / "dist.json")


@pytest.fixture(scope="module")
def components(text: str) -> dict[str, dict[str, Any]]:
    return {component["purl"]: component for component in json.loads(text)["components"]}


def test_it_is_valid_and_the_same_each_time(text: str, tmp_path: Path) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"library"', '"nothing"')) is not None
    assert write(tmp_path / "again.json") == text


def test_it_has_every_package_of_the_lock_with_its_hashes(components: dict[str, dict[str, Any]]) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    expected = {
        f"pkg:pypi/{name}@{str(requirement.specifier)[2:]}" for name, requirement in locked("requirements.lock").items()
    }
    assert {purl for purl in components if purl.startswith("pkg:pypi/")} == expected
    hashes = [
        file["content"]
        for component in components.values()
        for reference in component.get("externalReferences", ())
        for file in reference["hashes"]
    ]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", lock))


def test_it_has_every_package_of_the_ui_and_none_of_its_tools(components: dict[str, dict[str, Any]]) -> None:
    direct = json.loads((ROOT / "ui" / "package.json").read_text())
    listed = {component["name"] for purl, component in components.items() if purl.startswith("pkg:npm/")}
    assert set(direct["dependencies"]) <= listed
    assert not set(direct["devDependencies"]) & listed
    assert all(components[purl]["hashes"] for purl in components if purl.startswith("pkg:npm/"))


def test_what_the_ui_ships_is_no_dependency_of_its_development() -> None:
    imported = set()
    for file in [*(ROOT / "ui" / "src").rglob("*.css"), *(ROOT / "ui" / "src").rglob("*.ts*")]:
        if ".test." not in file.name and "test" not in file.relative_to(ROOT / "ui" / "src").parts:
            found = re.findall(r"""(?:from |url\()["'](@[\w.-]+/[\w.-]+|[\w-]+)""", file.read_text(encoding="utf-8"))
            imported |= set(found)
    tools = set(json.loads((ROOT / "ui" / "package.json").read_text())["devDependencies"])
    assert not imported & tools


def test_it_states_licences(components: dict[str, dict[str, Any]]) -> None:
    without = {component["name"] for component in components.values() if "licenses" not in component}
    elsewhere = {name for name, requirement in locked("requirements.lock").items() if requirement.marker is not None}
    assert without <= elsewhere, "neither their metadata nor their classifiers state one"


def test_it_names_no_place(text: str) -> None:
    assert "://" not in text.replace("urn:uuid:", "")
    for place in (str(ROOT), str(Path.home()), sys.prefix, "/tmp", "site-packages"):
        assert place not in text

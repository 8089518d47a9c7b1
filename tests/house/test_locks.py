"""The lock files: the runtime's has what the appliance imports, and nothing that only tests need."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from appliance.kit.distribution import DISTRIBUTION
from tests.installs import locked, locked_here

ROOT = Path(__file__).resolve().parents[2]
ONLY_FOR_TESTS = {
    "coverage",
    "faker",
    "hypothesis",
    "mock",
    "moto",
    "mypy",
    "playwright",
    "polyfactory",
    "pytest",
    "ruff",
}


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _left_out() -> set[str]:
    """What an override keeps out of every lock."""
    overrides = [Requirement(text) for text in _project()["tool"]["uv"]["override-dependencies"]]
    return {canonicalize_name(override.name) for override in overrides if override.marker is not None}


def _needed(requirement: Requirement, seen: set[tuple[str, str]]) -> Iterator[str]:
    """The package and what it needs, as far as it is installed here."""
    name = canonicalize_name(requirement.name)
    for extra in ("", *requirement.extras):
        if (name, extra) in seen or name in _left_out():
            continue
        seen.add((name, extra))
        yield name
        try:
            inner = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:  # of another platform
            continue
        for each in inner:
            if each.marker is None or each.marker.evaluate({"extra": extra}):
                yield from _needed(each, seen)


WHOLE = ("docker", "kubernetes", "live", "object-stores", "sealing", "server")
"""The extras of the runtime lock."""


def _needs(*extras: str) -> set[str]:
    """All that the package needs, as far as it is installed here."""
    project, seen = _project()["project"], set[tuple[str, str]]()
    texts = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    return {name for text in texts for name in _needed(Requirement(text), seen)}


def test_the_runtime_lock_has_no_package_that_only_tests_need() -> None:
    runtime, needed = locked("requirements.lock"), _needs(*WHOLE)
    named_for_development = {
        canonicalize_name(Requirement(text).name) for text in _project()["dependency-groups"]["dev"]
    }
    assert not (named_for_development - needed) & set(runtime)
    assert not (ONLY_FOR_TESTS | _left_out()) & set(runtime)
    assert {"faker", "polyfactory"}.isdisjoint(locked("requirements-dev.lock")), "tests would no longer notice"
    assert set(locked_here("requirements.lock")) - needed == set(), "nothing needs these packages"


def test_the_lock_of_the_sdk_is_the_part_of_the_runtime_lock_that_the_sdk_needs() -> None:
    assert set(locked_here("requirements-sdk.lock")) - _needs() == set()
    assert _needs() <= set(locked("requirements-sdk.lock"))
    whole, sdk = _entries("requirements.lock"), _entries("requirements-sdk.lock")
    assert sdk and all(whole[name] == entry for name, entry in sdk.items()), "the same versions with the same hashes"
    assert not {"litestar", "sqlalchemy", "uvicorn", "rich", "obstore", "docker"} & set(sdk)


def _entries(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes of each package of a lock."""
    text = (ROOT / name).read_text()
    found = re.finditer(r"^([\w.-]+)==([^ ;\\]+)[^\n]*\n((?: +--hash=[^\n]+\n)+)", text, re.M)
    return {match[1]: (match[2], frozenset(re.findall(r"[0-9a-f]{64}", match[3]))) for match in found}


def test_the_lock_script_names_the_same_extras() -> None:
    words = re.search(r"^whole=\((.+)\)$", (ROOT / "deploy" / "ci" / "lock").read_text(), re.M)
    assert words is not None and words[1].replace("--extra", "").split() == sorted(WHOLE, key=words[1].index)


def test_the_package_has_the_name_that_messages_say() -> None:
    assert _project()["project"]["name"] == DISTRIBUTION != "appliance"
    extras = set(_project()["project"]["optional-dependencies"])
    used = {
        extra
        for path in (ROOT / "appliance").rglob("*.py")
        for extra in re.findall(r"\binstall\(['\"]([\w-]+)['\"]\)", path.read_text())
    }
    assert used and used <= extras
    for path in [*(ROOT / "appliance").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        assert not re.search(r"pip install.*\bappliance(\[|\s|$)", path.read_text(), re.M), path


def test_whoever_installs_a_lock_installs_nothing_else() -> None:
    """A package that an override leaves out would otherwise be missed, or installed all the same."""
    for place in ("Makefile", "deploy/docker/Dockerfile"):
        for line in (ROOT / place).read_text().splitlines():
            assert "--require-hashes" not in line or "--no-deps" in line, f"{place}: {line.strip()}"

"""The lock files: the runtime's has what the appliance imports, and nothing that only tests need."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def locked(name: str) -> dict[str, Requirement]:
    """The packages of a lock file by name."""
    lines = [
        line.removesuffix("\\") for line in (ROOT / name).read_text().splitlines() if not line.startswith((" ", "#"))
    ]
    found = [Requirement(line.strip()) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


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


def test_the_runtime_lock_has_no_package_that_only_tests_need() -> None:
    runtime = locked("requirements.lock")
    seen: set[tuple[str, str]] = set()
    dependencies = [Requirement(text) for text in _project()["project"]["dependencies"]]
    needed = {name for dependency in dependencies for name in _needed(dependency, seen)}
    named_for_development = {
        canonicalize_name(Requirement(text).name) for text in _project()["dependency-groups"]["dev"]
    }
    assert not (named_for_development - needed) & set(runtime)
    assert not (ONLY_FOR_TESTS | _left_out()) & set(runtime)
    assert {"faker", "polyfactory"}.isdisjoint(locked("requirements-dev.lock")), "tests would no longer notice"
    here = {
        name for name, requirement in runtime.items() if requirement.marker is None or requirement.marker.evaluate()
    }
    assert here - needed == set(), "nothing needs these packages"


def test_whoever_installs_a_lock_installs_nothing_else() -> None:
    """A package that an override leaves out would otherwise be missed, or installed all the same."""
    for place in ("Makefile", "deploy/docker/Dockerfile"):
        for line in (ROOT / place).read_text().splitlines():
            assert "--require-hashes" not in line or "--no-deps" in line, f"{place}: {line.strip()}"

"""Runs commands and agents with the code of a release: the current one, or the previous one from the Git history."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tests.integration.live import TOKEN

ROOT = Path(__file__).parents[2]
PREVIOUS = (Path(__file__).parent / "previous").read_text().strip()
"""The commit of the previous release."""


class CommitMissing(Exception):
    """The Git history does not contain the previous release."""


@dataclass(frozen=True)
class Release:
    """A directory with the package `appliance`, run by this interpreter with its libraries."""

    directory: Path

    @property
    def settings(self) -> dict[str, str]:
        """The environment of its processes. Without the safe path, the working directory would take precedence."""
        return {"PYTHONPATH": str(self.directory), "PYTHONSAFEPATH": "1"}

    def environment(self, url: str, **more: str) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
        return own | self.settings | {"APPLIANCE_URL": url, "APPLIANCE_TOKEN": TOKEN} | more

    def command(self, url: str, *arguments: str) -> str:
        """Run a command that must succeed; returns its output."""
        result = subprocess.run(
            [sys.executable, "-m", "appliance", *arguments],
            env=self.environment(url),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
        return result.stdout

    @contextmanager
    def agent(self, url: str, directory: Path) -> Iterator[None]:
        """Run a process agent for the duration of the block."""
        log = directory / "agent.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "appliance", "agent", "process", "--name", "host"],
                env=self.environment(url, APPLIANCE_DATA_DIR=str(directory / "agent"), APPLIANCE_AGENT_ROOTS="/"),
                stdout=output,
                stderr=output,
            )
        try:
            yield
            assert process.poll() is None, f"the agent ended early:\n{log.read_text()}"
        finally:
            process.terminate()
            process.wait(30)


def current() -> Release:
    return Release(ROOT)


def previous(directory: Path) -> Release:
    """Build the wheel of the previous release, and install it into a directory. Raises CommitMissing."""
    source, wheels, installed = unpack(PREVIOUS, directory / "source"), directory / "wheels", directory / "installed"
    _pip("wheel", "--no-build-isolation", "--wheel-dir", str(wheels), str(source))
    _pip("install", "--target", str(installed), *map(str, wheels.iterdir()))
    return Release(installed)


def _pip(command: str, *arguments: str) -> None:
    """Without an index."""
    words = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", command, "--no-index", "--no-deps"]
    done = subprocess.run([*words, *arguments], capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def unpack(commit: str, directory: Path) -> Path:
    """Extract what the package of a commit is built from. Raises CommitMissing."""
    parts = ["appliance", "pyproject.toml", "README.md"]
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit, *parts], capture_output=True, check=False)
    if archive.returncode != 0:
        raise CommitMissing(
            f"The previous release, commit {commit}, is not in this clone: {archive.stderr.decode().strip()}; "
            f"run `git fetch origin {commit}`, or `git fetch --unshallow` in a shallow clone."
        )
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # which early releases of Python 3.11 don't have
        tar.extractall(directory)
    return directory

"""The SDK that the agent itself runs, for environments against whose index it can't be installed: linked with its dependencies, and nothing else."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from appliance.kit.distribution import DISTRIBUTION
from appliance.protocol.environments import project_name

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r";.*\bextra\b")
_EXTRAS = re.compile(r"\[[^\]]*\]")


def is_known() -> bool:
    """Whether this SDK was installed, so that its dependencies are known."""
    return _distribution(DISTRIBUTION) is not None


def needs() -> list[str]:
    """What the SDK and its dependencies require of each other, as what limits the versions of a flow's packages."""
    return sorted({_EXTRAS.sub("", line) for each in _closure().values() for line in _requires(each)})


def link(packages: Path) -> int:
    """Link the SDK and its dependencies into the folder of an environment's packages, except those that are there. Returns how many."""
    there = {_project_of(folder.name) for folder in packages.glob("*.dist-info")}
    linked = 0
    for name, each in _closure().items():
        if name in there:
            continue
        for place in _top_levels(each):
            with suppress(FileExistsError):  # a flow's package has a file of the same name
                if place.name.endswith(".dist-info"):  # of which uv follows no link
                    shutil.copytree(place, packages / place.name)
                else:
                    (packages / place.name).symlink_to(place)
        linked += 1
    return linked


def _closure() -> dict[str, Distribution]:
    closure: dict[str, Distribution] = {}
    names = [DISTRIBUTION]
    while names:
        name = names.pop()
        installed = None if name in closure else _distribution(name)
        if installed is not None:  # None: it is not for this Python
            closure[name] = installed
            names += [project_name(match[0]) for line in _requires(installed) if (match := _NAME.match(line))]
    return closure


def _requires(installed: Distribution) -> list[str]:
    return [line for line in installed.requires or () if not _EXTRA.search(line)]


def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _top_levels(installed: Distribution) -> Iterator[Path]:
    """The files and folders of a distribution in the folder of packages."""
    is_sdk = project_name(installed.name) == DISTRIBUTION
    if is_sdk:
        yield Path(__file__).resolve().parents[1]
    for name in sorted({file.parts[0] for file in installed.files or ()}):
        if name in ("..", "__pycache__", "appliance") or (is_sdk and not name.endswith(".dist-info")):
            continue
        yield Path(str(installed.locate_file(name))).resolve()


def _project_of(folder: str) -> str:
    return project_name(folder.removesuffix(".dist-info").rpartition("-")[0])


if __name__ == "__main__":
    link(Path(sys.argv[1]))

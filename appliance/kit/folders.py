"""Folders that are open, and folders within them that are not: which of them a path is in. Paths are compared as texts, without looking at a disk."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath


def is_open(path: str, roots: Iterable[str], closed: Iterable[str] = ()) -> bool:
    """Whether the innermost folder that has this path is one of the roots. A folder that is both is a root."""
    place = PurePosixPath(path)
    if not place.is_absolute() or ".." in place.parts:
        return False
    inside = _depth(place, roots)
    return inside > 0 and inside >= _depth(place, closed)


def refusal(what: str, path: str, agent: str, roots: list[str]) -> str:
    """The sentence for a path that is not open, with the command that opens its folder."""
    return (
        f"The {what} {path} is in none of the folders from which {agent} takes code ({', '.join(roots) or 'none'}). To add its folder, run "
        f"`appliance agent roots add {shlex.quote(to_add(what, path))}` on the agent's machine."
    )


def to_add(what: str, path: str) -> str:
    """The folder that opens the path of a file or a folder."""
    return str(PurePosixPath(path).parent) if what == "flow file" else path


def _depth(place: PurePosixPath, folders: Iterable[str]) -> int:
    """The number of parts of the longest of these folders that has the place; 0 if none has."""
    return max((len(PurePosixPath(folder).parts) for folder in folders if place.is_relative_to(folder)), default=0)

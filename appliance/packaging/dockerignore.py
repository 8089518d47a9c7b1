"""What a .dockerignore keeps out of an image: one pattern a line, of which the last that matches a path counts; ! takes it in again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

NAME = ".dockerignore"
_FORMS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Ignored:
    """The rules in the lines of a file."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._rules = [
            (_compiled(line.removeprefix("!")), not line.startswith("!"))
            for line in map(str.strip, lines)
            if line and not line.startswith("#")
        ]

    @classmethod
    def of(cls, folder: Path) -> Ignored:
        """The rules of a folder, which may have none. Raises OSError if they can't be read, or ValueError if they are no text."""
        file = folder / NAME
        return cls(file.read_text(encoding="utf-8").splitlines() if file.is_file() else ())

    def __contains__(self, path: str) -> bool:
        """Whether a path, relative to the folder of the file, or a folder above it is left out."""
        places = [path, *map(str, PurePosixPath(path).parents)][:-1]
        is_ignored = False
        for pattern, ignores in self._rules:
            if any(pattern.fullmatch(place) for place in places):
                is_ignored = ignores
        return is_ignored


def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]/]+\])", str(PurePosixPath(pattern.strip())).lstrip("/"))
    return re.compile("".join(_FORMS.get(part) or (part if part[:1] == "[" else re.escape(part)) for part in parts))

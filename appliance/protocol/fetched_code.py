"""Code that is a tree of files, with their hashes: in an image, or fetched by an agent into a folder of its own before a run starts."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Annotated

import msgspec

MOST_FILES = 2_000
"""Of one version, besides the flow's own."""
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
ModuleName = Annotated[str, msgspec.Meta(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$", max_length=1_000)]


class CodeTree(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The flow `flow` of the file `path` in the tree, of whose content `sha256` is the hash. `module`: the name under which the file is imported, if
    it doesn't follow from the path. `files`: the hashes of the other files that belong to the version, by their paths in the tree."""

    path: Name
    flow: str
    sha256: Hash
    module: ModuleName | None = None
    files: Annotated[dict[Name, Hash], msgspec.Meta(max_length=MOST_FILES)] = {}

    def check(self) -> None:
        """Raises ValueError, with a sentence, for paths that lead out of the tree or that are written in another way than usual."""
        for name in (self.path, *self.files):
            if not is_plain(name):
                raise ValueError(
                    "The paths of the version's files must be relative to their folder, without parts such as '..' or '.'."
                )
        if PurePosixPath(self.path).suffix != ".py":
            raise ValueError(
                "The path of the flow file must end in .py, so that no other file is ever run; rename the file."
            )
        if self.module is not None and _above(self.path, self.module) >= len(PurePosixPath(self.path).parents):
            raise ValueError("The flow's module has more parts than the path of its file.")


class FetchedCode(CodeTree, kw_only=True):
    """A tree that an agent fetches."""


def is_plain(name: str) -> bool:
    """Whether a path leads to a file below a folder, and is written in the one usual way."""
    path = PurePosixPath(name)
    parts = (".", "..")
    return (
        "\0" not in name
        and "\\" not in name
        and str(path) == name
        and not path.is_absolute()
        and not any(part in parts for part in path.parts)
        and name not in parts
    )


def module_of(path: str, module: str | None, files: Collection[str]) -> str:
    """The name under which the flow's file is imported."""
    if module is not None:
        return module
    names = PurePosixPath(path).relative_to(root_of(path, None, files)).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def root_of(path: str, module: str | None, files: Collection[str]) -> PurePosixPath:
    """The folder of the tree from which the flow's file is imported: the one above its outermost package."""
    names, file = frozenset(files), PurePosixPath(path)
    if module is not None:
        return file.parents[_above(path, module)]
    root = file.parent
    while str(root / "__init__.py") in names or (root == file.parent and file.name == "__init__.py"):
        root = root.parent
    return root


def _above(path: str, module: str) -> int:
    return module.count(".") + (PurePosixPath(path).stem == "__init__")

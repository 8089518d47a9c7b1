"""The files that belong to a flow's version besides its own: what the agent compares before it runs the flow, and what a bundle would hold.

A flow in a package has all files of that package. What else it imports from the same folder is followed through the text of the files: of a
package, again all files; of a module, that file. Nothing is executed.
"""

from __future__ import annotations

import ast
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from appliance.core import flow_source
from appliance.core.flow_file import FlowFile
from appliance.packaging.storage import LoadError
from appliance.protocol.fetched_code import MOST_FILES

PROJECT_FILE = "pyproject.toml"
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
_BUILT = frozenset({"build", "dist"})
_COMPILED = (".pyc", ".pyo")
_INIT = "__init__.py"


@dataclass
class Sources:
    """`files`: hashes by path from the folder `root`, without the flow's own file. `left_out`: why a file of the package is not covered."""

    root: Path
    files: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def of(file: FlowFile, content: bytes) -> Sources:
    """The files that belong to a flow's file with this content. Raises LoadError if there are too many."""
    return _Search(file).run(content)


def project_of(path: Path) -> Path | None:
    """The folder of the nearest pyproject.toml above a path."""
    return next((folder for folder in path.resolve().parents if (folder / PROJECT_FILE).is_file()), None)


def module_of(path: Path, content: bytes) -> str | None:
    """The name under which a file is imported, if that doesn't follow from the files named __init__.py: it is in a namespace package, because
    it lies below the src folder of its project, or has relative imports."""
    path = path.resolve()
    project = project_of(path)
    if project is None:
        return None
    in_src = (project / "src") in path.parents and not (project / "src" / _INIT).is_file()
    if not in_src and not (_imports_relatively(content) and not (path.parent / _INIT).is_file()):
        return None
    names = list(path.relative_to(project / "src" if in_src else project).with_suffix("").parts)
    if names[-1] == "__init__":
        names.pop()
    name = ".".join(names)
    return name if all(map(str.isidentifier, names)) and name != FlowFile.of(path).name else None


def folders(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """The folders below a folder that may have sources, with the names of their files: without hidden ones, caches, environments and builds."""
    for place, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if not _is_beside(Path(place, name)))
        yield Path(place), sorted(names)


def _is_beside(folder: Path) -> bool:
    name = folder.name
    return (
        name.startswith(".")
        or name in _SKIPPED
        or name.endswith(".egg-info")
        or (folder / "pyvenv.cfg").exists()
        or (name in _BUILT and not (folder / _INIT).exists())
    )


class _Search:
    def __init__(self, file: FlowFile) -> None:
        self._file, self._project = file, project_of(file.path)
        self._found = Sources(file.root)
        self._names = {"appliance"}
        self._excluded = _excluded(self._project)

    def run(self, content: bytes) -> Sources:
        waiting = [content]
        top, dot, _ = self._file.name.partition(".")
        if dot or self._file.path.name == _INIT:
            self._names.add(top)
            waiting += self._of_package(top)
        while waiting:
            for name in sorted(_imported(waiting.pop()) - self._names):
                self._names.add(name)
                waiting += self._of_module(name)
        self._found.files = dict(sorted(self._found.files.items()))
        return self._found

    def _of_module(self, name: str) -> Iterator[bytes]:
        if (self._found.root / name).is_dir() and not (self._found.root / f"{name}.py").is_file():
            yield from self._of_package(name)
        else:
            yield from self._add(self._found.root / f"{name}.py")

    def _of_package(self, name: str) -> Iterator[bytes]:
        folder = self._found.root / name
        if folder.is_symlink() or (not (folder / _INIT).is_file() and not any(folder.rglob("*.py"))):
            return
        for place, names in folders(folder):
            for one in names:
                if not one.startswith(".") and not one.endswith(_COMPILED):
                    yield from self._add(place / one)

    def _add(self, path: Path) -> Iterator[bytes]:
        if path == self._file.path or not path.is_file():
            return
        name = path.relative_to(self._found.root).as_posix()
        if self._project is not None and _matches(path.relative_to(self._project).as_posix(), self._excluded):
            return
        try:
            name.encode()
            content = flow_source.read(path)
        except UnicodeEncodeError:
            self._found.left_out[ascii(name)] = "its name is not valid UTF-8"
            return
        except OSError as error:
            self._found.left_out[name] = error.strerror or str(error)
            return
        self._found.files[name] = flow_source.digest(content)
        if len(self._found.files) > MOST_FILES:
            raise LoadError(
                f"The package of {self._file.path.name} has more than {MOST_FILES:,} files; leave some out, with "
                f'`exclude = ["path/*"]` in [tool.appliance] of {PROJECT_FILE}.'
            )
        if path.suffix == ".py":
            yield content


def _excluded(project: Path | None) -> list[str]:
    """What is wrong with the file is said where it is read for its flows."""
    if project is None:
        return []
    try:
        patterns = tomllib.loads((project / PROJECT_FILE).read_text(encoding="utf-8"))["tool"]["appliance"]["exclude"]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    return [pattern for pattern in patterns if isinstance(pattern, str)] if isinstance(patterns, list) else []


def _matches(path: str, patterns: list[str]) -> bool:
    return any(fnmatch(path, pattern) or fnmatch(path, f"{pattern.rstrip('/')}/*") for pattern in patterns)


def _imported(content: bytes) -> frozenset[str]:
    """The first parts of all absolute imports in a text, wherever they are in it. Other flows of the package ask for the same."""
    key = flow_source.digest(content)
    if key not in _imports:
        _imports[key] = _imports_in(content)
    return _imports[key]


def _imports_in(content: bytes) -> frozenset[str]:
    try:
        nodes = list(ast.walk(ast.parse(content)))
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level and node.module}
    return frozenset(name.partition(".")[0] for name in names)


_imports: dict[str, frozenset[str]] = {}


def _imports_relatively(content: bytes) -> bool:
    try:
        return any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(ast.parse(content)))
    except (SyntaxError, ValueError, RecursionError):
        return False

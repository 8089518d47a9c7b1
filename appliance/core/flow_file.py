"""A flow's file as a module: under its real name in the run, and in every process that the run starts.

`python etl.py` and `import etl` give one file two names. Here, it is the module `etl`, or `package.etl` in a package, so that what one
process pickles can be unpickled in another. A file that can't have its real name, because a library has it, gets a private one.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from appliance.core import flow_source
from appliance.core.building import loading

PRIVATE = "_appliance_flow_"
"""Prefix of private names. Earlier releases gave one to every flow file, and stored results contain them."""
_VARIABLE = "APPLIANCE_RUN_FLOW_FILE"  # tells child processes what to import
_INIT = "__init__"
MAIN = "appliance.core.flow_main"
"""The main module of processes that run a flow by its file."""


@dataclass(frozen=True, slots=True)
class FlowFile:
    """The file `path` as the module `name`, found from the folder `root`."""

    name: str
    path: Path
    root: Path
    sha256: str = ""
    """Of its content as it was loaded: another process that imports it gets the same bytes, or none."""

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> FlowFile:
        """The file under the name that `import` has for it, or under the one that the author gave."""
        path = path.resolve()
        root, names = path.parent, [path.stem]
        if name is not None:
            above = name.count(".") + (path.stem == _INIT)
            return cls(name, path, path.parents[above])
        while (root / f"{_INIT}.py").is_file() and root != root.parent:
            root, names = root.parent, [root.name, *names]
        if names[-1] == _INIT:
            names.pop()
        if any("." in one for one in names) or _is_taken(names[0], root):
            return cls(private_name(path), path, path.parent)
        return cls(".".join(names), path, root)

    @property
    def is_private(self) -> bool:
        """Is the real name taken?"""
        return self.name.startswith(PRIVATE)

    def load(self, content: bytes | None = None, others: Mapping[str, bytes] | None = None) -> ModuleType:
        """Import the file, or this content of it, even if it has been imported before. `others`: the content of other files, by their paths
        from the root, as which this process imports them from now on. Raises whatever its code raises."""
        global _content
        content = flow_source.read(self.path) if content is None else content
        replace(self, sha256=flow_source.digest(content)).install()
        _content = content
        _others.update({str(self.root / name): text for name, text in (others or {}).items() if name.endswith(".py")})
        _tops.update(name.partition("/")[0].removesuffix(".py") for name in others or ())
        sys.modules.pop(self.name, None)
        before = set(sys.modules)
        try:
            return importlib.import_module(self.name)
        except BaseException:
            sys.modules.pop(self.name, None)
            raise
        finally:
            _neighbors.extend(name for name in sys.modules.keys() - before if self._is_beside(name))

    def install(self) -> None:
        """Make the file importable here and in child processes, and the modules beside it too. One file at a time has this."""
        global _current, _content
        if _current is not None and _current.root != self.root:
            _forget()
        _current, _content = self, None
        _others.clear()
        _tops.clear()
        if str(self.root) not in sys.path and not self.is_private:  # or the file would hide the library of its name
            sys.path.insert(0, str(self.root))
            _folders.append(str(self.root))
        if str(self.path.parent) not in sys.path:  # behind the libraries, as packages have modules named like those
            sys.path.append(str(self.path.parent))
            _folders.append(str(self.path.parent))
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        os.environ[_VARIABLE] = self.describe()

    def describe(self) -> str:
        """As text for another process; see `adopt`."""
        return json.dumps([self.name, str(self.path), str(self.root), self.sha256])

    def _is_beside(self, module: str) -> bool:
        top = sys.modules.get(module.partition(".")[0])
        places = [getattr(top, "__file__", None), *getattr(top, "__path__", ())]
        return any(Path(place).parent == self.root for place in places if place is not None)


def current() -> FlowFile | None:
    """The file that was loaded last."""
    return _current


def adopt(description: str | None) -> None:
    """In a child process: make the file of its parent importable."""
    if description:
        name, path, root, sha256 = json.loads(description)
        FlowFile(name, Path(path), Path(root), sha256).install()


def adopt_from(environ: Mapping[str, str]) -> None:
    """In a child process that has only its environment: make the file of its parent importable."""
    adopt(environ.get(_VARIABLE))


def private_name(path: Path) -> str:
    """The name that earlier releases gave the module of a file."""
    return PRIVATE + hashlib.sha256(str(path).encode()).hexdigest()[:16]


def script() -> str | None:
    """The real name of the module that runs as `__main__`; None in a notebook, for instance."""
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    return None if file is None else real_name(str(file))


def own_module(name: str) -> ModuleType | None:
    """The module in this process whose real name it is: the script, or one that was imported."""
    main = sys.modules["__main__"]
    if name == script():
        return main
    if name.startswith(PRIVATE):  # written by an earlier release
        if _current is not None and name == private_name(_current.path):
            name = _current.name
        elif name == private_name(Path(getattr(main, "__file__", None) or ".").resolve()):
            return main
    return sys.modules.get(name)


def attribute(name: str) -> Any:
    """What `__main__` has under this name in the process of a run: what the flow's file has."""
    if _current is None:
        raise AttributeError(f"module '__main__' has no attribute {name!r}")
    if name == "__file__":
        return str(_current.path)
    if name.startswith("__"):
        raise AttributeError(f"module '__main__' has no attribute {name!r}")
    return getattr(importlib.import_module(_current.name), name)


def clear() -> None:
    """At the end of the process: let go of the variables of the file and its neighbors, or of the script, as the interpreter does."""
    names = [*_neighbors, "__main__" if _current is None else _current.name]
    for module in [sys.modules[name] for name in names if name in sys.modules]:
        for name in sorted(vars(module), key=lambda name: not name.startswith("_")):
            if not name.startswith("__"):
                setattr(module, name, None)


@functools.lru_cache(16)
def real_name(file: str) -> str:
    """The name that a file has, or had, as a module."""
    return FlowFile.of(Path(file)).name


def _is_taken(name: str, root: Path) -> bool:
    """Would `import name` give something other than what is in this folder?"""
    if name in sys.stdlib_module_names or name in ("appliance", "__main__"):
        return True
    module = sys.modules.get(name)
    if module is None or name in _neighbors:
        return False
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return not any(Path(place).resolve().parent in (root, root / name) for place in places if place is not None)


def _forget() -> None:
    """Another file may have modules of the same names beside it."""
    for name in _neighbors:
        sys.modules.pop(name, None)
    for folder in _folders:
        if folder in sys.path:
            sys.path.remove(folder)
    _neighbors.clear()
    _folders.clear()


class _Loader(SourceFileLoader):
    """Loads the file so that `flow.run()` at its bottom only warns, whoever imports it. What it compiles are the bytes that were read
    when the flow was loaded, or the same ones from the file; compiled code beside the file is not used."""

    def path_stats(self, path: Any) -> Any:
        raise OSError(f"{path} is always compiled")  # the interpreter then neither reads nor writes a .pyc

    def get_data(self, path: Any) -> bytes:
        file = _current
        if file is None or path != str(file.path):
            return super().get_data(path)
        content = flow_source.read(file.path) if _content is None else _content
        if file.sha256 and flow_source.digest(content) != file.sha256:
            raise ImportError(f"The flow file {file.path.name} has changed since the run began.", name=file.name)
        return content

    def exec_module(self, module: ModuleType) -> None:
        with loading():
            super().exec_module(module)


class _OtherLoader(SourceFileLoader):
    """Loads one of the other files from the bytes that were compared, whatever is in its place or beside it by now."""

    def path_stats(self, path: Any) -> Any:
        raise OSError(f"{path} is always compiled")

    def get_data(self, path: Any) -> bytes:
        return _others[path] if path in _others else super().get_data(path)


class _Finder(MetaPathFinder):
    """Finds the current file under its name, and the other files whose content is known."""

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        if _current is not None and fullname == _current.name:
            file = str(_current.path)
            return spec_from_file_location(fullname, file, loader=_Loader(fullname, file))
        if fullname.partition(".")[0] not in _tops:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin not in _others:
            return None
        inner = spec.submodule_search_locations
        loader = _OtherLoader(fullname, spec.origin)
        return spec_from_file_location(fullname, spec.origin, loader=loader, submodule_search_locations=inner)


_finder = _Finder()
_current: FlowFile | None = None
_content: bytes | None = None
_others: dict[str, bytes] = {}
_tops: set[str] = set()
"""The first names of the modules that `_others` may have."""
_neighbors: list[str] = []
_folders: list[str] = []

"""Finds the flows in files, directories and modules, for `appliance register`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from appliance.core.flow import Flow
from appliance.packaging.local import LocalStorage, flows_of, import_file
from appliance.packaging.storage import LoadError, Storage


def flows_in(path: Path) -> list[tuple[Flow, Storage]]:
    """The flows of a .py file, or of all .py files below a directory. Raises LoadError for the first broken file."""
    return _some([pair for file in _files(path) for pair in _flows(file)], path)


def flows_in_module(name: str) -> list[tuple[Flow, Storage]]:
    """The flows of a module that `python -m NAME` would run from this directory. Raises LoadError."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        spec = importlib.util.find_spec(name)
    except ImportError as error:
        raise LoadError(f"The module {name} can't be loaded: {error}.") from error
    finally:
        sys.path.pop(0)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise LoadError(
            f"There is no Python file for the module {name}; name one as for `python -m`, from the folder that has its package."
        )
    return _some(_flows(Path(spec.origin), name), name)


def _flows(file: Path, module: str | None = None) -> list[tuple[Flow, Storage]]:
    flows = flows_of(import_file(file, module))
    names = [flow.name for flow in flows]
    for name in names:
        if names.count(name) > 1:
            raise LoadError(f"{file.name} has two flows named {name!r}; give each its own name.")
    return [(flow, LocalStorage.of(file, flow.name, module)) for flow in flows]


def _some(packages: list[tuple[Flow, Storage]], place: object) -> list[tuple[Flow, Storage]]:
    if not packages:
        raise LoadError(
            f'No flow was found in {place}; a flow is a variable like `flow = Flow("name")` at the top of a .py file.'
        )
    return packages


def _files(path: Path) -> Iterable[Path]:
    if path.is_dir():
        hidden = ("__pycache__", ".")
        files = sorted(path.rglob("*.py"))
        return [file for file in files if not any(part.startswith(hidden) for part in file.relative_to(path).parts)]
    if not path.exists():
        raise LoadError(f"{path} does not exist; name a .py file or a directory.")
    if path.suffix != ".py":
        raise LoadError(f"{path.name} is not a Python file; flows are defined in files that end in .py.")
    return [path]

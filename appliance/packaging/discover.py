"""Finds the flows in files and directories, for `appliance register PATH...`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from appliance.core.flow import Flow
from appliance.packaging.local import LocalStorage, flows_of, import_file
from appliance.packaging.storage import LoadError, Storage


def flows_in(path: Path) -> list[tuple[Flow, Storage]]:
    """The flows of a .py file, or of all .py files below a directory. Raises LoadError for the first broken file."""
    packages: list[tuple[Flow, Storage]] = []
    for file in _files(path):
        flows = flows_of(import_file(file))
        names = [flow.name for flow in flows]
        for name in names:
            if names.count(name) > 1:
                raise LoadError(f"{file.name} has two flows named {name!r}; give each its own name.")
        packages += [(flow, LocalStorage.of(file, flow.name)) for flow in flows]
    if not packages:
        raise LoadError(
            f'No flow was found in {path}; a flow is a variable like `flow = Flow("name")` at the top of a .py file.'
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

"""Finds the flows in files, directories and modules, for `appliance register`. Files that define no flow are not executed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from appliance.core.flow import Flow
from appliance.core.flow_file import FlowFile
from appliance.packaging.definitions import defines_flow, offers_flow
from appliance.packaging.local import LocalStorage, flows_of, import_content, read_file
from appliance.packaging.storage import LoadError, Storage

_ADVICE = 'a flow is a variable like `flow = Flow("name")` at the top of a .py file.'


def flows_in(path: Path) -> list[tuple[Flow, Storage]]:
    """The flows of a .py file, or of all .py files below a directory. Raises LoadError for the first broken file."""
    if not path.is_dir():
        return _named(_file(path), path)
    files = [file for file in _files(path) if _judged(file, defines_flow)]
    return _some([pair for file in files for pair in _flows(file)], path)


def distinct(packages: Iterable[tuple[Flow, Storage]]) -> list[tuple[Flow, Storage]]:
    """Without those that were found twice. Raises LoadError if different flows have one name."""
    by_name: dict[str, tuple[Flow, Storage]] = {}
    for flow, storage in packages:
        _, other = by_name.setdefault(flow.name.strip(), (flow, storage))
        if other.describe() != storage.describe():
            raise LoadError(
                f"Two flows are named {flow.name!r}, in {_place(other)} and in {_place(storage)}: in a project, one name is one "
                "flow. Give each its own name, or register only one of them."
            )
    return list(by_name.values())


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
    return _named(Path(spec.origin), name, name)


def _named(file: Path, place: object, module: str | None = None) -> list[tuple[Flow, Storage]]:
    if not _judged(file, offers_flow, module):
        raise LoadError(f"No flow was found in {place}, so it was not executed; {_ADVICE}")
    return _some(_flows(file, module), place)


def _judged(file: Path, judge: Callable[[Path, Path], bool], module: str | None = None) -> bool:
    try:
        return judge(file, FlowFile.of(file, module).root)
    except (SyntaxError, ValueError, OSError):
        return True  # importing it says what is wrong


def _flows(file: Path, module: str | None = None) -> list[tuple[Flow, Storage]]:
    content = read_file(file)
    flows = flows_of(import_content(file, content, module))
    names = [flow.name for flow in flows]
    for name in names:
        if names.count(name) > 1:
            raise LoadError(f"{file.name} has two flows named {name!r}; give each its own name.")
    return [(flow, LocalStorage.with_content(file, flow.name, content, module)) for flow in flows]


def _some(packages: list[tuple[Flow, Storage]], place: object) -> list[tuple[Flow, Storage]]:
    if not packages:
        raise LoadError(f"No flow was found in {place}; {_ADVICE}")
    return packages


def _place(storage: Storage) -> str:
    return str(storage.describe()["path"])


def _files(folder: Path) -> list[Path]:
    hidden = ("__pycache__", ".")
    files = sorted(folder.rglob("*.py"))
    return [file for file in files if not any(part.startswith(hidden) for part in file.relative_to(folder).parts)]


def _file(path: Path) -> Path:
    if not path.exists():
        raise LoadError(f"{path} does not exist; name a .py file or a directory.")
    if path.suffix != ".py":
        raise LoadError(f"{path.name} is not a Python file; flows are defined in files that end in .py.")
    return path

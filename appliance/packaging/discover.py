"""Finds the flows in files, folders and modules, for `appliance register` and `appliance deploy`.

A file or a module that is named is imported. In a folder, only files that define a flow are, as their text says; what others contain is never
executed. Each file that can't be imported is a problem of its own, and stops no other.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path

from appliance.core import flow_source
from appliance.core.flow import Flow
from appliance.core.flow_file import FlowFile
from appliance.packaging import sources
from appliance.packaging.definitions import defines_flow
from appliance.packaging.importing import Say, watched
from appliance.packaging.local import LocalStorage, flows_of, import_content, read_file
from appliance.packaging.storage import LoadError

Pair = tuple[Flow, LocalStorage]
_ADVICE = 'a flow is a variable like `flow = Flow("name")` at the top of a .py file.'
_TOOLS = frozenset({"setup.py", "conftest.py", "noxfile.py"})
_TESTS = frozenset({"tests", "test"})


@dataclass
class Search:
    """What was looked through so far. `say` gets sentences about what takes long, `progress` each file, its number and how many there are."""

    say: Say = lambda _sentence: None
    progress: Callable[[Path, int, int], None] = lambda _file, _number, _count: None
    pairs: list[Pair] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def path(self, path: Path, *, may_be_empty: bool = False) -> None:
        """The flows of a .py file, or of those below a folder that define some."""
        files = list(_files(path)) if path.is_dir() else [path]
        count = len(self.pairs) + len(self.problems)
        for number, file in enumerate(files, 1):
            self.progress(file, number, len(files))
            with self._noting():
                self.pairs += self._flows(_file(file), None, file if file is path else None)
        if path.is_dir() and not may_be_empty and count == len(self.pairs) + len(self.problems):
            self.problems.append(f"No flow was found in {path}; {_ADVICE}")

    def module(self, name: str, folder: Path | None = None) -> None:
        """The flows of a module that `python -m NAME` would run from the folder, by default the current one."""
        with self._noting():
            self.pairs += self._flows(_module_file(name, folder or Path.cwd()), name, name)

    def source(self, folder: Path, flow: str, source: str) -> None:
        """The flow with this name, of `path.py`, `path.py:name`, `module` or `module:name`; a name is the flow's or a variable's."""
        place, _, name = source.partition(":")
        with self._noting():
            is_path = place.endswith(".py") or "/" in place
            file = _file(folder / place) if is_path else _module_file(place, folder)
            pairs = self._flows(file, None if is_path else place, source)
            variables = vars(sys.modules[FlowFile.of(file, _module_name(pairs)).name])
            chosen = [pair for pair in pairs if pair[0].name == (name or flow) or pair[0] is variables.get(name)]
            if not chosen or chosen[0][0].name.strip() != flow:
                names = ", ".join(repr(one.name) for one, _ in pairs)
                raise LoadError(
                    f"There is no flow {flow!r} at {source}, as pyproject.toml says; its flows are {names}."
                )
            self.pairs += chosen[:1]

    def distinct(self) -> list[Pair]:
        """Each flow once. Of different flows with one name there is none, but a problem."""
        by_name: dict[str, list[Pair]] = {}
        for flow, storage in self.pairs:
            same = by_name.setdefault(flow.name.strip(), [])
            if storage.describe() not in [other.describe() for _, other in same]:
                same.append((flow, storage))
        self.problems += [_twins(name, same) for name, same in by_name.items() if len(same) > 1]
        return [same[0] for same in by_name.values() if len(same) == 1]

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except LoadError as error:
            self.problems.append(str(error))

    def _flows(self, file: Path, module: str | None, named: object) -> list[Pair]:
        content = read_file(file)
        module = module or sources.module_of(file, content)
        with watched(file, self.say):
            flows = flows_of(import_content(file, content, module))
        if (hidden := _hidden(FlowFile.of(file, module))) is not None:
            self.say(hidden)
        names = [flow.name for flow in flows]
        for name in names:
            if names.count(name) > 1:
                raise LoadError(f"{file.name} has two flows named {name!r}; give each its own name.")
        if not flows and named is not None:
            raise LoadError(f"No flow was found in {named}; {_ADVICE}")
        return [(flow, LocalStorage.with_content(file, flow.name, content, module)) for flow in flows]


def flows_in(path: Path) -> list[Pair]:
    """The flows of a .py file, or of those below a folder that define some. Raises LoadError for the first problem."""
    search = Search()
    search.path(path)
    if search.problems:
        raise LoadError(search.problems[0])
    return search.pairs


def distinct(pairs: Iterable[Pair]) -> list[Pair]:
    """Without those that were found twice. Raises LoadError if different flows have one name."""
    search = Search(pairs=list(pairs))
    flows = search.distinct()
    if search.problems:
        raise LoadError(search.problems[0])
    return flows


def _twins(name: str, pairs: Sequence[Pair]) -> str:
    places = " and in ".join(str(storage.describe()["path"]) for _, storage in pairs)
    return f"Two flows are named {name!r}, in {places}: in a project, one name is one flow. Give each its own name, or register only one of them."


def _module_name(pairs: Sequence[Pair]) -> str | None:
    """The name under which their file was imported, if it doesn't follow from the path."""
    return pairs[0][1].module


def _module_file(name: str, folder: Path) -> Path:
    places = [str(folder), *([str(folder / "src")] if (folder / "src").is_dir() else [])]
    sys.path[:0] = places
    try:
        with redirect_stdout(sys.stderr):  # it imports the packages above
            spec = importlib.util.find_spec(name)
    except (Exception, SystemExit) as error:
        raise LoadError(f"The module {name} can't be loaded: {str(error).rstrip('.')}.") from error
    finally:
        del sys.path[: len(places)]
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise LoadError(
            f"There is no Python file for the module {name}; name one as for `python -m`, from the folder that has its package."
        )
    return Path(spec.origin)


def _hidden(file: FlowFile) -> str | None:
    """A sentence if the flow's package or module hides another one of its name, which is installed. A copy of it is none."""
    top = file.name.partition(".")[0]
    own = {str(file.root), str(file.path.parent), str(Path.cwd()), ""}
    spec = PathFinder.find_spec(top, [place for place in sys.path if place not in own])
    if file.is_private or spec is None or spec.origin is None:
        return None
    installed = Path(spec.origin)
    base = installed.parent.parent if installed.name == "__init__.py" else installed.parent
    if base == file.root or (base / file.path.relative_to(file.root)).is_file():
        return None
    return f"The name {top} of {file.path.name} hides an installed module of this name from the flow; rename it if the flow needs that one."


def _files(folder: Path) -> Iterator[Path]:
    for place, names in sources.folders(folder):
        if _TESTS & set(place.relative_to(folder).parts):
            continue
        for name in names:
            file = place / name
            is_source = name.endswith(".py") and not name.startswith(".") and not _is_tool(name)
            if is_source and file.is_file() and _may_define_flow(file):
                yield file


def _is_tool(name: str) -> bool:
    return name in _TOOLS or name.startswith("test_") or name.endswith("_test.py")


def _may_define_flow(file: Path) -> bool:
    """Whether a file of a folder is imported. One that isn't Python of this version is, to say so, only if it has to do with us."""
    try:
        return defines_flow(file, FlowFile.of(file).root)
    except OSError:
        return True  # reading it says what is wrong
    except (SyntaxError, ValueError, RecursionError):
        return b"appliance" in flow_source.read(file.resolve())


def _file(path: Path) -> Path:
    if not path.exists():
        raise LoadError(f"{path} does not exist; name a .py file or a directory.")
    if path.suffix != ".py":
        raise LoadError(f"{path.name} is not a Python file; flows are defined in files that end in .py.")
    return path

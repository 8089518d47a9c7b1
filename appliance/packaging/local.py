"""Flow code in a Python file that the agent's machine can read: found by path, checked by hashes, loaded without being run as a script."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from appliance.core import flow_source
from appliance.core.flow_file import FlowFile
from appliance.core.logs import get_logger
from appliance.packaging import sources
from appliance.packaging.sources import Sources
from appliance.packaging.storage import CodeMissing, LoadError

if TYPE_CHECKING:
    from appliance.core.flow import Flow

_logger = get_logger()


class LocalStorage:
    """The flow `flow` in the file `path`, with the file's content as it was when it was registered. `module` is the name under which
    the file is imported, if it doesn't follow from the path. `sources`: the other files that belong to it, with their content as it was then."""

    shared = False
    """Whether the author says that the same path leads to the same files on every host with an agent."""

    def __init__(
        self, path: Path, flow: str, sha256: str, module: str | None = None, sources: Sources | None = None
    ) -> None:
        self.path, self.flow, self.sha256, self.module = path, flow, sha256, module
        self.sources = sources or Sources(path.parent)

    @classmethod
    def of(cls, path: Path, flow: str, module: str | None = None) -> LocalStorage:
        """The storage of a flow in a file as it is now."""
        path = path.resolve()
        return cls.with_content(path, flow, _content(path), module)

    @classmethod
    def with_content(cls, path: Path, flow: str, content: bytes, module: str | None = None) -> LocalStorage:
        """The storage of a flow in a file that had this content when it was loaded."""
        path = path.resolve()
        module = module or sources.module_of(path, content)
        file = FlowFile.of(path, module)
        if module is not None and module == FlowFile.of(path).name:
            module = None
        return cls(path, flow, flow_source.digest(content), module, sources.of(file, content))

    @property
    def source(self) -> Path:
        """Where the flow's file is here."""
        return self.path

    def describe(self) -> dict[str, Any]:
        module = {} if self.module is None else {"module": self.module}
        others = self.sources
        files = {"root": str(others.root), "files": others.files} if others.files else {}
        return {"type": "local", "path": str(self.path), "flow": self.flow, "sha256": self.sha256, **module, **files}

    @classmethod
    def problem(cls, document: dict[str, Any]) -> str:
        """A file is gone, or another one has taken its place. The sentence is the same for both, since whoever registers a version
        chooses the path in it and must not learn which other files there are; the log of this machine says more."""
        try:
            cls._registered(document)
            _others(document)
        except CodeMissing as error:
            return f"{error}".removesuffix(_AGAIN) + "."
        return ""

    @classmethod
    def load(cls, document: dict[str, Any]) -> Flow:
        """Raises LoadError when the file is gone, changed or broken, or has no such flow."""
        path, name = Path(document["path"]), document["flow"]
        content = cls._registered(document)
        flows = flows_of(import_content(path, content, document.get("module"), _others(document)))
        for flow in flows:
            if flow.name == name:
                return flow
        names = ", ".join(repr(flow.name) for flow in flows) or "none"
        raise LoadError(f"The flow file {path.name} has no flow named {name!r} (it has: {names}): register it again.")

    @classmethod
    def _registered(cls, document: dict[str, Any]) -> bytes:
        """The content of the file, which is the one that was registered. Raises CodeMissing."""
        path = Path(str(document.get("path", "")))
        try:
            if path.suffix != ".py":
                raise ValueError("its name does not end in .py")
            content = flow_source.read(path)
        except (OSError, ValueError) as error:
            _logger.info("The flow file %s can't be used: %s.", path, _why(error))
        else:
            if flow_source.digest(content) == document.get("sha256"):
                return content
        raise CodeMissing(f"The flow file {path.name} has changed since it was registered{_AGAIN}")


def _others(document: dict[str, Any]) -> dict[str, bytes]:
    """The version's other files, by path from their root. Raises CodeMissing for the first that is not as it was registered."""
    root, contents = Path(str(document.get("root", ""))), {}
    for name, sha256 in document.get("files", {}).items():
        try:
            contents[name] = flow_source.read(root / name)
            if flow_source.digest(contents[name]) == sha256:
                continue
        except (OSError, ValueError) as error:
            _logger.info("The file %s of the flow can't be used: %s.", root / name, _why(error))
        raise CodeMissing(
            f"The file {name} of flow {document.get('flow')!r} has changed since it was registered{_AGAIN}"
        )
    return contents


def import_file(path: Path, name: str | None = None) -> ModuleType:
    """Import a flow's file as it is now. Raises LoadError."""
    return import_content(path, read_file(path), name)


def read_file(path: Path) -> bytes:
    """The content of a file that may define flows. Raises LoadError."""
    if path.suffix != ".py":
        raise LoadError(f"{path.name} is not a Python file; flows are defined in files that end in .py.")
    return _content(path.resolve())


def import_content(
    path: Path, content: bytes, name: str | None = None, others: Mapping[str, bytes] | None = None
) -> ModuleType:
    """Import this content of a flow's file as a module, under its real name or the given one, and later the `others` beside it as these. `if __name__ == "__main__"` is false,
    and the flow's own door functions only warn. Raises LoadError with the first user frame when the file is broken."""
    path = path.resolve()
    file = FlowFile.of(path, name)
    if file.is_private:
        _logger.warning(
            "The %s has the name of another module, or one that can't be imported, so the flow file gets a private name: other programs "
            "can't read what it pickles. Rename the %s to change this.",
            *_named(path),
        )
    arguments, sys.argv = sys.argv, [str(path)]  # as for the script; those of this program are not for the file
    try:
        return file.load(content, others)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the file raises is the file's
        raise LoadError(_broken(file, error)) from error
    finally:
        sys.argv = arguments


def flows_of(module: ModuleType) -> list[Flow]:
    """The flows in a module's variables, in their order, without duplicates."""
    from appliance.core.flow import Flow  # an agent checks files without loading what runs them

    return list({id(value): value for value in vars(module).values() if isinstance(value, Flow)}.values())


def _named(path: Path) -> tuple[str, str]:
    """What has a name that is taken: the file, or the package that it is in."""
    package = path.parent
    while (package.parent / "__init__.py").is_file():
        package = package.parent
    return (
        (f"package {package.name}", "package")
        if (package / "__init__.py").is_file()
        else (f"flow file {path.name}", "file")
    )


def _broken(file: FlowFile, error: BaseException) -> str:
    """One sentence: the file, the line and what happened."""
    name = file.path.name
    if isinstance(error, SyntaxError) and (error.filename or error.lineno is None):
        where = f" in {Path(error.filename).name}" if error.filename else ""
        line = f", line {error.lineno}" if error.lineno is not None else ""
        return f"The flow file {name} can't be loaded: {error.msg}{where}{line}."
    text = str(error).strip().splitlines()
    what = f"{type(error).__name__}{': ' + text[0].rstrip('.') if text else ''}"
    return f"The flow file {name} can't be loaded: {what}{_place(file, error)}.{_advice(file, error)}"


def _place(file: FlowFile, error: BaseException) -> str:
    """The innermost line of the flow's file, or of a file beside it."""
    where, trace = "", error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path == file.path:
            where = f" in line {trace.tb_lineno}"
        elif file.root in path.parents and "site-packages" not in path.parts and not path.is_relative_to(_PACKAGE):
            where = f" in {path.relative_to(file.root)}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return where


def _advice(file: FlowFile, error: BaseException) -> str:
    if not isinstance(error, ImportError) or "no known parent package" not in str(error):
        return ""
    what, kind = _named(file.path)
    return f" Rename the {kind}: {what} has the name of another module." if kind == "package" else _PACKAGE_ADVICE


_PACKAGE = Path(__file__).resolve().parent.parent
_PACKAGE_ADVICE = " Put an __init__.py into its folder to make it a package, or register it as a module: appliance register -m package.module."


_AGAIN = ": register it again."


def _content(path: Path) -> bytes:
    try:
        return flow_source.read(path)
    except OSError as error:
        raise CodeMissing(
            f"The flow file {path} can't be read ({_why(error)}): put it back or register the flow again."
        ) from error


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)

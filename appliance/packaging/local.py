"""Flow code in a Python file that the agent's machine can read: found by path, checked by its hash, loaded without being run as a script."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from appliance.core.flow import Flow
from appliance.core.flow_file import FlowFile
from appliance.core.logs import get_logger
from appliance.packaging.storage import CodeMissing, LoadError

_logger = get_logger()


class LocalStorage:
    """The flow `flow` in the file `path`, with the file's content as it was when it was registered. `module` is the name under which
    the file is imported, if it doesn't follow from the path."""

    def __init__(self, path: Path, flow: str, sha256: str, module: str | None = None) -> None:
        self.path, self.flow, self.sha256, self.module = path, flow, sha256, module

    @classmethod
    def of(cls, path: Path, flow: str, module: str | None = None) -> LocalStorage:
        """The storage of a flow in a file as it is now."""
        path = path.resolve()
        if module is not None and module == FlowFile.of(path).name:
            module = None
        return cls(path, flow, _digest(_content(path)), module)

    def describe(self) -> dict[str, Any]:
        module = {} if self.module is None else {"module": self.module}
        return {"type": "local", "path": str(self.path), "flow": self.flow, "sha256": self.sha256, **module}

    @classmethod
    def problem(cls, document: dict[str, Any]) -> str:
        """The file is gone, or another one has taken its place."""
        path = Path(document["path"])
        try:
            content = path.read_bytes()
        except OSError as error:
            return f"The flow file {path.name} can't be read ({error.strerror})."
        return (
            ""
            if _digest(content) == document["sha256"]
            else f"The flow file {path.name} has changed since it was registered."
        )

    @classmethod
    def load(cls, document: dict[str, Any]) -> Flow:
        """Raises LoadError when the file is gone, changed or broken, or has no such flow."""
        path, name, expected = Path(document["path"]), document["flow"], document["sha256"]
        current = _digest(_content(path))
        if current != expected:
            raise CodeMissing(
                f"The flow file {path.name} has changed since it was registered (hash {expected[:12]}, now {current[:12]}): register it again."
            )
        flows = flows_of(import_file(path, document.get("module")))
        for flow in flows:
            if flow.name == name:
                return flow
        names = ", ".join(repr(flow.name) for flow in flows) or "none"
        raise LoadError(f"The flow file {path.name} has no flow named {name!r} (it has: {names}): register it again.")


def import_file(path: Path, name: str | None = None) -> ModuleType:
    """Import a flow's file as a module, under its real name or the given one. `if __name__ == "__main__"` is false, and the flow's
    own door functions only warn. Raises LoadError with the first user frame when the file is broken."""
    path = path.resolve()
    if path.suffix != ".py":
        raise LoadError(f"{path.name} is not a Python file; flows are defined in files that end in .py.")
    file = FlowFile.of(path, name)
    if file.is_private:
        _logger.warning(
            "The flow file %s has the name of another module, or one that can't be imported, so it gets a private name: other programs "
            "can't read what it pickles. Rename the file to change this.",
            path.name,
        )
    arguments, sys.argv = sys.argv, [str(path)]  # as for the script; those of this program are not for the file
    try:
        return file.load()
    except (Exception, SystemExit) as error:
        raise LoadError(_broken(path, error)) from error
    finally:
        sys.argv = arguments


def flows_of(module: ModuleType) -> list[Flow]:
    """The flows in a module's variables, in their order, without duplicates."""
    return list({id(value): value for value in vars(module).values() if isinstance(value, Flow)}.values())


def _broken(path: Path, error: BaseException) -> str:
    """One sentence: the file, the line and what happened."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"The flow file {path.name} can't be loaded: {error.msg} in {Path(error.filename).name}, line {error.lineno}."
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
            break
        trace = trace.tb_next
    where = f" in line {line}" if line is not None else ""
    text = str(error).strip().splitlines()
    advice = _PACKAGE_ADVICE if isinstance(error, ImportError) and "no known parent package" in str(error) else ""
    what = f"{type(error).__name__}{': ' + text[0].rstrip('.') if text else ''}"
    return f"The flow file {path.name} can't be loaded: {what}{where}.{advice}"


_PACKAGE_ADVICE = " Put an __init__.py into its folder to make it a package, or register it as a module: appliance register -m package.module."


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CodeMissing(
            f"The flow file {path} can't be read ({error.strerror}): put it back or register the flow again."
        ) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

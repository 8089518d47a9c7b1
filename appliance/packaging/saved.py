"""Flows in files: `flow.save()` and `Flow.load()`. A header line says what the file contains; the pickled flow follows."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.core import flow_file, unpickle
from appliance.core.building import loading
from appliance.core.flow import Flow
from appliance.kit.errors import ApplianceError
from appliance.kit.version import VERSION
from appliance.packaging.storage import LoadError

_MAGIC = b"appliance-flow-1 "
_HEADER_LIMIT = 64 * 1024


class SaveError(ApplianceError):
    """The flow can't be written to a file; the message is one sentence that says why and what to do."""


def save(flow: Flow, path: str | os.PathLike[str] | None = None) -> Path:
    """Write the flow with its code, at once or not at all; by default to `~/.appliance/flows/<name>.flow`. Raises SaveError."""
    target = Path(path) if path is not None else _default_path(flow.name)
    body = _pickle(flow)
    header = {
        "flow": flow.name,
        "appliance": VERSION,
        "python": platform.python_version(),
        "sha256": hashlib.sha256(body).hexdigest(),
        "size": len(body),
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if path is None:
            _refuse_other_flow(target, flow.name)
        _write(target, _MAGIC + json.dumps(header).encode() + b"\n" + body)
    except OSError as error:
        raise SaveError(f"Flow {flow.name!r} can't be written to {target}: {error.strerror}.") from error
    return target


def load(path: str | os.PathLike[str]) -> Flow:
    """Read a flow that was saved, by its path or, when it was saved without one, by its name.

    Loading runs code from the file: load only what you trust. Raises LoadError.
    """
    place = Path(path)
    if not place.exists() and place.name == str(path) and _default_path(str(path)).exists():
        place = _default_path(str(path))
    try:
        content = place.read_bytes()
    except OSError as error:
        raise LoadError(f"The saved flow {place} can't be read: {error.strerror}.") from error
    header, body = _split(place, content)
    _check_versions(place, header)
    if len(body) != header["size"] or hashlib.sha256(body).hexdigest() != header["sha256"]:
        raise LoadError(f"The saved flow {place.name} is damaged: its content is not what was written; save it again.")
    try:
        with loading():
            flow = unpickle.loads(body)
    except Exception as error:  # the flow's own code may raise anything while it is put together again
        raise LoadError(
            f"The saved flow {place.name} can't be restored: {type(error).__name__}: {_first_line(error)}; "
            "the modules that its tasks come from must be importable here."
        ) from error
    if not isinstance(flow, Flow):
        raise LoadError(f"{place.name} contains a {type(flow).__name__}, not a flow; save a flow to it.")
    return flow


def write_drawing(path: str | os.PathLike[str], text: str) -> Path:
    """Write a drawing of a flow, at once or not at all. Raises SaveError."""
    target = Path(path)
    try:
        _write(target, text.encode())
    except OSError as error:
        raise SaveError(f"The drawing can't be written to {target}: {error.strerror}.") from error
    return target


def _default_path(name: str) -> Path:
    slug = re.sub(r"[^\w]+", "-", name.lower()).strip("-_") or "flow"
    return Path.home() / ".appliance" / "flows" / f"{slug[:100]}.flow"


def _refuse_other_flow(target: Path, name: str) -> None:
    """Different names may shorten to one file name."""
    if not target.exists():
        return
    try:
        with target.open("rb") as file:
            other = _split(target, file.readline(_HEADER_LIMIT))[0]["flow"]
    except LoadError:
        return  # what can't be read is no loss
    if other != name:
        raise SaveError(f"{target} already contains flow {other!r}; give a path to save flow {name!r} elsewhere.")


def _pickle(flow: Flow) -> bytes:
    import cloudpickle  # type: ignore[import-untyped]

    try:
        with _own_module_by_value():
            body: bytes = cloudpickle.dumps(flow)
    except Exception as error:  # values of any class may be part of a flow, and refuse in their own ways
        raise SaveError(
            f"Flow {flow.name!r} can't be saved: {_first_line(error)}; "
            "create what can't be pickled (connections, locks, files) inside tasks."
        ) from error
    return body


@contextmanager
def _own_module_by_value() -> Iterator[None]:
    """Pickle the code of the flow's file by value, since it may not exist elsewhere."""
    import cloudpickle

    file = flow_file.current()
    module = None if file is None else sys.modules.get(file.name)
    if module is None:
        yield
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _split(path: Path, content: bytes) -> tuple[dict[str, Any], bytes]:
    line, _, body = content.partition(b"\n")
    try:
        header = json.loads(line.removeprefix(_MAGIC)) if line.startswith(_MAGIC) else None
    except ValueError:
        header = None
    if not isinstance(header, dict) or not {"flow", "python", "appliance", "sha256", "size"} <= set(header):
        raise LoadError(f"{path.name} is not a saved flow; name a file that flow.save() wrote.")
    return header, body


def _check_versions(path: Path, header: dict[str, Any]) -> None:
    """Pickled code is only valid for the minor version of Python that wrote it."""
    written, here = (".".join(str(version).split(".")[:2]) for version in (header["python"], platform.python_version()))
    if written != here:
        raise LoadError(
            f"The saved flow {path.name} was written by Python {written} and this is Python {here}; "
            f"load it with Python {written}, or save it again with this one."
        )


def _write(target: Path, content: bytes) -> None:
    """Write a temporary file beside it and rename it, so that no one ever sees half a file."""
    number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    draft = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

"""What the storages share that fetch the tree of a version from an address outside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from appliance.core import flow_source
from appliance.core.errors import FlowBuildError
from appliance.packaging.storage import CodeMissing, LoadError
from appliance.protocol import storage as storages
from appliance.protocol.fetched_code import CodeTree, FetchedCode

if TYPE_CHECKING:
    from appliance.core.flow import Flow

MOST_BYTES = 200 * 1024**2
"""Of all files of one version."""
C = TypeVar("C", bound=CodeTree)


@dataclass(frozen=True)
class PlacedStorage:
    """What is registered of code that was found here and is kept elsewhere. `send` brings it there, unless it is there. Raises FlowBuildError."""

    document: dict[str, Any]
    source: Path
    """Where the flow's file is here."""
    send: Callable[[], None] = lambda: None

    def describe(self) -> dict[str, Any]:
        return self.document


def documented(fields: dict[str, Any]) -> dict[str, Any]:
    """The document of a version, without fields that say nothing. Raises FlowBuildError if it isn't valid."""
    document = {name: value for name, value in fields.items() if value not in (None, "", {})}
    try:
        storages.decode(document)
    except ValueError as error:
        raise FlowBuildError(str(error)) from None
    return document


def decoded(document: dict[str, Any], kind: type[C]) -> C:
    """The document of a storage, checked again. Raises LoadError."""
    try:
        code = storages.decode(document)
    except ValueError as error:
        raise LoadError(str(error)) from None
    if not isinstance(code, kind):
        raise LoadError("The flow's storage is of another kind than its document says.")
    return code


def written(files: Iterable[tuple[str, bytes]], code: FetchedCode, folder: Path) -> None:
    """Write files into the empty folder. Raises CodeMissing for the first that isn't as it was registered."""
    expected, total = {**code.files, code.path: code.sha256}, 0
    for name, content in files:
        total += len(content)
        if total > MOST_BYTES:
            raise CodeMissing(
                f"The files of flow {code.flow!r} are larger than {MOST_BYTES // 1024**2} MB: leave some out."
            )
        if flow_source.digest(content) != expected[name]:
            raise CodeMissing(
                f"The file {name} of flow {code.flow!r} differs from what was registered: register the flow again."
            )
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb") as file:
            file.write(content)


def named(flows: Sequence[Flow], name: str, what: str) -> Flow:
    """The flow with this name among those of `what`. Raises LoadError."""
    for flow in flows:
        if flow.name == name:
            return flow
    names = ", ".join(repr(flow.name) for flow in flows) or "none"
    raise LoadError(f"{what} has no flow named {name!r} (it has: {names}): register it again.")

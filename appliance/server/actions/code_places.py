"""Where the code of a registered flow is: never looked at here, but refused if no agent would take it from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated

import msgspec
from sqlalchemy.orm import Session

from appliance.kit import folders
from appliance.kit.documents import JsonDocument
from appliance.server.actions import takers
from appliance.server.db.rows.agents import AgentRow
from appliance.server.db.tables.flows import FlowVersion
from appliance.server.errors import ClosedFolder, Invalid


class StorageDocument(msgspec.Struct):
    """What a registration says about the place of its code; everything else in it is for agents."""

    type: str = ""
    path: Annotated[str, msgspec.Meta(max_length=4_096)] = ""
    flow: str = ""
    sha256: str = ""
    module: Annotated[str, msgspec.Meta(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$", max_length=1_000)] | None = None


def check(storage: JsonDocument) -> None:
    """Raises Invalid for a document of another form, or a path that could lead out of the folder that it names, or is not of Python."""
    try:
        place = msgspec.convert(storage, StorageDocument)
    except msgspec.ValidationError as error:
        raise Invalid(f"The flow's storage is not valid: {error}.") from error
    if "\0" in place.path or ".." in PurePosixPath(place.path).parts:
        raise Invalid(
            "The path of the flow file must not contain '..' or a NUL character; give the path that it leads to."
        )
    if place.path and PurePosixPath(place.path).suffix != ".py":
        raise Invalid("The path of the flow file must end in .py, so that no other file is ever run; rename the file.")


def refuse_closed(session: Session, project: str, version: FlowVersion) -> None:
    """Raises ClosedFolder if each agent that may run this version would refuse its file, the folder of its module, or its working directory."""
    agents = takers.of(session, project, version)
    for what, path in _places(version):
        if agents and all(_refuses(agent, path) for agent in agents):
            sentence = folders.refusal(what, path, f"agent {agents[0].name!r}", agents[0].roots or [])
            raise ClosedFolder(sentence, folder=folders.to_add(what, path))


def _places(version: FlowVersion) -> Iterator[tuple[str, str]]:
    place = msgspec.convert(version.storage, StorageDocument)
    if place.path:
        yield "flow file", place.path
        if place.module is not None:
            file = PurePosixPath(place.path)
            above = place.module.count(".") + (file.stem == "__init__")
            yield "folder of the module", str(file.parents[min(above, len(file.parents) - 1)] if file.parents else file)
    directory = version.run_config.get("working_dir")
    if directory:
        yield "working directory", directory


def _refuses(agent: AgentRow, path: str) -> bool:
    """An agent of an earlier release doesn't say, and may take it."""
    return agent.roots is not None and not folders.is_open(path, agent.roots, agent.closed or ())

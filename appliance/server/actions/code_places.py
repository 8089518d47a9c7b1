"""Where the code of a registered flow is: never looked at here, but refused if no agent would take it from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from sqlalchemy.orm import Session

from appliance.kit import folders
from appliance.kit.documents import JsonDocument
from appliance.protocol import storage
from appliance.protocol.image_code import DockerCode
from appliance.protocol.run_config import kind_of
from appliance.server.actions import takers
from appliance.server.db.rows.agents import AgentRow
from appliance.server.db.tables.flows import FlowVersion
from appliance.server.errors import ClosedFolder, Invalid


def check(document: JsonDocument, config: JsonDocument) -> None:
    """Raises Invalid for a document of another form, a path that could lead out of the folder that it names, or is not of Python, and a run config that
    names another image than the one which has the code."""
    try:
        place = storage.decode(document)
    except ValueError as error:
        raise Invalid(str(error)) from error
    if isinstance(place, DockerCode) and (problem := place.image_problem(config.get("image"))):
        raise Invalid(problem)


def refuse_closed(session: Session, project: str, version: FlowVersion) -> None:
    """Raises ClosedFolder if each agent that may run this version would refuse one of its files, the folder of its module, or its working directory."""
    agents = takers.of(session, project, version.storage_type, version.labels, version.run_config)
    _refuse(agents, [*_places(version), *_directory(version.run_config)])


def refuse_closed_directory(
    session: Session, project: str, storage_type: str, labels: list[str], config: JsonDocument
) -> None:
    """Raises ClosedFolder if each agent that may start such runs would refuse their working directory."""
    if _directory(config):
        _refuse(takers.of(session, project, storage_type, labels, config), _directory(config))


def _refuse(agents: Sequence[AgentRow], places: Iterable[tuple[str, str]]) -> None:
    for what, path in places:
        if agents and all(_refuses(agent, path) for agent in agents):
            sentence = folders.refusal(what, path, f"agent {agents[0].name!r}", agents[0].roots or [])
            raise ClosedFolder(sentence, folder=folders.to_add(what, path))


def _places(version: FlowVersion) -> Iterator[tuple[str, str]]:
    place = storage.decode(version.storage)
    if isinstance(place, storage.LocalCode):
        yield from _of_local(place)
    elif repository := storage.repository_here(version.storage):
        yield "repository", repository


def _of_local(place: storage.LocalCode) -> Iterator[tuple[str, str]]:
    if place.path:
        yield "flow file", place.path
        if place.module is not None:
            file = PurePosixPath(place.path)
            above = place.module.count(".") + (file.stem == "__init__")
            yield "folder of the module", str(file.parents[min(above, len(file.parents) - 1)] if file.parents else file)
    for folder in place.folders:
        yield "folder of the code", folder


def _directory(config: JsonDocument) -> list[tuple[str, str]]:
    """The folder on the agent's machine in which runs are started. That of a container is the container's."""
    directory = config.get("working_dir") if kind_of(config) not in ("docker", "kubernetes") else None
    return [("working directory", directory)] if directory else []


def _refuses(agent: AgentRow, path: str) -> bool:
    """An agent of an earlier release doesn't say, and may take it."""
    return agent.roots is not None and not folders.is_open(path, agent.roots, agent.closed or ())

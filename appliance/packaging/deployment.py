"""From the flows that a search has found to their registrations: prepared, planned with the server, and sent one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from appliance.client import schedules
from appliance.client.errors import ClientError, Conflict, Invalid, Refused
from appliance.client.transport import Transport
from appliance.core.errors import FlowBuildError
from appliance.kit import suggestions
from appliance.kit.errors import ApplianceError
from appliance.packaging import local_agent, project_file, register, result_places, sources
from appliance.packaging.bundle import BundleStorage
from appliance.packaging.discover import Pair, Search
from appliance.packaging.docker import DockerStorage, Say, share
from appliance.packaging.placed import PlacedStorage
from appliance.packaging.project_file import Declared, ProjectFile
from appliance.packaging.site_store import SiteStore
from appliance.protocol.flows import Registered, Registration, RegistrationPreview

_Said = TypeVar("_Said", Registered, RegistrationPreview)


@dataclass(frozen=True)
class Prepared:
    """A registration, and which files of its package it does not cover, with the reasons."""

    request: Registration
    left_out: Mapping[str, str] = field(default_factory=dict)
    bundle: BundleStorage | None = None
    placed: PlacedStorage | None = None
    in_image: DockerStorage | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Planned:
    """What sending it would do. `others`: schedules that people have made, which stay; `opens`: the folder that the agent of this machine
    would take code from."""

    prepared: Prepared
    preview: RegistrationPreview
    others: Sequence[dict[str, Any]] = ()
    opens: str = ""
    upload: int = 0
    """Bytes of code that would be sent."""

    @property
    def changes(self) -> bool:
        """Would anything change?"""
        news = [item for item in self.preview.schedules if item.outcome not in ("kept", "left deleted")]
        return self.preview.created or bool(news) or bool(self.opens)


def prepare(
    pairs: Iterable[Pair], project: str, problems: list[str], store: SiteStore | None = None, **options: Any
) -> list[Prepared]:
    """The registrations of flows; of a flow that can't be registered, a problem. Without a `store`, bundles are made where it is said that they
    are wanted. Raises ClientError if it has to be asked and can't be."""
    registrations = []
    places: dict[str, str] = {}

    def note(error: Exception) -> None:
        if str(error) not in problems:  # it may have been met where the tables were read
            problems.append(str(error))

    located = []
    for flow, storage in pairs:
        try:
            located.append((flow, storage, register.place_of(flow, None, storage, store)))
        except ClientError:
            raise
        except (ApplianceError, TypeError, ValueError) as error:
            note(error)
    share((place for _, _, place in located), project)
    for flow, storage, place in located:
        try:
            request = register.registration(flow, project, storage=place, **options)
        except (ApplianceError, TypeError, ValueError) as error:
            note(error)
            continue
        registrations.append(
            Prepared(
                request,
                storage.sources.left_out,
                place if isinstance(place, BundleStorage) else None,
                place if isinstance(place, PlacedStorage) else None,
                place if isinstance(place, DockerStorage) else None,
                result_places.warnings_of(flow, places),
            )
        )
    return registrations


def look(search: Search, file: ProjectFile, path: Path) -> None:
    """Search a path of a project, and if it is the whole project, also the sources that its file names."""
    tables, is_whole = _tables(file, search.problems), path.resolve() == file.folder
    sources = {name: table.source for name, table in tables.items() if table.source is not None and is_whole}
    for name, source in sources.items():
        search.source(file.folder, name, source)
    search.path(path, may_be_empty=bool(sources))
    names = {flow.name.strip() for flow, _ in search.pairs}
    for name in tables:
        if is_whole and name not in names and name not in sources:
            advice = suggestions.hint(name, names, "the flows of the project are")
            search.problems.append(f"{tables[name].place}: there is no flow {name!r} in the project; {advice}")


def _tables(file: ProjectFile, problems: list[str]) -> dict[str, Declared]:
    tables = {}
    for name in file.flows:
        try:
            tables[name] = file.flow(name)
        except FlowBuildError as error:
            problems.append(str(error))
    return tables


def plan(
    transport: Transport, registrations: Sequence[Prepared], problems: list[str], store: SiteStore | None = None
) -> list[Planned]:
    """What the server says that sending them would do; what it would refuse is a problem."""
    plans = []
    for one in registrations:
        try:
            preview = _warned(register.preview(transport, one.request), one)
        except (Invalid, Conflict) as error:
            problems.append(f"{one.request.name}: {error}")
            continue
        except Refused as error:
            if error.status not in (404, 405):
                raise
            raise ClientError(
                "The server is of an earlier release, which can't say what a registration would change; upgrade it, or use `appliance "
                "register` without --dry-run."
            ) from error
        if preview.closed_folder and not local_agent.may_open(transport.url, preview.closed_folder):
            problems.append(f"{one.request.name}: {preview.closed}")
            continue
        try:
            upload = 0 if one.bundle is None or store is None else store.waiting(one.bundle)
        except FlowBuildError as error:
            problems.append(f"{one.request.name}: {error}")
            continue
        plans.append(Planned(one, preview, opens=preview.closed_folder, upload=upload))
    others = _schedules_of_people(transport, plans)
    return [replace(one, others=others.get(str(one.preview.flow_id), ())) for one in plans]


def built(registrations: Sequence[Prepared], say: Say, problems: list[str]) -> list[Prepared]:
    """The registrations whose code is where agents take it from, after the images of those that need one were built; of an image that isn't as it
    should be, a problem."""
    ready, failed = [], set()
    for one in registrations:
        if one.in_image is not None:
            image = one.in_image.image
            if image in failed:
                continue
            try:
                image.build(say)
            except FlowBuildError as error:
                failed.add(image)
                problems.append(str(error))
                continue
            one = replace(one, request=register.pinned(one.request, one.in_image.describe()))
        ready.append(one)
    return ready


def send(transport: Transport, one: Prepared, store: SiteStore | None = None) -> Registered:
    """Register a flow, after its code was brought to the server: whole or not at all, and once, however often it is sent."""
    if one.bundle is not None and store is not None:
        store.send(one.bundle)
    if one.placed is not None:
        one.placed.send()
    return _warned(register.send(transport, one.request), one)


def _warned(answer: _Said, one: Prepared) -> _Said:
    """The server's answer, with what was noticed here."""
    return msgspec.structs.replace(answer, warnings=[*answer.warnings, *one.warnings])


def project_of(path: Path) -> ProjectFile:
    """The project that a path belongs to. Raises FlowBuildError if there is none, or if its file can't be read."""
    path = path.resolve()
    folder = path if (path / sources.PROJECT_FILE).is_file() else sources.project_of(path)
    if folder is None:
        raise FlowBuildError(
            f"There is no {sources.PROJECT_FILE} in {path.name} or above it; create one with a table [tool.appliance], or use `appliance "
            "register`."
        )
    return project_file.read(folder)


def _schedules_of_people(transport: Transport, plans: Sequence[Planned]) -> dict[str, list[dict[str, Any]]]:
    """By the id of their flow."""
    by_flow: dict[str, list[dict[str, Any]]] = {}
    for project in {one.prepared.request.project for one in plans if one.preview.flow_id is not None}:
        for schedule in schedules.listed(transport, project=project):
            if schedule["origin"] != "code":
                by_flow.setdefault(schedule["flow_id"], []).append(schedule)
    return by_flow

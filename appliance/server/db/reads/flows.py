"""Reads of flows and their versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.reads.among import OfMany
from appliance.server.db.reads.pages import RowPage, contains, read, text_key, unusable
from appliance.server.db.rows.flows import (
    FlowRow,
    FlowVersionRow,
    RunnableFlow,
    RunnableVersion,
    VersionSummary,
    VersionWork,
)
from appliance.server.db.tables import metadata
from appliance.server.errors import NotFound

_flow = metadata.tables["flow"]
_version = metadata.tables["flow_version"]
_project = metadata.tables["project"]
_HIGHEST = 2**31 - 1
_OF_IMAGE = {"image": "image", "image_id": "id"}
"""Where a version's storage names the image that has its code."""
_SUMMARY = tuple(
    _version.c.storage[_OF_IMAGE[name]].as_string().label(name) if name in _OF_IMAGE else _version.c[name]
    for name in VersionSummary.__annotations__
)
_NAMES = OfMany(
    lambda among: (
        select(_flow.c.id, _flow.c.name, _project.c.name)
        .join(_project, _project.c.id == _flow.c.project_id)
        .where(among(_flow.c.id))
    )
)
_WORK = (
    select(
        _version.c.id,
        _version.c.storage,
        _flow.c.name.label("flow"),
        _flow.c.project_id,
        _project.c.name.label("project"),
    )
    .join(_flow, _flow.c.id == _version.c.flow_id)
    .join(_project, _project.c.id == _flow.c.project_id)
    .where(_version.c.id.in_(bindparam("versions", expanding=True)))
)
_RUNNABLE = select(
    _flow.c.id, _flow.c.project_id, _flow.c.name, _flow.c.overrides, _flow.c.archived, _project.c.name.label("project")
).join(_project, _project.c.id == _flow.c.project_id)


def _numbers_by(number: ColumnElement[int]) -> OfMany:
    return OfMany(lambda among: select(_version.c.id, number).where(among(_version.c.id)))


_OF_IDS = OfMany(lambda among: select(_flow).where(among(_flow.c.id)))
_VERSIONS = OfMany(lambda among: select(_version).where(among(_version.c.id)))
_NEWEST = OfMany(lambda among: _newest(among(_version.c.flow_id)))
_TASK_NUMBERS = {
    "sqlite": _numbers_by(func.json_array_length(_version.c.graph, "$.tasks")),
    "postgresql": _numbers_by(func.jsonb_array_length(_version.c.graph["tasks"])),
}
_BY_ID = Prepared(_RUNNABLE.where(_flow.c.id == bindparam("flow")))
_BY_NAME = Prepared(_RUNNABLE.where(_project.c.name == bindparam("project"), _flow.c.name == bindparam("flow")))
_STARTED = Prepared(
    select(_version.c.id, _version.c.parameters, _version.c.labels, _version.c.run_config, _version.c.storage_type)
    .where(_version.c.flow_id == bindparam("flow"))
    .order_by(_version.c.number.desc())
    .limit(1)
)


def _newest(of_flows: ColumnElement[bool]) -> Select[Any]:
    newest = select(_version.c.flow_id, func.max(_version.c.number).label("number")).where(of_flows)
    newest_of = newest.group_by(_version.c.flow_id).subquery()
    matches = and_(_version.c.flow_id == newest_of.c.flow_id, _version.c.number == newest_of.c.number)
    return select(_version).join(newest_of, matches)


def page(
    session: Session,
    limit: int,
    after: str | None,
    project: str | None = None,
    name: str | None = None,
    archived: bool = False,
) -> RowPage[FlowRow]:
    """Flows by name; `name` matches any that contain it."""
    query = select(_flow).where(_flow.c.archived.is_(archived))
    if project is not None:
        query = query.join(_project, _project.c.id == _flow.c.project_id).where(_project.c.name == project)
    if name:
        query = query.where(contains(session, _flow.c.name, name))
    if after is not None:
        last_id, last_name = _key(after)
        query = query.where(or_(_flow.c.name > last_name, and_(_flow.c.name == last_name, _flow.c.id > last_id)))
    return read(session, query.order_by(_flow.c.name, _flow.c.id), limit, lambda row: (row.id, row.name))


def get(session: Session, flow_id: UUID) -> FlowRow | None:
    return cast(FlowRow | None, session.execute(select(_flow).where(_flow.c.id == flow_id)).one_or_none())


def by_ids(session: Session, ids: Collection[UUID]) -> Sequence[FlowRow]:
    return cast(Sequence[FlowRow], _OF_IDS.every(session, ids))


def versions(session: Session, ids: Collection[UUID]) -> Sequence[FlowVersionRow]:
    return cast(Sequence[FlowVersionRow], _VERSIONS.every(session, ids))


def newest_versions(session: Session, flow_ids: Collection[UUID]) -> Sequence[FlowVersionRow]:
    """The newest version of each flow."""
    return cast(Sequence[FlowVersionRow], _NEWEST.every(session, flow_ids))


def version_page(session: Session, flow_id: UUID, limit: int, after: str | None = None) -> RowPage[VersionSummary]:
    """The flow's versions, newest first."""
    query = select(*_SUMMARY).where(_version.c.flow_id == flow_id).order_by(_version.c.number.desc())
    if after is not None:
        query = query.where(_version.c.number < _number(after))
    return read(session, query, limit, lambda row: (str(row.number),))


def version(session: Session, flow_id: UUID, number: int) -> FlowVersionRow:
    """One version of a flow. Raises NotFound."""
    row = None
    if 0 < number <= _HIGHEST:
        statement = select(_version).where(_version.c.flow_id == flow_id, _version.c.number == number)
        row = session.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"The flow has no version {number}; list its versions to see which there are.")
    return cast(FlowVersionRow, row)


def _number(cursor: str) -> int:
    (text,) = text_key(cursor, 1)
    try:
        return int(text)
    except ValueError as error:
        raise unusable() from error


def task_numbers(session: Session, version_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many tasks each version's graph has, counted by the database."""
    rows = _TASK_NUMBERS[session.get_bind().dialect.name].every(session, version_ids)
    return {version_id: tasks or 0 for version_id, tasks in rows}


def names(session: Session, ids: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """(flow, project) names by flow id."""
    return {flow_id: (flow, project) for flow_id, flow, project in _NAMES.every(session, ids)}


def _key(cursor: str) -> tuple[UUID, str]:
    id_text, name = text_key(cursor, 2)
    try:
        return UUID(id_text), name
    except ValueError as error:
        raise unusable() from error


def work_of_versions(session: Session, version_ids: list[UUID]) -> dict[UUID, VersionWork]:
    """The flow, project and storage of each version."""
    result = readable.every(session, _WORK, {"versions": sorted(set(version_ids))})
    return {row.id: row for row in cast(Iterable[VersionWork], result)}


def runnable(
    session: Session, flow_id: UUID | None, project: str | None, name: str | None
) -> tuple[RunnableFlow, RunnableVersion | None] | None:
    """What a new run needs of the flow with this id, or with this name in this project, and of its newest version, if it has one; without
    the graph."""
    if flow_id is not None:
        flow = _BY_ID.one_or_none(session, {"flow": flow_id})
    else:
        flow = _BY_NAME.one_or_none(session, {"project": project, "flow": name})
    if flow is None:
        return None
    version = _STARTED.one_or_none(session, {"flow": flow.id})
    return cast(RunnableFlow, flow), cast(RunnableVersion | None, version)


def graph_of(session: Session, version_id: UUID) -> JsonDocument:
    """The graph of a version, which never changes."""
    graph: JsonDocument = session.execute(select(_version.c.graph).where(_version.c.id == version_id)).scalar_one()
    return graph

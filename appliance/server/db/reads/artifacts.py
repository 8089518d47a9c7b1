"""Reads of artifacts. Only `content` reads their bytes."""

from __future__ import annotations

from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import BigInteger, Select, func, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from appliance.server.db.reads import pages
from appliance.server.db.reads.pages import RowPage
from appliance.server.db.rows.artifacts import ArtifactContent, ArtifactFacts, ArtifactRow, LatestArtifact
from appliance.server.db.tables import metadata

_artifact = metadata.tables["artifact"]
_key = metadata.tables["artifact_key"]
_project = metadata.tables["project"]
_flow = metadata.tables["flow"]
_run = metadata.tables["flow_run"]
FACTS = tuple(_artifact.c[name] for name in ArtifactFacts.__annotations__)
_NAMES = {"project": _project.c.name, "flow": _flow.c.name, "flow_run": _run.c.name}
_ROWS = (
    select(*(_NAMES[name].label(name) if name in _NAMES else _artifact.c[name] for name in ArtifactRow.__annotations__))
    .select_from(_artifact)
    .join(_project, _project.c.id == _artifact.c.project_id)
    .join(_flow, _flow.c.id == _artifact.c.flow_id)
    .outerjoin(_run, _run.c.id == _artifact.c.flow_run_id)
)


class Criteria(NamedTuple):
    """Which artifacts: of a project by name, of a flow, of a run."""

    project: str | None = None
    flow_id: UUID | None = None
    flow_run_id: UUID | None = None


def page(session: Session, criteria: Criteria, limit: int, after: str | None) -> RowPage[ArtifactRow]:
    """Artifacts, the newest first."""
    query = _ROWS
    if criteria.project is not None:
        query = query.where(_artifact.c.project_id == _id_of(criteria.project))
    if criteria.flow_id is not None:
        query = query.where(_artifact.c.flow_id == criteria.flow_id)
    if criteria.flow_run_id is not None:
        query = query.where(_artifact.c.flow_run_id == criteria.flow_run_id)
    if after is not None:
        query = query.where(_artifact.c.id < pages.only_id(after))
    return pages.read(session, query.order_by(_artifact.c.id.desc()), limit, lambda row: (row.id,))


def versions(session: Session, project: str, key: str, limit: int, after: str | None) -> RowPage[ArtifactRow]:
    """The versions of a key of a project, the latest first."""
    query = _ROWS.where(_artifact.c.project_id == _id_of(project), _artifact.c.key == key)
    if after is not None:
        query = query.where(_artifact.c.version < pages.number(after))
    return pages.read(session, query.order_by(_artifact.c.version.desc()), limit, lambda row: (row.version,))


def latest(
    session: Session, project: str | None, prefix: str | None, limit: int, after: str | None
) -> RowPage[LatestArtifact]:
    """The latest version of each key, those first that were made last: of a project by name, with keys that begin with the prefix."""
    newest = (
        select(func.max(_artifact.c.version))
        .where(_artifact.c.project_id == _key.c.project_id, _artifact.c.key == _key.c.key)
        .correlate(_key)
        .scalar_subquery()
    )
    same = (_artifact.c.project_id == _key.c.project_id) & (_artifact.c.key == _key.c.key)
    query = _ROWS.add_columns(_key.c.id.label("key_id"), _key.c.updated.label("key_updated")).join(
        _key, same & (_artifact.c.version == newest)
    )
    if project is not None:
        query = query.where(_key.c.project_id == _id_of(project))
    if prefix:
        query = query.where(func.substr(_key.c.key, 1, len(prefix)) == prefix)
    if after is not None:
        time, id = pages.time_and_id(after)
        query = query.where((_key.c.updated < time) | ((_key.c.updated == time) & (_key.c.id < id)))
    ordered = query.order_by(_key.c.updated.desc(), _key.c.id.desc())
    return pages.read(session, ordered, limit, lambda row: (row.key_updated, row.key_id))


def one(session: Session, artifact_id: UUID) -> ArtifactRow | None:
    """The artifact with this id."""
    statement = _ROWS.where(_artifact.c.id == artifact_id)
    return cast(ArtifactRow | None, session.connection().execute(statement).one_or_none())


def content(session: Session, artifact_id: UUID) -> ArtifactContent | None:
    """The bytes of an artifact."""
    columns = [_artifact.c[name] for name in ArtifactContent.__annotations__]
    statement = select(*columns).where(_artifact.c.id == artifact_id)
    return cast(ArtifactContent | None, session.connection().execute(statement).one_or_none())


def sums_of_run(session: Session, flow_run_id: UUID) -> tuple[int, int]:
    """How many artifacts a run has, and their bytes."""
    size = sql_cast(func.sum(_artifact.c.size), BigInteger)
    statement = select(func.count(), size).where(_artifact.c.flow_run_id == flow_run_id)
    number, total = session.connection().execute(statement).one()
    return int(number), int(total or 0)


def _id_of(project: str) -> Any:
    named: Select[Any] = select(_project.c.id).where(_project.c.name == project)
    return named.scalar_subquery()

"""Reads of results that the appliance keeps. Only `content` reads their bytes."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from sqlalchemy import BigInteger, func, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from appliance.server.db.reads import pages, readable
from appliance.server.db.reads.pages import RowPage
from appliance.server.db.rows.kept_results import Content, Facts, KeptResultRow, Reader
from appliance.server.db.tables import metadata
from appliance.server.errors import Invalid

_result = metadata.tables["kept_result"]
_SIZES = sql_cast(func.sum(_result.c.size), BigInteger)
_project = metadata.tables["project"]
_flow = metadata.tables["flow"]
_run = metadata.tables["flow_run"]
FACTS = (_result.c.id, _result.c.flow_run_id, _result.c.sha256, _result.c.size, _result.c.sealed)


def reader(session: Session, run_id: UUID) -> Reader | None:
    """The run that asks."""
    columns = (_flow.c.project_id, _run.c.state_type, _run.c.state_name, _run.c.attempt)
    statement = select(*columns).join(_flow, _flow.c.id == _run.c.flow_id).where(_run.c.id == run_id)
    return cast(Reader | None, session.connection().execute(statement).one_or_none())


def facts(session: Session, project_id: UUID, location: str) -> Facts | None:
    """What is known of the result at a location."""
    statement = select(*FACTS).where(_result.c.project_id == project_id, _result.c.location == location)
    return cast(Facts | None, session.connection().execute(statement).one_or_none())


def content(session: Session, project_id: UUID, location: str) -> Content | None:
    """The bytes of the result at a location."""
    here = (_result.c.project_id == project_id, _result.c.location == location)
    statement = select(_result.c.project_id, _result.c.sha256, _result.c.sealed, _result.c.content).where(*here)
    return cast(Content | None, session.connection().execute(statement).one_or_none())


def projects_with(session: Session, location: str, project: str | None) -> list[UUID]:
    """Up to two projects that have a result at a location: any, or the one of this name."""
    here = select(_result.c.id).where(_result.c.project_id == _project.c.id, _result.c.location == location).exists()
    statement = select(_project.c.id).where(here).limit(2)
    if project is not None:
        statement = statement.where(_project.c.name == project)
    return list(readable.scalars(session, statement))


def page(
    session: Session, limit: int, after: str | None, project: str | None = None, prefix: str | None = None
) -> RowPage[KeptResultRow]:
    """Results, the newest first: all, or those of one project, of which those whose locations begin with the prefix. Raises Invalid."""
    if prefix and project is None:
        raise Invalid(
            "Results are listed by the beginning of their location within one project; say which project, too."
        )
    named = {"project": _project.c.name, "flow_run": _run.c.name, "flow_id": _run.c.flow_id, "flow": _flow.c.name}
    columns = [named[name].label(name) if name in named else _result.c[name] for name in KeptResultRow.__annotations__]
    query = (
        select(*columns)
        .select_from(_result)
        .join(_project, _project.c.id == _result.c.project_id)
        .outerjoin(_run, _run.c.id == _result.c.flow_run_id)
        .outerjoin(_flow, _flow.c.id == _run.c.flow_id)
    )
    if project is not None:
        query = query.where(_project.c.name == project)
    if prefix:
        query = query.where(func.substr(_result.c.location, 1, len(prefix)) == prefix)
    if after is not None:
        query = query.where(_result.c.id < pages.only_id(after))
    return pages.read(session, query.order_by(_result.c.id.desc()), limit, lambda row: (row.id,))


def bytes_of_run(session: Session, flow_run_id: UUID) -> int:
    """How many bytes the results of a run have."""
    statement = select(_SIZES).where(_result.c.flow_run_id == flow_run_id)
    return int(session.connection().execute(statement).scalar() or 0)


def totals(session: Session) -> tuple[int, int]:
    """How many results there are, and their bytes."""
    number, size = session.connection().execute(select(func.count(), _SIZES).select_from(_result)).one()
    return int(number), int(size or 0)

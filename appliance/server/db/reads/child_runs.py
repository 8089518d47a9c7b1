"""Reads of runs that tasks of other runs have started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.conditions import LIVE_NOW
from appliance.server.db.reads import readable
from appliance.server.db.rows.flow_runs import ChildRow, Starter
from appliance.server.db.tables import metadata

_run, _flow, _project = (metadata.tables[name] for name in ("flow_run", "flow", "project"))
_version = metadata.tables["flow_version"]
_MOST = 5_000


def of_task(session: Session, parent: UUID, slug: str, map_index: int) -> ChildRow | None:
    """The run that a task run has started."""
    columns = (
        _run.c.id, _run.c.name, _flow.c.name.label("flow"), _run.c.state_type, _run.c.state_name, _run.c.state_message,
        _run.c.parent_try,
    )  # fmt: skip
    statement = select(*columns).join(_flow, _flow.c.id == _run.c.flow_id)
    mine = (
        _run.c.parent_flow_run_id == parent, _run.c.parent_task_slug == slug, _run.c.parent_map_index == map_index,
    )  # fmt: skip
    return cast(ChildRow | None, session.connection().execute(statement.where(*mine)).one_or_none())


def starter(session: Session, run: UUID) -> Starter | None:
    """What decides about which runs the tasks of a run may start."""
    columns = (
        _run.c.flow_version_id, _version.c.number, _flow.c.name.label("flow"), _project.c.name.label("project"),
        _version.c.graph,
    )  # fmt: skip
    statement = (
        select(*columns)
        .join(_version, _version.c.id == _run.c.flow_version_id)
        .join(_flow, _flow.c.id == _run.c.flow_id)
        .join(_project, _project.c.id == _flow.c.project_id)
        .where(_run.c.id == run)
    )
    return cast(Starter | None, session.connection().execute(statement).one_or_none())


def ancestors(session: Session, run: UUID, most: int) -> list[UUID]:
    """The run, the one that has started it, and so on up to `most` runs."""
    line = [run]
    while len(line) < most:
        parent = session.execute(select(_run.c.parent_flow_run_id).where(_run.c.id == line[-1])).scalar()
        if parent is None:
            break
        line.append(parent)
    return line


def ended(session: Session, parent: UUID) -> list[tuple[str, int]]:
    """The task runs whose children have ended, of those that wait for them."""
    statement = select(_run.c.parent_task_slug, _run.c.parent_map_index).where(
        _run.c.parent_flow_run_id == parent, _run.c.parent_waits, _run.c.end_time.is_not(None)
    )
    return [(slug, index) for slug, index in readable.every(session, statement.limit(_MOST))]


def awaited(session: Session, parent: UUID) -> Sequence[UUID]:
    """The children that have not ended and that a task waits for."""
    open = (_run.c.parent_flow_run_id == parent, _run.c.parent_waits, _run.c.end_time.is_(None))
    return readable.scalars(session, select(_run.c.id).where(*open).order_by(_run.c.id).limit(_MOST))


def any_live(session: Session, parent: UUID) -> bool:
    """Whether a child of the run is in progress."""
    statement = select(_run.c.id).where(_run.c.parent_flow_run_id == parent, LIVE_NOW)
    return session.execute(statement.limit(1)).first() is not None

"""Deleting flows and projects: run by run, then the rest."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from appliance.server.db.reads.usage import of_versions
from appliance.server.db.tables import metadata
from appliance.server.db.writes import former_names, usage
from appliance.server.db.writes.retention import run as delete_run
from appliance.server.domain.concurrency import FLOW
from appliance.server.domain.transitions import LIVE

_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
_run = metadata.tables["flow_run"]
_limit = metadata.tables["concurrency_limit"]
_RUNS_AT_ONCE = 50


def some_runs(session: Session, flow_id: UUID, most_rows: int, now: datetime) -> int:
    """Delete runs of the flow that have no process, with everything that belongs to them, until about that many rows are gone; return how
    many runs are gone. The last one may be left partly deleted."""
    idle = select(_run.c.id).where(_run.c.flow_id == flow_id, _run.c.state_type.not_in(LIVE))
    rows, runs = 0, 0
    for run in session.connection().execute(idle.limit(_RUNS_AT_ONCE).with_for_update()).scalars().all():
        removed, whole = delete_run(session, run, most_rows - rows, now)
        rows, runs = rows + removed, runs + whole
        if rows >= most_rows:
            break
    return runs


def flow(session: Session, flow_id: UUID) -> None:
    """Delete a flow whose runs are gone, with its versions, schedules, totals, limits and former names."""
    connection = session.connection()
    connection.execute(delete(_limit).where(_limit.c.kind == FLOW, _limit.c.name == str(flow_id)))
    former_names.forget(session, flow_id)
    usage.take_off(session, [(flow_id, *of_versions(session, flow_id))])
    connection.execute(delete(_flow).where(_flow.c.id == flow_id))


def project(session: Session, project_id: UUID) -> None:
    """Delete a project whose flows are gone, with its former names."""
    former_names.forget(session, project_id)
    session.connection().execute(delete(_project).where(_project.c.id == project_id))

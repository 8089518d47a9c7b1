"""Reads of what is deleted together with a flow or a project: how much it is, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from appliance.protocol.life_cycle import MOST_COUNTED
from appliance.server.db.conditions import LIVE_NOW
from appliance.server.db.reads import readable
from appliance.server.db.tables import metadata

_flow = metadata.tables["flow"]
_version = metadata.tables["flow_version"]
_schedule = metadata.tables["schedule"]
_run = metadata.tables["flow_run"]
_task = metadata.tables["task_run"]
_log = metadata.tables["log"]


def flow_ids(session: Session, project_id: UUID) -> list[UUID]:
    """The flows of a project, oldest first."""
    return list(
        readable.scalars(session, select(_flow.c.id).where(_flow.c.project_id == project_id).order_by(_flow.c.id))
    )


def numbers(session: Session, flows: Sequence[UUID]) -> dict[str, int]:
    """How much of everything belongs to these flows; each number ends at MOST_COUNTED."""
    runs = select(_run.c.id).where(_run.c.flow_id.in_(flows))
    tasks = select(_task.c.id).join(_run, _run.c.id == _task.c.flow_run_id).where(_run.c.flow_id.in_(flows))
    logs = select(_log.c.id).join(_run, _run.c.id == _log.c.flow_run_id).where(_run.c.flow_id.in_(flows))
    return {
        "versions": _count(session, select(_version.c.id).where(_version.c.flow_id.in_(flows))),
        "schedules": _count(session, select(_schedule.c.id).where(_schedule.c.flow_id.in_(flows))),
        "runs": _count(session, runs),
        "live_runs": live_runs(session, flows),
        "task_runs": _count(session, tasks),
        "logs": _count(session, logs),
        "results": _count(session, tasks.where(_task.c.result_location.is_not(None))),
    }


def runs(session: Session, flows: Sequence[UUID]) -> int:
    """How many runs these flows have."""
    return session.execute(select(func.count()).select_from(_run).where(_run.c.flow_id.in_(flows))).scalar_one()


def has_runs(session: Session, flow_id: UUID) -> bool:
    """Whether the flow has any run."""
    return session.execute(select(_run.c.id).where(_run.c.flow_id == flow_id).limit(1)).first() is not None


def live_runs(session: Session, flows: Sequence[UUID]) -> int:
    """How many runs of these flows have a process, or are about to get one."""
    return session.execute(
        select(func.count()).select_from(_run).where(LIVE_NOW, _run.c.flow_id.in_(flows))
    ).scalar_one()


def to_cancel(session: Session, flow_id: UUID, limit: int) -> list[UUID]:
    """Runs in progress that nobody has cancelled yet."""
    statement = select(_run.c.id).where(LIVE_NOW, _run.c.flow_id == flow_id, _run.c.cancel_requested.is_(False))
    return readable.scalars(session, statement.order_by(_run.c.id).limit(limit))


def _count(session: Session, rows: Select[tuple[object]]) -> int:
    return session.execute(select(func.count()).select_from(rows.limit(MOST_COUNTED).subquery())).scalar_one()

"""Reads of limits and of who holds their slots: counted from what is live, never from a stored number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import and_, select, text
from sqlalchemy.orm import Session

from appliance.server.db.rows.concurrency import LimitRow, TaskHolder
from appliance.server.db.rows.flow_runs import LiveRun
from appliance.server.db.tables import metadata

_limit = metadata.tables["concurrency_limit"]
_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
_slot = metadata.tables["task_slot"]
_LIVE = text("flow_run.state_type in ('PENDING', 'RUNNING', 'CANCELLING')")


def every(session: Session) -> Sequence[LimitRow]:
    """All limits, by kind and name. There are as many as people have made by hand."""
    statement = select(_limit).order_by(_limit.c.kind, _limit.c.name)
    return cast(Sequence[LimitRow], session.execute(statement).all())


def live_runs(session: Session) -> Sequence[LiveRun]:
    """The runs that are being worked on: what may hold a slot of a flow's or a label's limit."""
    columns = (_run.c.id, _run.c.name, _run.c.flow_id, _run.c.labels, _run.c.start_time, _run.c.state_at)
    statement = select(*columns).where(_LIVE).order_by(_run.c.state_at, _run.c.id)
    return cast(Sequence[LiveRun], session.execute(statement).all())


def task_holders(session: Session) -> Sequence[TaskHolder]:
    """The task runs that hold a slot, each with its run."""
    columns = (_slot.c.limit_id, _slot.c.task_slug, _slot.c.map_index, _slot.c.at, _run.c.id, _run.c.name)
    live = and_(_run.c.id == _slot.c.flow_run_id, _run.c.attempt == _slot.c.attempt)
    statement = select(*columns).join(_run, live).where(_LIVE).order_by(_slot.c.at)
    return cast(Sequence[TaskHolder], session.execute(statement).all())


def flow_names(session: Session, ids: Sequence[UUID]) -> dict[str, str]:
    """`project/flow` by the flow's id as a text."""
    query = select(_flow.c.id, _project.c.name, _flow.c.name).join(_project, _project.c.id == _flow.c.project_id)
    return {str(id): f"{project}/{flow}" for id, project, flow in session.execute(query.where(_flow.c.id.in_(ids)))}

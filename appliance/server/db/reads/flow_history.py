"""Reads of the last runs of one flow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.reads.among import OfMany
from appliance.server.db.reads.run_filters import default_condition
from appliance.server.db.rows.flow_runs import PastRunRow
from appliance.server.db.rows.task_runs import TaskSpanRow
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Id

MOST_RUNS = 100
MOST_RUNS_WITH_TASKS = 30
_run = metadata.tables["flow_run"]
_version = metadata.tables["flow_version"]
_task = metadata.tables["task_run"]
_COLUMNS = [_run.c[name] for name in PastRunRow.__annotations__ if name != "number"]
_NEWEST = (
    select(*_COLUMNS)
    .where(_run.c.flow_id == bindparam("flow", type_=Id()), default_condition(bindparam("now")))
    .order_by(_run.c.scheduled_time.desc(), _run.c.id.desc())
    .limit(bindparam("most", type_=Integer))
    .subquery()
)
_LATEST = Prepared(
    select(*_NEWEST.c, _version.c.number)
    .join(_version, _version.c.id == _NEWEST.c.flow_version_id)
    .order_by(_NEWEST.c.scheduled_time.desc(), _NEWEST.c.id.desc())
)
_TASKS = OfMany(
    lambda among: select(*(_task.c[name] for name in TaskSpanRow.__annotations__)).where(among(_task.c.flow_run_id))
)
_GRAPHS = OfMany(
    lambda among: select(_version.c.id, _version.c.graph, _version.c.parameters).where(among(_version.c.id))
)


def runs(session: Session, flow_id: UUID, now: datetime) -> Sequence[PastRunRow]:
    """The flow's last runs, newest first, without those planned for later."""
    values = {"flow": flow_id, "now": now, "most": MOST_RUNS}
    return cast(Sequence[PastRunRow], readable.every(session, _LATEST, values))


def task_spans(session: Session, run_ids: Collection[UUID]) -> Sequence[TaskSpanRow]:
    """All task runs of these runs."""
    return cast(Sequence[TaskSpanRow], _TASKS.every(session, run_ids))


def graphs(session: Session, version_ids: Collection[UUID]) -> dict[UUID, tuple[JsonDocument, list[JsonDocument]]]:
    """The graph and the parameters of each version."""
    return {version: (graph, parameters) for version, graph, parameters in _GRAPHS.every(session, version_ids)}

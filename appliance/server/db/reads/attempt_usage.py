"""Reads of what runs have used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.reads.among import OfMany
from appliance.server.db.reads.run_filters import default_condition
from appliance.server.db.rows.flow_runs import RunUsageRow, UsedRun
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Id
from appliance.server.domain.attempt_usage import AttemptUsage

MOST_RUNS = 50
"""The runs of a flow that are looked at for what is typical of it."""
_run = metadata.tables["flow_run"]
_ONE = Prepared(
    select(_run.c.cpu_seconds, _run.c.peak_memory, _run.c.attempt_usage).where(_run.c.id == bindparam("run"))
)
_OF_IDS = OfMany(lambda among: select(_run.c.id, _run.c.attempt_usage).where(among(_run.c.id)))
_LATEST = Prepared(
    select(_run.c.cpu_seconds, _run.c.peak_memory, _run.c.run_config)
    .where(_run.c.flow_id == bindparam("flow", type_=Id()), default_condition(bindparam("now")))
    .order_by(_run.c.scheduled_time.desc(), _run.c.id.desc())
    .limit(MOST_RUNS)
)


def of_run(session: Session, run_id: UUID) -> RunUsageRow | None:
    """What a run has used, and its attempts."""
    return cast(RunUsageRow | None, _ONE.one_or_none(session, {"run": run_id}))


def of_attempts(session: Session, ids: Collection[UUID]) -> dict[UUID, list[AttemptUsage]]:
    """What the attempts of these runs have used, as far as that is known, by run."""
    return {run_id: used for run_id, used in _OF_IDS.every(session, ids) if used}


def latest(session: Session, flow_id: UUID, now: datetime) -> Sequence[UsedRun]:
    """What the newest runs of a flow have used, without future ones."""
    return cast(Sequence[UsedRun], readable.every(session, _LATEST, {"flow": flow_id, "now": now}))

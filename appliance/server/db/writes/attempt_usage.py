"""Writing what runs have used."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from appliance.server.db.prepared import Prepared
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.domain.attempt_usage import RunUsage

_runs = table(FlowRun)
_SET = Prepared(update(_runs).where(_runs.c.id == bindparam("run")))


def store(session: Session, flow_run_id: UUID, used: RunUsage) -> None:
    """Set what a run, which is locked, and its attempts have used."""
    values = {"cpu_seconds": used.cpu_seconds, "peak_memory": used.peak_memory, "attempt_usage": used.attempts}
    _SET.change(session, values | {"run": flow_run_id})

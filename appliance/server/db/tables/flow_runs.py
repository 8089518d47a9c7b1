"""A flow run: one execution of a flow version. `version` is its compare-and-set counter, `attempt` its fencing token."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, false
from sqlmodel import Field, SQLModel

from appliance.kit.documents import JsonDocument, Parameters
from appliance.server.db.tables.columns import (
    BigKey,
    Document,
    Id,
    Json,
    LongText,
    OneOf,
    Texts,
    Time,
    Whole,
    partial_index,
)
from appliance.server.domain.attempt_usage import AttemptUsage
from appliance.server.domain.transitions import TYPES

_LIVE = "state_type in ('PENDING', 'RUNNING', 'CANCELLING')"
_RETRIED = "state_type = 'SCHEDULED' and attempt > 0"
_BEGUN, _OVER, _OPEN = "start_time is not null", "end_time is not null", "end_time is null"


def _count() -> Any:
    return Field(default=0, sa_type=BigKey, sa_column_kwargs={"server_default": "0"})


class FlowRun(SQLModel, table=True):
    __tablename__ = "flow_run"
    __table_args__ = (
        UniqueConstraint("schedule_id", "due_at"),
        UniqueConstraint("flow_id", "idempotency_key"),
        partial_index("ix_flow_run_live", "state_type", "lease_expires_at", where=_LIVE),
        # the next two cover all that lists filter by, so that a filter that few runs match reads no rows of the table
        Index("ix_flow_run_flow_due", "flow_id", "scheduled_time", "id", "state_type", "state_name", "attempt", "name"),
        Index("ix_flow_run_due", "scheduled_time", "id", "state_type", "state_name", "attempt", "flow_id", "name"),
        Index("ix_flow_run_state_due", "state_type", "scheduled_time"),
        Index("ix_flow_run_name_due", "state_name", "scheduled_time"),
        partial_index("ix_flow_run_start_time", "start_time", "id", where=_BEGUN),
        partial_index("ix_flow_run_end_time", "end_time", "id", where=_OVER),
        partial_index("ix_flow_run_retried", "state_type", "scheduled_time", where=_RETRIED),
        partial_index("ix_flow_run_open", "flow_id", where=_OPEN),
        partial_index(
            *("uq_flow_run_parent", "parent_flow_run_id", "parent_task_slug", "parent_map_index"),
            where="parent_flow_run_id is not null",
            unique=True,
        ),
    )

    id: UUID = Field(sa_type=Id, primary_key=True)
    flow_id: UUID = Field(sa_type=Id, foreign_key="flow.id", ondelete="CASCADE")
    flow_version_id: UUID = Field(sa_type=Id, foreign_key="flow_version.id", ondelete="CASCADE", index=True)
    schedule_id: UUID | None = Field(sa_type=Id, default=None, foreign_key="schedule.id", ondelete="SET NULL")
    due_at: datetime | None = Field(default=None, sa_type=Time)
    idempotency_key: str | None = Field(default=None, max_length=200)
    name: str = Field(max_length=200)
    parameters: Parameters = Field(default_factory=dict, sa_type=Document)
    context: JsonDocument = Field(default_factory=dict, sa_type=Document)
    labels: list[str] = Field(default_factory=list, sa_type=Texts)
    run_config: JsonDocument = Field(default_factory=dict, sa_type=Document)
    overrides: JsonDocument | None = Field(
        default=None, sa_type=Document
    )  # what flow, schedule and request said of it beside the code, see domain.run_configs
    priority: int = Field(default=0, sa_type=Whole)
    parent_flow_run_id: UUID | None = Field(sa_type=Id, default=None)
    parent_task_slug: str | None = Field(default=None, max_length=300)
    parent_map_index: int | None = Field(default=None, sa_type=Whole)
    parent_waits: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    parent_try: str | None = Field(default=None, max_length=40)  # which try of the task knows that this run has failed
    scheduled_time: datetime = Field(sa_type=Time)
    state_type: str = Field(sa_type=OneOf(*TYPES))
    state_name: str = Field(max_length=40)
    state_message: str = Field(default="", sa_type=LongText)
    state_data: JsonDocument | None = Field(default=None, sa_type=Document)
    state_at: datetime = Field(sa_type=Time)
    version: int = Field(default=1, sa_type=Whole)
    attempt: int = Field(default=0, sa_type=Whole)
    run_token_hash: str | None = Field(default=None, max_length=64)  # dies with the attempt
    agent_id: UUID | None = Field(sa_type=Id, default=None, foreign_key="agent.id", ondelete="SET NULL", index=True)
    lease_expires_at: datetime | None = Field(default=None, sa_type=Time)
    last_seq: int = Field(default=0, sa_type=BigKey)
    report_bytes: int = _count()  # of states, see domain.report_budget
    stored_rows: int = _count()  # of states and task runs, and with the next three what project_usage holds of this run
    stored_bytes: int = _count()
    log_rows: int = _count()
    log_bytes: int = _count()
    cancel_requested: bool = False
    start_time: datetime | None = Field(default=None, sa_type=Time)
    end_time: datetime | None = Field(default=None, sa_type=Time)
    times_resurrected: int = Field(default=0, sa_type=Whole)
    results_at: str | None = Field(
        default=None, max_length=300
    )  # only agents there can go on with it, see domain.continuation
    cpu_seconds: float | None = None  # of all attempts together; null: not known
    peak_memory: int | None = Field(default=None, sa_type=BigKey)  # in bytes, the highest of all attempts
    attempt_usage: list[AttemptUsage] | None = Field(default=None, sa_type=Json(list[AttemptUsage]))
    created: datetime = Field(sa_type=Time)
    created_by: str = Field(default="", max_length=200)

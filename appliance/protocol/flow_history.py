"""What the last runs of a flow say of it: how long they took, why they failed, and what each of its tasks took."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.protocol.message import Answer
from appliance.protocol.states import StateType


class PastRun(Answer, kw_only=True):
    """A run in the history of a flow. `seconds` is None until it has ended, and if it never started."""

    id: UUID
    name: str
    state_type: StateType
    state_name: str
    scheduled_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    seconds: float | None
    version: int


class FailureCause(Answer, kw_only=True):
    """Runs that failed in the same task with messages that differ only in numbers and ids; `task_slug` is empty if no task was the cause."""

    task_slug: str
    fingerprint: str
    message: str  # that of the latest
    runs: int
    first_run_id: UUID
    first_at: datetime
    last_run_id: UUID
    last_at: datetime
    known: bool  # whether a person has marked it as known, and its time has not passed


class FlowHistory(Answer, kw_only=True):
    """The last runs of a flow, at most 100, newest first, and the causes of those that failed, the most frequent first. The median and the
    95th percentile are of those that succeeded."""

    flow_id: UUID
    runs: list[PastRun]
    median_seconds: float | None
    p95_seconds: float | None
    causes: list[FailureCause]


class TaskFigures(Answer, kw_only=True):
    """One task in the last runs of its flow. Each child of a mapped task counts; the durations are of those that succeeded."""

    slug: str
    ended: int  # how many of its runs succeeded or failed on their own
    failed: int  # of these, how many failed
    retries: int
    median_seconds: float | None
    p95_seconds: float | None
    critical_share: float  # from 0 to 1: of the time that tasks took on the critical paths of these runs


class FlowTasks(Answer, kw_only=True):
    """The tasks of a flow in its last runs that have ended, at most 30, those with the largest share of the critical path first. Runs that stored
    too much to be looked at are left out."""

    flow_id: UUID
    runs: int
    left_out: int
    tasks: list[TaskFigures]

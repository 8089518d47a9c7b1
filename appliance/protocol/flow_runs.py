"""Messages for creating, reading, and changing flow runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from appliance.protocol.message import Answer, Message
from appliance.protocol.states import MarkedState, StateType


class CreateFlowRun(Message, kw_only=True):
    """Identifies the flow by id, or by project and name."""

    flow_id: UUID | None = None
    project: str | None = None
    flow: str | None = None
    parameters: dict[str, Any] = {}
    name: str | None = None
    labels: list[str] | None = None
    scheduled_time: datetime | None = None
    run_config: dict[str, Any] | None = None  # over that of the flow, field by field; another kind replaces it
    idempotency_key: str | None = None


class ChangeFlowRun(Message, kw_only=True):
    """Cancel, pause, start, or delete a run. Repeating a request with the same idempotency key has no further effect. The reason is
    recorded in the run's history. With `version`, the change is refused if the run has a different version."""

    reason: str = ""
    idempotency_key: str | None = None
    version: int | None = None


class RestartFlowRun(ChangeFlowRun, kw_only=True):
    """Restart a run with the code it had, or with the latest version of its flow, for example after a fix. `from_task` (a slug) also
    reruns that task and everything downstream of it; `parameters` replace values that the run had. `anywhere` reruns also those whose
    results only some agents can read, so that any agent may take the run."""

    newest_version: bool = False
    from_task: str | None = None
    parameters: dict[str, Any] = {}
    anywhere: bool = False


class MarkFlowRun(ChangeFlowRun, kw_only=True):
    """Set the final state of a run that is not live or, with `task_slug`, of one of its task runs."""

    state: MarkedState
    task_slug: str | None = None
    map_index: int = -1


class EditFlowRun(ChangeFlowRun, kw_only=True):
    """Change a run that has not started. Omitted fields stay unchanged."""

    name: str | None = None
    labels: list[str] | None = None
    priority: int | None = None
    scheduled_time: datetime | None = None


class ResumeFlowRun(ChangeFlowRun, kw_only=True):
    """Resume a run with all of its paused tasks, or with just this one. `anywhere` reruns the tasks whose results only some agents can read, so
    that any agent may take the run, also one that waits for such an agent."""

    task_slug: str | None = None
    map_index: int | None = None
    anywhere: bool = False


class AttemptUsageView(Answer, kw_only=True):
    """What one attempt of a run has used, as its agent has measured it."""

    attempt: int
    cpu_seconds: float | None = None  # of all its processes
    peak_memory: int | None = None  # in bytes


class FlowRunView(Answer, kw_only=True):
    """A flow run, for scripts."""

    id: UUID
    name: str
    flow_id: UUID
    flow: str
    project: str
    state: str
    state_type: StateType
    state_message: str
    parameters: dict[str, Any]
    labels: list[str] = []
    priority: int = 0
    version: int
    attempt: int
    created: datetime
    scheduled_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    wait_code: str | None = None  # not_due, limit, no_label, ...
    wait_reason: str | None = None
    cpu_seconds: float | None = None  # of all attempts that have ended; null: no agent has measured it
    peak_memory: int | None = None  # in bytes, the highest of all attempts
    parent_flow_run_id: UUID | None = None  # whose task has started it
    parent_flow_run: str | None = None  # the name of that run
    parent_task_slug: str | None = None
    parent_map_index: int | None = None
    children: dict[
        str, int
    ] = {}  # of a single run, not in lists: how many runs its tasks have started, by type of state
    attempts: list[AttemptUsageView] = []  # of a single run, not in lists: those whose usage is known
    run_config: dict[str, Any] | None = None  # of a single run, not in lists; values of variables are left out
    origins: dict[str, str] = {}  # who said which field of it, and the labels: code, flow, schedule or run
    warnings: list[str] = []  # of a run that was just created: what it will wait for

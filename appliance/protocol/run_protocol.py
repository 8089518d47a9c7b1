"""The run protocol: permission for an attempt to begin, its numbered reports, and slots for its tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from appliance.protocol.logs import Level
from appliance.protocol.message import Answer, FreeDocument, FreeText, Message, NameText
from appliance.protocol.states import StateType

MAX_EVENTS = 5_000
"""Maximum number of events in one report. Clients limit their batches to 500."""


LONGEST_SLOT_WAIT = 3.0
"""The longest that a task may wait for a slot in one request, in seconds."""
LONGEST_CHILD_WAIT = 20.0
"""The same for the end of child runs."""


class Begin(Message, kw_only=True):
    """Ask whether this attempt may run. The verdict `go` sets the run Running."""

    attempt: int


class EarlierTask(Answer, kw_only=True):
    """A task run of an earlier attempt, for a restart."""

    task_slug: str
    map_index: int
    type: StateType
    name: str
    message: str = ""
    data: dict[str, Any] = {}
    result_location: str | None = None
    run_count: int = 0


class Begun(Answer, kw_only=True):
    """`verdict` is go: run; wait: ask again after `retry_after` seconds; or refused: exit without reporting. `reason` says why."""

    verdict: Literal["go", "wait", "refused"]
    reason: str = ""
    retry_after: float = 0.0
    flow_run_name: str = ""
    parameters: dict[str, Any] = {}
    context: dict[str, Any] = {}
    scheduled_time: datetime | None = None
    last_seq: int = 0
    tasks: list[EarlierTask] = []
    more_after: str | None = None  # there are more tasks: begin again with this as `after` in the query
    heartbeat_interval: float = 10.0
    longest_wait: float = 600.0  # seconds; for longer waits, the attempt hands the run back
    limited_tags: list[str] = []  # a task with one of these tags must request a slot before it runs
    starts_runs: bool = False  # whether the server starts runs for tasks; those of earlier releases don't
    makes_artifacts: bool = False  # whether it keeps artifacts, likewise
    storage: dict[str, Any] = {}
    flow: str = ""
    project: str = ""
    run_config: dict[str, Any] = {}


class TaskStateEvent(msgspec.Struct, tag_field="kind", tag="task", kw_only=True, omit_defaults=True):
    """A task run reached a state."""

    slug: str
    map_index: int = -1
    type: StateType
    name: NameText
    message: FreeText = ""
    data: FreeDocument | None = None
    at: datetime
    run_count: int = 0
    result_location: FreeText | None = None  # empty: nothing to store, because the result is None
    task_run_name: FreeText | None = None
    freed: bool = False  # the task run releases its slots


class FlowStateEvent(msgspec.Struct, tag_field="kind", tag="flow", kw_only=True, omit_defaults=True):
    """The flow run reached a state. A terminal state is the last event of an attempt; so is SCHEDULED or PAUSED, with which the attempt
    hands the run back, with the time to continue as `start_time` in `data`."""

    type: StateType
    name: NameText
    message: FreeText = ""
    data: FreeDocument | None = None
    at: datetime


class LogEvent(msgspec.Struct, tag_field="kind", tag="log", kw_only=True, omit_defaults=True):
    at: datetime
    level: Level
    logger: NameText
    message: FreeText
    slug: str | None = None
    map_index: int = -1


Event = TaskStateEvent | FlowStateEvent | LogEvent


class Report(Message, kw_only=True):
    """A numbered batch of events. `seq` starts at 1 for each attempt and increases by one; sending a batch twice is harmless. A batch
    without events is a heartbeat and carries the last acknowledged `seq`."""

    attempt: int
    seq: int
    events: list[Event] = []


class Reported(Answer, kw_only=True):
    acked: int  # the highest seq that is stored
    cancel: bool = False  # the run must stop
    cancel_reason: str = ""  # why, in a sentence; empty: a server of an earlier release doesn't say
    lease_s: float = 0.0
    limited_tags: list[str] = []  # the current value of the field in Begun


class AskChild(Message, kw_only=True):
    """Start the run that the flow declares for this task, or find the one that the task run has started before, or that another task run of this run
    has started: `flow_run_id`. `count` is the number of the task's try: a child of which an earlier try knows that it has failed is restarted. `wait`:
    whether the task needs the child's end. `result_of` is a task of the child whose result is needed then; no child is restarted for that."""

    attempt: int
    task_slug: str
    map_index: int = -1
    count: int = 1
    parameters: dict[str, Any] = {}
    labels: list[str] | None = None
    name: str | None = None
    wait: bool = True
    flow_run_id: UUID | None = None
    result_of: str | None = None
    result_index: int = -1


class ChildResult(Answer, kw_only=True):
    """How a task run of a child has ended, and where its result is stored. No location: it has not been stored."""

    state_type: StateType
    state_name: str
    message: str = ""
    location: str | None = None
    sha256: str | None = None


class ChildAnswer(Answer, kw_only=True):
    """The child and how far it is. `over`: there is nothing to wait for. `reason` says why it has not started; `gives_back`: it may be because
    of the place or the limits that this run takes, so that the run should be handed back for a while. `results` are those of the task that was named, once the
    child is over: one, or those of a mapped task's children, of which there may be none; null: the task has not run."""

    flow_run_id: UUID
    name: str
    flow: str
    state_type: StateType
    state_name: str
    message: str = ""
    over: bool = False
    reason: str = ""
    gives_back: bool = False
    results: list[ChildResult] | None = None
    mapped: bool = False


class AwaitChildren(Message, kw_only=True):
    """Wait up to `wait_s` seconds until others have ended, of the runs that this run waits for, than when the server last answered with `mark`."""

    attempt: int
    mark: str = ""
    wait_s: float = 0.0


class EndedChildren(Answer, kw_only=True):
    ended: list[UUID] = []
    mark: str = ""  # changes whenever these do


class AskSlots(Message, kw_only=True):
    """Request a slot of every limit on the tags of a task, and wait up to `wait_s` seconds for them. Requesting slots that the task
    already has is harmless. With `release`, the slots are given back instead."""

    attempt: int
    task_slug: str
    map_index: int = -1
    tags: list[str]
    wait_s: float = 0.0
    release: bool = False


class Slots(Answer, kw_only=True):
    """If not granted, `reason` says who holds the slots; ask again after `retry_after` seconds. If that is `timed`, no other task with these
    tags can start before, whoever ends."""

    granted: bool
    reason: str = ""
    retry_after: float = 0.0
    timed: bool = False

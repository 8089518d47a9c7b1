"""The messages of the REST protocols between clients, agents, runs and the server: one definition, used by both sides.

Field names are snake_case on the wire. Times are aware. See DESIGN section 4; clients encode and send them, the server decodes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

MAX_EVENTS = 5_000
"""The most events that one report may carry; a client cuts its batches at 500."""

MAX_MESSAGE = 64 * 1024
"""The longest log or state message in characters; the client cuts longer ones and says so at the end of the text."""

LONGEST_SLOT_WAIT = 3.0
"""The longest that a task may wait for a slot in one request, in seconds."""

MAX_WAIT = 30.0
"""The longest that an agent may wait for work in one claim, in seconds."""

StateType = Literal["SCHEDULED", "PENDING", "PAUSED", "RUNNING", "CANCELLING", "SUCCESS", "FAILED", "CANCELLED"]
TERMINAL: frozenset[str] = frozenset({"SUCCESS", "FAILED", "CANCELLED"})
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class Message(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The root of requests: an unknown field is refused."""


class Answer(msgspec.Struct, kw_only=True):
    """The root of answers: a newer server may add fields."""


# --- errors ---------------------------------------------------------------------------------------------------------


class ErrorAnswer(Answer, kw_only=True):
    """Every refused request answers this. `code` is stable, for programs; `message` is one sentence, for people."""

    code: str
    message: str
    request_id: str = ""
    details: dict[str, Any] = {}


# --- registering and creating -----------------------------------------------------------------------------------------


class Registration(Message, kw_only=True):
    """What `flow.register` sends: metadata only."""

    project: str
    name: str
    content_hash: str  # hex SHA-256 of the canonical JSON of `document` and `storage`
    document: dict[str, Any]  # core.serialize.serialize(flow): tasks, edges, parameters, schedules, run_config, ...
    storage: dict[str, Any]  # {"type": "local", "path": ..., "flow": ..., "sha256": ...}
    labels: list[str] = []
    set_schedules_active: bool = True


class Registered(Answer, kw_only=True):
    flow_id: UUID
    version_id: UUID
    version: int
    created: bool  # False: the same content was registered before
    url: str  # path of the flow's page


class CreateFlowRun(Message, kw_only=True):
    """Name the flow by id, or by project and name."""

    flow_id: UUID | None = None
    project: str | None = None
    flow: str | None = None
    parameters: dict[str, Any] = {}
    name: str | None = None
    labels: list[str] | None = None
    scheduled_time: datetime | None = None
    idempotency_key: str | None = None


class ChangeFlowRun(Message, kw_only=True):
    """Cancel, pause, start or delete a run. The same idempotency key again changes nothing more; the reason is kept in the run's
    history. With `version`, the change is refused when the run is at another one."""

    reason: str = ""
    idempotency_key: str | None = None
    version: int | None = None


class RestartFlowRun(ChangeFlowRun, kw_only=True):
    """Restart a run with the code it had, or with the flow's newest version, as after the cause was mended. `from_task` (a slug)
    runs again too, with all that comes after it; `parameters` replace values that the run had."""

    newest_version: bool = False
    from_task: str | None = None
    parameters: dict[str, Any] = {}


class MarkFlowRun(ChangeFlowRun, kw_only=True):
    """Set how a run that is not live has ended, or, with `task_slug`, one of its task runs."""

    state: Literal["Success", "Failed", "Cancelled", "Skipped"]
    task_slug: str | None = None
    map_index: int = -1


class EditFlowRun(ChangeFlowRun, kw_only=True):
    """Change a run that has not started; what is left out stays."""

    name: str | None = None
    labels: list[str] | None = None
    priority: int | None = None
    scheduled_time: datetime | None = None


class ResumeFlowRun(ChangeFlowRun, kw_only=True):
    """Resume a run with all of its paused tasks, or with just this one."""

    task_slug: str | None = None
    map_index: int | None = None


class FlowRunView(Answer, kw_only=True):
    """A flow run as scripts see it."""

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


class StateView(Answer, kw_only=True):
    version: int
    attempt: int
    type: StateType
    name: str
    message: str
    at: datetime


class TaskRunView(Answer, kw_only=True):
    id: UUID
    task_slug: str
    map_index: int
    state: str
    state_type: StateType
    state_message: str
    run_count: int
    version: int
    start_time: datetime | None = None
    end_time: datetime | None = None


class LogView(Answer, kw_only=True):
    id: int
    at: datetime
    level: Level
    logger: str
    message: str
    task_slug: str | None = None
    map_index: int = -1


class Page(Answer, kw_only=True):
    """A keyset page: pass `next` back as `after` to go on; None at the end."""

    items: list[Any]
    next: str | None = None


# --- agents -------------------------------------------------------------------------------------------------------------


class Enrol(Message, kw_only=True):
    name: str
    type: Literal["process", "docker", "kubernetes"]
    labels: list[str] = []
    capacity: int = 8
    version: str = ""
    host: str = ""


class Enrolled(Answer, kw_only=True):
    agent_id: UUID
    heartbeat_interval: float
    cancel_grace: float


class Claim(Message, kw_only=True):
    """Ask for up to `free_slots` runs, waiting up to `wait_s` seconds for one to become due. `holding` names the attempts that
    this agent runs now; the answer says which of them to stop."""

    free_slots: int
    wait_s: float = 0.0
    labels: list[str] | None = None
    holding: list[Held] = []


class Held(msgspec.Struct, kw_only=True):
    flow_run_id: UUID
    attempt: int


class Work(Answer, kw_only=True):
    """One claimed attempt: all that is needed to start it."""

    flow_run_id: UUID
    attempt: int
    run_token: str
    name: str
    flow: str
    project: str
    storage: dict[str, Any]
    run_config: dict[str, Any]


class Stop(Answer, kw_only=True):
    """Stop a held attempt: because it was cancelled, or because another attempt replaced it."""

    flow_run_id: UUID
    attempt: int
    reason: str


class Claimed(Answer, kw_only=True):
    work: list[Work] = []
    stop: list[Stop] = []


class Exited(msgspec.Struct, kw_only=True):
    """A run's process has ended. `code` is its exit code, or None with `signal` when a signal ended it."""

    flow_run_id: UUID
    attempt: int
    code: int | None = None
    signal: str | None = None
    reason: str = ""  # one sentence, e.g. "The process could not be started: ..."
    tail: list[str] = []  # the last lines of its output


class InfrastructureLog(msgspec.Struct, kw_only=True):
    flow_run_id: UUID
    attempt: int
    at: datetime
    level: Level
    message: str


class AgentReport(Message, kw_only=True):
    started: list[Held] = []
    exited: list[Exited] = []
    logs: list[InfrastructureLog] = []


class AgentReported(Answer, kw_only=True):
    stale: list[Held] = []  # attempts that are no longer this agent's


# --- runs -------------------------------------------------------------------------------------------------------------------


class Begin(Message, kw_only=True):
    """May this attempt run? A go sets the run Running."""

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
    """`verdict` go: run. wait: ask again after `retry_after` seconds. refused: end without a word; `reason` says why."""

    verdict: Literal["go", "wait", "refused"]
    reason: str = ""
    retry_after: float = 0.0
    flow_run_name: str = ""
    parameters: dict[str, Any] = {}
    context: dict[str, Any] = {}
    scheduled_time: datetime | None = None
    last_seq: int = 0
    tasks: list[EarlierTask] = []
    heartbeat_interval: float = 10.0
    longest_wait: float = 600.0  # what waits for longer than these seconds hands the run back instead
    limited_tags: list[str] = []  # a task with one of these asks for a slot before it runs
    storage: dict[str, Any] = {}
    flow: str = ""
    project: str = ""
    run_config: dict[str, Any] = {}


class TaskStateEvent(msgspec.Struct, tag_field="kind", tag="task", kw_only=True, omit_defaults=True):
    """A task run reached a state."""

    slug: str
    map_index: int = -1
    type: StateType
    name: str
    message: str = ""
    data: dict[str, Any] | None = None
    at: datetime
    run_count: int = 0
    result_location: str | None = None  # empty: there is nothing to keep, the result is None
    task_run_name: str | None = None
    freed: bool = False  # the task run gives back the slots that it had asked for


class FlowStateEvent(msgspec.Struct, tag_field="kind", tag="flow", kw_only=True, omit_defaults=True):
    """The flow run reached a state; a terminal one is the last event of an attempt, and so is one by which the attempt hands
    the run back: SCHEDULED, or PAUSED, with the time to go on as `start_time` in `data`."""

    type: StateType
    name: str
    message: str = ""
    data: dict[str, Any] | None = None
    at: datetime


class LogEvent(msgspec.Struct, tag_field="kind", tag="log", kw_only=True, omit_defaults=True):
    at: datetime
    level: Level
    logger: str
    message: str
    slug: str | None = None
    map_index: int = -1


Event = TaskStateEvent | FlowStateEvent | LogEvent


class Report(Message, kw_only=True):
    """A numbered batch. `seq` is 1 for an attempt's first and grows by one; sending one again is harmless. No events: a heartbeat,
    which carries the last acknowledged `seq`."""

    attempt: int
    seq: int
    events: list[Event] = []


class Reported(Answer, kw_only=True):
    acked: int  # the highest seq that is stored
    cancel: bool = False  # the run shall stop
    lease_s: float = 0.0
    limited_tags: list[str] = []  # as in Begun, as they are now


class AskSlots(Message, kw_only=True):
    """May this task run start, under the limits of its tags? Waits for up to `wait_s` seconds for a slot under each of them.
    Asking again for slots that it has is harmless. With `release` it gives them back instead."""

    attempt: int
    task_slug: str
    map_index: int = -1
    tags: list[str]
    wait_s: float = 0.0
    release: bool = False


class Slots(Answer, kw_only=True):
    """Not granted: `reason` says who holds the slots; ask again after `retry_after` seconds."""

    granted: bool
    reason: str = ""
    retry_after: float = 0.0


# --- users ------------------------------------------------------------------------------------------------------------------


class Login(Message, kw_only=True):
    username: str
    password: str


class Setup(Message, kw_only=True):
    """Claim a new appliance with the one-time token that its first start printed."""

    token: str
    username: str = "admin"
    password: str


class Me(Answer, kw_only=True):
    username: str
    role: Literal["viewer", "operator", "admin"]
    csrf_token: str = ""
    permissions: list[str] = []


class CreateUser(Message, kw_only=True):
    username: str
    password: str
    role: Literal["viewer", "operator", "admin"] = "viewer"


class UserView(Answer, kw_only=True):
    id: UUID
    username: str
    role: str
    created: datetime
    disabled: bool


class CreateToken(Message, kw_only=True):
    """A token acts as `username` (default: the caller), never with more than that user's rights; scope `agent` only enrols and claims."""

    name: str
    scope: Literal["user", "agent"] = "user"
    username: str | None = None
    expires_at: datetime | None = None


class TokenView(Answer, kw_only=True):
    id: UUID
    name: str
    prefix: str
    scope: str
    username: str
    created: datetime
    expires_at: datetime | None = None
    last_used: datetime | None = None


class TokenCreated(Answer, kw_only=True):
    token: str  # shown once
    view: TokenView


class ServerInfo(Answer, kw_only=True):
    version: str
    api: int = 1
    site_name: str
    setup_required: bool
    server_time: datetime

"""Converts rows from `db.reads` to the protocol's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from types import SimpleNamespace
from typing import cast, get_args
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol.flow_runs import AttemptUsageView, FlowRunView
from appliance.protocol.flows import FlowDefaults
from appliance.protocol.logs import FoundLine, Level, LogView, Stream, stream_of
from appliance.protocol.message import Answer
from appliance.protocol.schedules import FieldEdit
from appliance.protocol.states import TERMINAL, StateView
from appliance.protocol.task_runs import TaskGroupStateView, TaskGroupView, TaskRunView
from appliance.protocol.tokens import TokenView
from appliance.protocol.users import SessionView, UserView
from appliance.server.db.reads import attempt_usage as read_usage
from appliance.server.db.reads import child_runs, flows, waiting
from appliance.server.db.reads import flow_runs as read_flow_runs
from appliance.server.db.reads.task_groups import GroupState, TaskGroup
from appliance.server.db.rows.agents import AgentRow
from appliance.server.db.rows.flow_runs import FlowRunRow, NewFlowRun
from appliance.server.db.rows.logs import FoundRow, LogRow
from appliance.server.db.rows.states import StateRow
from appliance.server.db.rows.task_runs import TaskRunRow
from appliance.server.db.rows.tokens import TokenRow
from appliance.server.db.rows.users import SessionRow, UserRow
from appliance.server.domain import run_configs
from appliance.server.domain.agent_states import is_draining
from appliance.server.domain.attempt_usage import AttemptUsage, typical
from appliance.server.domain.log_words import LogWords, excerpt
from appliance.server.domain.waiting import Waiting, health_of, provided_by, quarantine_end
from appliance.server.errors import Invalid


class FlowUsageView(Answer, kw_only=True):
    """What the last runs of a flow have used."""

    runs: int  # of how many it is known, among the last 50
    median_cpu_seconds: float | None
    highest_cpu_seconds: float | None
    median_peak_memory: int | None  # in bytes
    highest_peak_memory: int | None
    memory_limit: int | None  # of the newest of these runs, as its run config says


class FlowView(Answer, kw_only=True):
    id: UUID
    name: str
    project: str
    paused: bool
    archived: bool
    owner: str  # a team or an address, as the code says; empty if it names none
    created: datetime
    version: int
    parameters: list[JsonDocument]
    run_timeout: float | None  # seconds; None: a run may take as long as it needs
    run_timeout_source: str  # operator, code or site
    defaults: FlowDefaults  # what its new runs have beside what the code says
    usage: FlowUsageView | None = None  # of a single flow, not in lists; null: not known of any of its last runs


class VersionView(Answer, kw_only=True):
    id: UUID
    number: int
    restores: int | None  # the first version with the same content
    changes: list[str]  # what differs from the version before, one phrase each
    labels: list[str]
    sdk_version: str
    created: datetime
    created_by: str
    image: str | None  # the image that has its code
    image_id: str | None  # the id of the image, where it was built
    open_runs: int  # how many of its runs have not ended


class ScheduleView(Answer, kw_only=True):
    id: UUID
    flow_id: UUID
    flow: str
    project: str
    kind: str
    description: str  # the document in words
    document: JsonDocument
    timezone: str
    parameters: Parameters
    labels: list[str]
    run_config: JsonDocument  # over that of the flow; without the values of variables
    active: bool
    origin: str  # code, ui
    edits: list[FieldEdit]  # what operators have changed of what code declares
    version: int
    catch_up: str
    catch_up_cap: int
    catch_up_window: float | None
    overlap: str
    next_times: list[datetime]


class AgentView(Answer, kw_only=True):
    id: UUID
    name: str
    type: str
    labels: list[str]
    projects: list[str]  # those whose runs it takes; empty: all
    capacity: int
    version: str
    host: str
    roots: list[str] | None  # the folders from which it takes code; null: it doesn't say
    env_names: list[str] | None  # patterns of the variables that registrations may set; null: it doesn't say
    storages: list[str] | None  # those from which it takes code; null: it is of an earlier release, and knows local
    problems: list[str]  # what it found wrong when it started, one sentence each
    results_url: str | None  # where its runs store results by default; empty: nowhere; null: it doesn't say
    users: list[str] | None  # the accounts as which it starts runs that name one; null: it doesn't say
    pythons: (
        list[str] | None
    )  # the versions and paths for which runs may ask; empty: it makes no environments; null: it doesn't say
    health: str  # online, draining, quarantined or offline
    quarantined_until: (
        datetime | None
    )  # it takes no runs before, because starts have failed there in a row; `problems` says why
    draining: bool  # it gets no runs until somebody resumes it, be it online or not
    last_seen: datetime
    created: datetime  # when it enrolled for the first time
    running: int


_NOT_YET = dict.fromkeys(("start_time", "end_time", "cpu_seconds", "peak_memory"))


def flow_runs(session: Session, rows: Sequence[FlowRunRow]) -> list[FlowRunView]:
    """Runs with the names of their flows and projects, and their wait reasons."""
    names = flows.names(session, {row.flow_id for row in rows})
    reasons = waiting.reasons(session, rows, clock.now())
    parents = child_runs.names(session, {row.parent_flow_run_id for row in rows if row.parent_flow_run_id is not None})
    items = [_flow_run(row, *names[row.flow_id], reasons.get(row.id)) for row in rows if row.flow_id in names]
    for view in items:
        view.parent_flow_run = parents.get(view.parent_flow_run_id) if view.parent_flow_run_id is not None else None
    return items


def new_flow_run(row: NewFlowRun, flow: str, project: str, warnings: list[str]) -> FlowRunView:
    """A run that was just stored, without its wait reason: finding that would cost more than creating the run."""
    view = _flow_run(cast(FlowRunRow, SimpleNamespace(**row, **_NOT_YET)), flow, project, None)
    view.warnings = warnings
    return started(view, row["run_config"], row["overrides"])


def started(view: FlowRunView, run_config: JsonDocument, overrides: JsonDocument | None) -> FlowRunView:
    """The run, with how it is started and who said each part."""
    view.run_config = run_configs.for_people(run_config)
    view.origins = run_configs.with_labels(run_config, overrides)
    return view


def _flow_run(row: FlowRunRow, flow: str, project: str, why: Waiting | None) -> FlowRunView:
    return FlowRunView(
        id=row.id,
        name=row.name,
        flow_id=row.flow_id,
        flow=flow,
        project=project,
        state=row.state_name,
        state_type=row.state_type,
        state_message=row.state_message,
        parameters=row.parameters,
        labels=row.labels,
        priority=row.priority,
        version=row.version,
        attempt=row.attempt,
        created=row.created,
        scheduled_time=row.scheduled_time,
        start_time=row.start_time,
        end_time=row.end_time,
        wait_code=None if why is None else why.code,
        wait_reason=None if why is None else why.sentence,
        cpu_seconds=row.cpu_seconds,
        peak_memory=row.peak_memory,
        parent_flow_run_id=row.parent_flow_run_id,
        parent_task_slug=row.parent_task_slug,
        parent_map_index=row.parent_map_index,
    )


def attempt_usage(used: AttemptUsage) -> AttemptUsageView:
    return AttemptUsageView(attempt=used.attempt, cpu_seconds=used.cpu_seconds, peak_memory=used.peak_memory)


def state(row: StateRow) -> StateView:
    return StateView(
        version=row.version, attempt=row.attempt, type=row.type, name=row.name, message=row.message, at=row.at
    )


def task_run(row: TaskRunRow, child: UUID | None = None) -> TaskRunView:
    return TaskRunView(
        id=row.id,
        task_slug=row.task_slug,
        map_index=row.map_index,
        state=row.state_name,
        state_type=row.state_type,
        state_message=row.state_message,
        run_count=row.run_count,
        version=row.version,
        start_time=row.start_time,
        end_time=row.end_time,
        child_flow_run_id=child,
    )


def task_group(group: TaskGroup) -> TaskGroupView:
    states = [_group_state(state) for state in group.states]
    if not states and group.own is not None:
        states = [_own_state(group.own)]
    starts = [state.start_time for state in states if state.start_time is not None]
    ends = [state.end_time for state in states if state.end_time is not None]
    return TaskGroupView(
        task_slug=group.task_slug,
        mapped=bool(group.states),
        count=sum(state.count for state in states),
        states=states,
        start_time=min(starts, default=None),
        end_time=max(ends, default=None),
    )


def _group_state(state: GroupState) -> TaskGroupStateView:
    numbers = state.numbers
    return TaskGroupStateView(
        state=numbers.state_name,
        state_type=numbers.state_type,
        count=numbers.number,
        first_map_index=numbers.lowest,
        first_message="" if state.first is None else state.first.state_message,
        start_time=numbers.first_start,
        end_time=numbers.last_end if numbers.state_type in TERMINAL else None,
    )


def _own_state(row: TaskRunRow) -> TaskGroupStateView:
    is_over = row.start_time is not None and row.state_type in TERMINAL
    return TaskGroupStateView(
        state=row.state_name,
        state_type=row.state_type,
        count=1,
        first_map_index=row.map_index,
        first_message=row.state_message,
        start_time=row.start_time,
        end_time=(row.end_time or row.state_at) if is_over else None,
    )


def log(row: LogRow) -> LogView:
    return LogView(
        id=row.id,
        at=row.at,
        level=level_name(row.level),
        logger=row.logger,
        message=row.message,
        stream=stream_of(row.logger),
        task_slug=row.task_slug,
        map_index=row.map_index,
    )


def found_line(row: FoundRow, words: LogWords) -> FoundLine:
    return FoundLine(
        id=row.id,
        at=row.at,
        level=level_name(row.level),
        logger=row.logger,
        message=excerpt(row.message, words),
        stream=stream_of(row.logger),
        task_slug=row.task_slug,
        map_index=row.map_index,
        flow_run_id=row.flow_run_id,
        run_name=row.run_name,
        flow=row.flow,
        project=row.project,
    )


def user(row: UserRow) -> UserView:
    return UserView(
        id=row.id,
        username=row.username,
        role=row.role,
        created=row.created,
        disabled=row.disabled,
        must_change_password=row.must_change_password,
    )


def session(row: SessionRow, current: UUID | None) -> SessionView:
    return SessionView(
        id=row.id,
        created=row.created,
        last_used=row.last_used,
        expires_at=row.expires_at,
        current=row.id == current,
        browser=row.browser,
        address=row.address,
    )


def token(row: TokenRow) -> TokenView:
    return TokenView(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scope=row.scope,
        username=row.username,
        created=row.created,
        expires_at=row.expires_at,
        last_used=row.last_used,
        agent=row.bound_name,
    )


def agents(session: Session, rows: Sequence[AgentRow], now: datetime) -> list[AgentView]:
    """Agents with the numbers of their runs."""
    running = read_flow_runs.live_counts_of_agents(session, [row.id for row in rows])
    return [_agent(row, running.get(row.id, 0), now) for row in rows]


def _agent(row: AgentRow, running: int, now: datetime) -> AgentView:
    provided = provided_by(row)
    return AgentView(
        id=row.id,
        name=row.name,
        type=row.type,
        labels=row.labels,
        projects=row.projects or [],
        capacity=row.capacity,
        version=row.version,
        host=row.host,
        roots=row.roots,
        env_names=row.env_names,
        storages=row.storages,
        problems=row.problems or [],
        results_url=row.results_url,
        users=None if provided is None else provided.users,
        pythons=None if provided is None else provided.pythons,
        health=health_of(row, now),
        quarantined_until=quarantine_end(provided, now),
        draining=is_draining(row.state),
        last_seen=row.last_seen,
        created=row.created,
        running=running,
    )


def flow_usage(session: Session, flow_id: UUID, now: datetime) -> FlowUsageView | None:
    used = typical(read_usage.latest(session, flow_id, now))
    return None if used is None else FlowUsageView(**asdict(used))


_LEVELS: tuple[tuple[int, Level], ...] = (
    (50, "CRITICAL"),
    (40, "ERROR"),
    (30, "WARNING"),
    (20, "INFO"),
)


def level_name(number: int) -> Level:
    return next((name for least, name in _LEVELS if number >= least), "DEBUG")


def stream(name: str | None) -> Stream | None:
    """A stream by its name. Raises Invalid for an unknown name."""
    if name is None or name in get_args(Stream):
        return cast(Stream | None, name)
    raise Invalid("The parameter stream must be stdout or stderr.")


def level_number(name: str | None) -> int | None:
    """The number of a level by its name. Raises Invalid for an unknown name."""
    if name is None:
        return None
    numbers: dict[str, int] = {"DEBUG": 10, **{level: number for number, level in _LEVELS}}
    if name.upper() not in numbers:
        raise Invalid("The parameter level must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    return numbers[name.upper()]


def flow_defaults(overrides: JsonDocument) -> FlowDefaults:
    return FlowDefaults(
        parameters=overrides.get("parameters") or {},
        labels=overrides.get("labels"),
        run_config=run_configs.for_people(overrides.get("run_config")),
    )

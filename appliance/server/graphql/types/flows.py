"""Flows and their runs in GraphQL: a flow refers to its runs, and a run to its flow."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import strawberry

from appliance.protocol.states import TERMINAL
from appliance.server.actions import warnings
from appliance.server.db.reads import attempt_usage, states
from appliance.server.db.reads import flows as read_flows
from appliance.server.db.reads.run_lists import RunList
from appliance.server.db.reads.task_runs import Recorded
from appliance.server.db.reads.waiting import run_facts
from appliance.server.db.reads.waiting_runs import WaitingRuns
from appliance.server.db.rows.flow_runs import FlowRunRow, RunSummary
from appliance.server.db.rows.flows import FlowRow
from appliance.server.domain.attempt_usage import memory_limit, typical
from appliance.server.domain.run_timeouts import RunTimeout, run_timeout
from appliance.server.domain.waiting import WAITING, Waiting, why
from appliance.server.errors import Invalid
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import described, selects_only
from appliance.server.graphql.scalars import JSON, BigInt
from appliance.server.graphql.types.agents import Agent, agent
from appliance.server.graphql.types.flow_runs import (
    AttemptUsage,
    Cause,
    FlowUsage,
    ParentRun,
    State,
    StateRecord,
    Strip,
    TaskCounts,
    WaitHolder,
    cause_of,
    parent_run,
    state,
    strip,
    task_counts_of,
)
from appliance.server.graphql.types.flow_versions import FlowVersion, VersionEntry, entry, version
from appliance.server.graphql.types.projects import Project, project
from appliance.server.graphql.types.run_configs import FlowDefaults, RunConfig, flow_defaults, run_config
from appliance.server.graphql.types.schedules import BRIEF_SCHEDULE, Schedule, brief_schedules, schedule

MOST_RECENT = 50
_MOST_HOLDERS = 50
_SUMMARY = list(RunSummary.__annotations__)
_Brief: Any = cast(Any, namedtuple)("_Brief", [*_SUMMARY, "state"])
_BriefState: Any = namedtuple("_BriefState", ["type", "name", "message", "data", "at", "version"])
_STATE = slice(_SUMMARY.index("state_type"), _SUMMARY.index("version") + 1)
"""Where the columns of the state are in a summary, in this order."""
BRIEF = frozenset({"__typename", "id", "name", "state", "scheduledTime", "startTime", "endTime", "attempt"})
"""The fields that lists of recent runs select. If a query selects no others, the rows are read without their documents."""


@strawberry.type(description="A flow, identified by its project and name. Its versions contain what was registered.")
class Flow:
    row: strawberry.Private[FlowRow]
    id: UUID
    name: str
    paused: bool
    archived: bool
    created: datetime
    owner: str = strawberry.field(description="A team or an address, as the code says. Empty if it names none.")

    @strawberry.field
    def project(self, info: Info) -> Project:
        return info.context.once(project, info.context.loaders.project.load_existing(self.row.project_id))

    @described("The latest version.")
    def version(self, info: Info) -> FlowVersion:
        return version(info.context.loaders.newest_version.load_existing(self.id))

    @described("Its versions, newest first; at most 50.")
    def versions(self, info: Info, first: int | None = 10) -> list[VersionEntry]:
        return [entry(row) for row in read_flows.version_page(info.context.session(), self.id, _number(first)).rows]

    @described("How many seconds a run may take; one that takes longer ends as TimedOut. Null if there is no limit.")
    def run_timeout(self, info: Info) -> float | None:
        return self._run_timeout(info).seconds

    @described("Who decided the run timeout: operator, code or site.")
    def run_timeout_source(self, info: Info) -> str:
        return self._run_timeout(info).source

    def _run_timeout(self, info: Info) -> RunTimeout:
        newest = info.context.loaders.newest_version.load(self.id)
        default = info.context.database.rules.run_timeout
        return run_timeout(self.row.settings, {} if newest is None else newest.run_config, default)

    @described("What its new runs have beside what the code says.")
    def defaults(self) -> FlowDefaults:
        return flow_defaults(self.row.overrides)

    @described("What new runs will wait for, or fail for, as things are now: one sentence each.")
    def warnings(self, info: Info) -> list[str]:
        newest = info.context.loaders.newest_version.load(self.id)
        if newest is None:
            return []
        return warnings.of_version(info.context.session(), self.row, newest, info.context.loaders.agents_alone())

    @strawberry.field
    def schedules(self, info: Info) -> list[Schedule]:
        loaders = info.context.loaders
        if selects_only(info, BRIEF_SCHEDULE):
            return brief_schedules(loaders.schedule_summaries.load(self.id) or [])
        return [schedule(row) for row in loaders.schedules.load(self.id) or []]

    @described("Recent runs, newest first, without runs that are scheduled for later.")
    def recent_runs(self, info: Info, first: int | None = 10) -> list[FlowRun]:
        loaders, number = info.context.loaders, _number(first)
        if selects_only(info, BRIEF):
            return brief_runs(info.context.whole(loaders.recent_summaries(self.id, number)))
        return [flow_run(row) for row in info.context.whole(loaders.recent_runs(self.id, number))]

    @described("The same runs, in columns.")
    def strip(self, info: Info, first: int | None = 10) -> Strip:
        return strip(info.context.whole(info.context.loaders.strip(self.id, _number(first))))

    @described("What its last runs have used. Null if that is not known of any.")
    def usage(self, info: Info) -> FlowUsage | None:
        used = typical(attempt_usage.latest(info.context.session(), self.id, info.context.now))
        return None if used is None else FlowUsage(**asdict(used))

    @described("The next scheduled run.")
    def next_run(self, info: Info) -> FlowRun | None:
        row = info.context.loaders.next_run.load(self.id)
        return None if row is None or not info.context.whole([row]) else flow_run(row)


@strawberry.type
class FlowPage:
    items: list[Flow]
    next: str | None


@strawberry.type(description="One execution of a flow.")
class FlowRun:
    row: strawberry.Private[FlowRunRow]
    id: UUID
    name: str
    parameters: JSON
    labels: list[str]
    created: datetime
    created_by: str
    trigger: str
    scheduled_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    attempt: int
    state: State
    cpu_seconds: float | None = strawberry.field(
        description="Of all attempts that have ended. Null if no agent has measured it."
    )
    peak_memory: BigInt | None = strawberry.field(description="In bytes, the highest of all attempts.")

    @strawberry.field
    def flow(self, info: Info) -> Flow:
        return info.context.once(flow, info.context.loaders.flow.load_existing(self.row.flow_id))

    @strawberry.field
    def version(self, info: Info) -> FlowVersion:
        return info.context.once(version, info.context.loaders.version.load_existing(self.row.flow_version_id))

    @strawberry.field
    def agent(self, info: Info) -> Agent | None:
        row = None if self.row.agent_id is None else info.context.loaders.agent.load(self.row.agent_id)
        return None if row is None else info.context.once(agent, row, info.context)

    @described("How the run is started, and who said each part. Null if that is damaged.")
    def run_config(self, info: Info) -> RunConfig | None:
        start = info.context.loaders.run_start.load(self.id)
        return None if start is None else run_config(start)

    @described("The most memory that its run config lets it have, in bytes. Its agent may have a limit of its own.")
    def memory_limit(self, info: Info) -> BigInt | None:
        start = info.context.loaders.run_start.load(self.id)
        return None if start is None else memory_limit(start.run_config)

    @described("The attempts whose usage is known, oldest first; at most 100.")
    def attempts(self, info: Info) -> list[AttemptUsage]:
        used = info.context.loaders.attempt_usage.load(self.id) or []
        return [AttemptUsage(attempt=a.attempt, cpu_seconds=a.cpu_seconds, peak_memory=a.peak_memory) for a in used]

    @described("Why the run has not started, in one sentence.")
    def wait_reason(self, info: Info) -> str | None:
        waiting = self._waiting(info)
        return None if waiting is None else waiting.sentence

    @described("The wait reason as a stable code: not_due, limit, no_label, ...")
    def wait_code(self, info: Info) -> str | None:
        waiting = self._waiting(info)
        return None if waiting is None else waiting.code

    @described("The runs that this run is waiting for, longest-running first; at most 50.")
    def wait_holders(self, info: Info) -> list[WaitHolder]:
        waiting = self._waiting(info)
        holders = () if waiting is None else waiting.holders[:_MOST_HOLDERS]
        return [WaitHolder(id=holder.id, name=holder.name) for holder in holders]

    def _waiting(self, info: Info) -> Waiting | None:
        row, loaders = self.row, info.context.loaders
        if row.state_type not in WAITING:
            return None
        facts = run_facts(row, loaders.flow.load_existing(row.flow_id), loaders.run_start.load(row.id))
        return why(facts, loaders.situation())

    @described("The run whose task has started this one.")
    def parent(self, info: Info) -> ParentRun | None:
        row = self.row
        name = None if row.parent_flow_run_id is None else info.context.loaders.parent_name.load(row.parent_flow_run_id)
        return None if name is None else parent_run(row, name)

    @described("How many runs its tasks have started. Their list has the filter `parent`.")
    def children(self, info: Info) -> TaskCounts:
        return task_counts_of(info.context.loaders.children.load(self.id) or {}, 0)

    @described("Why the run failed. Null unless it did.")
    def cause(self, info: Info) -> Cause | None:
        return cause_of(self.row, info) if self.row.state_type == "FAILED" else None

    @described("The run's history, oldest first.")
    def states(self, info: Info) -> list[StateRecord]:
        return [
            StateRecord(
                version=row.version,
                attempt=row.attempt,
                type=row.type,
                name=row.name,
                message=row.message,
                at=row.at,
                actor=row.actor,
            )
            for row in states.of_flow_run(info.context.session(), self.id)
        ]

    @described("The recorded task runs. Until the run has finished, also its future task runs, counted as waiting.")
    def task_counts(self, info: Info) -> TaskCounts:
        loaders, row = info.context.loaders, self.row
        recorded = loaders.task_counts.load(self.id) or Recorded()
        tasks = 0 if row.state_type in TERMINAL else loaders.graph_tasks.load(row.flow_version_id) or 0
        return task_counts_of(recorded.by_type, max(0, tasks - recorded.tasks))

    @described("Log lines at ERROR or above.")
    def error_count(self, info: Info) -> int:
        return (info.context.loaders.log_counts.load(self.id) or (0, 0))[1]

    @strawberry.field
    def log_count(self, info: Info) -> int:
        return (info.context.loaders.log_counts.load(self.id) or (0, 0))[0]


@strawberry.type
class FlowRunPage:
    runs: strawberry.Private[RunList | WaitingRuns]
    items: list[FlowRun]
    next: str | None

    @strawberry.field
    def total(self) -> int:
        return self.runs.count().total

    @strawberry.field
    def total_capped(self) -> bool:
        return self.runs.count().capped


def _number(first: int | None) -> int:
    if first is not None and not 1 <= first <= MOST_RECENT:
        raise Invalid(f"The argument first must be between 1 and {MOST_RECENT} here.")
    return first or 10


def flow_run(row: FlowRunRow) -> FlowRun:
    return FlowRun(
        row=row,
        id=row.id,
        name=row.name,
        parameters=row.parameters,
        labels=row.labels,
        created=row.created,
        created_by=row.created_by,
        trigger="schedule" if row.schedule_id is not None else row.created_by,
        scheduled_time=row.scheduled_time,
        start_time=row.start_time,
        end_time=row.end_time,
        attempt=row.attempt,
        state=state(row),
        cpu_seconds=row.cpu_seconds,
        peak_memory=row.peak_memory,
    )


def brief_runs(rows: Sequence[RunSummary]) -> list[FlowRun]:
    """Runs of which only fields in BRIEF are selected: they have no others. A page of flows has more than a thousand."""
    new = tuple.__new__
    return [new(_Brief, (*row, new(_BriefState, row[_STATE]))) for row in cast(Sequence[tuple[Any, ...]], rows)]


def flow(row: FlowRow) -> Flow:
    return Flow(
        row=row,
        id=row.id,
        name=row.name,
        paused=row.paused,
        archived=row.archived,
        created=row.created,
        owner=row.owner,
    )

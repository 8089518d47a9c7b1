"""Batched reads for one request, so that a list queries the database once per noun and not once per row.

When rows are read, the keys that their fields may need are recorded as pending; the first field that needs one loads it for
all rows. Everything runs in one thread, in one session.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.states import TERMINAL
from appliance.server.db.reads import (
    agent_runs,
    agents,
    attempt_usage,
    child_runs,
    flow_runs,
    flows,
    known_failures,
    logs,
    projects,
    run_configs,
    schedules,
    task_runs,
    usage,
    waiting,
)
from appliance.server.db.rows.agents import AgentHolding, AgentRow
from appliance.server.db.rows.flow_runs import FlowRunRow, RunStart, RunSummary, StripRun
from appliance.server.db.rows.flows import FlowRow, FlowVersionRow
from appliance.server.db.rows.known_failures import KnownFailureRow
from appliance.server.db.rows.projects import ProjectRow
from appliance.server.db.rows.schedules import LeftOut, ScheduleRow, ScheduleSummary
from appliance.server.db.rows.task_runs import FailedTaskRun, TaskStateRow
from appliance.server.db.rows.usage import Stored
from appliance.server.domain.attempt_usage import AttemptUsage
from appliance.server.domain.failures import is_known_at
from appliance.server.domain.waiting import WAITING, Situation
from appliance.server.errors import DamagedRow


class Lost(DamagedRow):
    """Rows that others refer to are damaged."""

    def __init__(self, keys: set[Any]) -> None:
        super().__init__(
            "A row of the database that this needs holds a damaged value; `appliance doctor rows` says which."
        )
        self.keys = keys


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


class _OfFlow(Protocol):
    @property
    def flow_id(self) -> UUID: ...


A = TypeVar("A")
R = TypeVar("R", bound=_Identified)
F = TypeVar("F", bound=_OfFlow)


class Batch(Generic[K, V]):
    """Values by key, fetched for all pending keys at once."""

    def __init__(self, fetch: Callable[[Collection[K]], Mapping[K, V]]) -> None:
        self._fetch = fetch
        self._pending: list[Collection[K]] = []
        self._values: dict[K, V | None] = {}

    def want(self, keys: Collection[K]) -> None:
        """Fetch these keys, too, when one is loaded. They are best a set, which knows their hashes: a UUID takes long to hash."""
        self._pending.append(keys)

    def load(self, key: K) -> V | None:
        try:
            return self._values[key]
        except KeyError:
            keys = {key}.union(*self._pending).difference(self._values)
            self._pending.clear()
        # before anything is stored: if it fails, it fails for the next caller, too, instead of returning nothing
        fetched = self._fetch(keys)
        self._values.update(dict.fromkeys(keys))
        self._values.update(fetched)
        return self._values[key]

    def load_existing(self, key: K) -> V:
        """The value of a key that a foreign key guarantees to exist."""
        value = self.load(key)
        if value is None:  # it is damaged
            raise Lost({each for each, stored in self._values.items() if stored is None})
        return value


class Loaders:
    """All batches of one request."""

    def __init__(self, session: Callable[[], Session], now: datetime) -> None:
        self._session, self._now = session, now
        self.flow: Batch[UUID, FlowRow] = Batch(self._flows)
        self.project: Batch[UUID, ProjectRow] = Batch(lambda ids: by_id(projects.by_ids(session(), ids)))
        self.flow_count: Batch[UUID, int] = Batch(lambda ids: projects.flow_counts(session(), ids))
        self.usage: Batch[UUID, Stored] = Batch(lambda ids: usage.stored(session(), ids))
        self.version: Batch[UUID, FlowVersionRow] = Batch(lambda ids: by_id(flows.versions(session(), ids)))
        self.newest_version: Batch[UUID, FlowVersionRow] = Batch(self._newest_versions)
        self.schedule_summaries: Batch[UUID, list[ScheduleSummary]] = Batch(
            lambda ids: by_flow(schedules.summaries_of_flows(session(), ids))
        )
        self.schedules: Batch[UUID, list[ScheduleRow]] = Batch(self._schedules)
        self.left_out: Batch[UUID, dict[datetime, LeftOut]] = Batch(lambda ids: schedules.left_out(session(), ids, now))
        self.next_run: Batch[UUID, FlowRunRow] = Batch(self._next_runs)
        self.agent: Batch[UUID, AgentRow] = Batch(lambda ids: by_id(agents.by_ids(session(), ids)))
        self.agent_running: Batch[UUID, int] = Batch(lambda ids: flow_runs.live_counts_of_agents(session(), ids))
        self.agent_held: Batch[UUID, list[AgentHolding]] = Batch(lambda ids: agent_runs.held(session(), ids))
        self.task_counts: Batch[UUID, task_runs.Recorded] = Batch(lambda ids: task_runs.counts(session(), ids))
        self.graph_tasks: Batch[UUID, int] = Batch(lambda ids: flows.task_numbers(session(), ids))
        self.log_counts: Batch[UUID, tuple[int, int]] = Batch(lambda ids: logs.counts(session(), ids))
        self.failures: Batch[UUID, FailedTaskRun] = Batch(lambda ids: task_runs.first_failures(session(), ids))
        self.first_error: Batch[UUID, int] = Batch(lambda ids: logs.first_errors(session(), ids))
        self.last_success: Batch[UUID, datetime] = Batch(lambda ids: flow_runs.last_successes(session(), ids))
        self.known_failures: Batch[UUID, dict[tuple[str, str], KnownFailureRow]] = Batch(self._known_failures)
        self.run_start: Batch[UUID, RunStart] = Batch(lambda ids: run_configs.starts(session(), ids))
        self.attempt_usage: Batch[UUID, list[AttemptUsage]] = Batch(
            lambda ids: attempt_usage.of_attempts(session(), ids)
        )
        self.parent_name: Batch[UUID, str] = Batch(lambda ids: child_runs.names(session(), ids))
        self.children: Batch[UUID, dict[str, int]] = Batch(lambda ids: child_runs.counts(session(), ids))
        self.child_of: Batch[child_runs.Key, UUID] = Batch(lambda keys: child_runs.of_tasks(session(), keys))
        self.history: Batch[UUID, list[TaskStateRow]] = Batch(lambda ids: task_runs.histories(session(), ids))
        self._recent: dict[int, Batch[UUID, list[FlowRunRow]]] = {}
        self._summaries: dict[int, Batch[UUID, list[RunSummary]]] = {}
        self._strips: dict[int, Batch[UUID, list[StripRun]]] = {}
        self._flow_ids: set[UUID] = set()
        self._situation: Situation | None = None
        self._agents_alone: Situation | None = None

    def forget(self) -> None:
        """Release everything that was read. The batches and this object refer to each other, so without this the rows of a large response
        would stay until the garbage collector runs, which then takes as long as the response itself."""
        vars(self).clear()

    def recent_runs(self, flow_id: UUID, number: int) -> list[FlowRunRow]:
        """The flow's newest runs."""
        if number not in self._recent:
            batch = self._recent[number] = Batch(lambda ids: self._recent_of(ids, number))
            batch.want(self._flow_ids)
        return self._recent[number].load(flow_id) or []

    def recent_summaries(self, flow_id: UUID, number: int) -> list[RunSummary]:
        """The flow's newest runs, with only the columns that a brief line displays."""
        if number not in self._summaries:
            batch = self._summaries[number] = Batch(lambda ids: self._summaries_of(ids, number))
            batch.want(self._flow_ids)
        return self._summaries[number].load(flow_id) or []

    def strip(self, flow_id: UUID, number: int) -> list[StripRun]:
        """The flow's newest runs, with only the columns that a strip of runs displays."""
        if number not in self._strips:
            batch = self._strips[number] = Batch(lambda ids: self._strips_of(ids, number))
            batch.want(self._flow_ids)
        return self._strips[number].load(flow_id) or []

    def see_runs(self, rows: Sequence[FlowRunRow]) -> None:
        """Record the keys that the fields of these runs may need."""
        ids = {row.id for row in rows}
        self.flow.want({row.flow_id for row in rows})
        failing = {row.flow_id for row in rows if row.state_type == "FAILED"}
        self.last_success.want(failing)
        self.known_failures.want(failing)
        self.version.want({row.flow_version_id for row in rows})
        self.agent.want({row.agent_id for row in rows if row.agent_id is not None})
        self.task_counts.want(ids)
        self.graph_tasks.want({row.flow_version_id for row in rows if row.state_type not in TERMINAL})
        self.log_counts.want(ids)
        self.children.want(ids)
        self.parent_name.want({row.parent_flow_run_id for row in rows if row.parent_flow_run_id is not None})
        self.attempt_usage.want(ids)
        self.run_start.want({row.id for row in rows if row.state_type in WAITING})
        failed = {row.id for row in rows if row.state_type == "FAILED"}
        self.failures.want(failed)
        self.first_error.want(failed)

    def see_flows(self, rows: Sequence[FlowRow]) -> None:
        """Record the keys that the fields of these flows may need."""
        ids = {row.id for row in rows}
        self._flow_ids |= ids
        for runs in self._recent.values():
            runs.want(ids)
        for summaries in self._summaries.values():
            summaries.want(ids)
        for strips in self._strips.values():
            strips.want(ids)
        self.project.want({row.project_id for row in rows})
        self.newest_version.want(ids)
        self.schedules.want(ids)
        self.schedule_summaries.want(ids)
        self.next_run.want(ids)

    def situation(self) -> Situation:
        """The facts that determine why runs wait."""
        if self._situation is None:
            self._situation = waiting.situation(self._session(), self._now)
        return self._situation

    def agents_alone(self) -> Situation:
        """The facts that determine who would take a run."""
        if self._agents_alone is None:
            self._agents_alone = waiting.agent_facts(self._session(), self._now)
        return self._agents_alone

    def _flows(self, ids: Collection[UUID]) -> dict[UUID, FlowRow]:
        rows = flows.by_ids(self._session(), ids)
        self.see_flows(rows)
        return by_id(rows)

    def _newest_versions(self, ids: Collection[UUID]) -> dict[UUID, FlowVersionRow]:
        return {row.flow_id: row for row in flows.newest_versions(self._session(), ids)}

    def _schedules(self, ids: Collection[UUID]) -> dict[UUID, list[ScheduleRow]]:
        rows = schedules.of_flows(self._session(), ids)
        self.left_out.want({row.id for row in rows})
        return by_flow(rows)

    def _next_runs(self, ids: Collection[UUID]) -> dict[UUID, FlowRunRow]:
        rows = flow_runs.next_of_flows(self._session(), ids, self._now)
        self.see_runs(rows)
        return {row.flow_id: row for row in rows}

    def _known_failures(self, flow_ids: Collection[UUID]) -> dict[UUID, dict[tuple[str, str], KnownFailureRow]]:
        """What is known of each flow now, by task and fingerprint."""
        known: dict[UUID, dict[tuple[str, str], KnownFailureRow]] = {}
        for row in known_failures.open_of_flows(self._session(), flow_ids):
            if is_known_at(row.until, self._now):
                known.setdefault(row.flow_id, {})[row.task_slug, row.fingerprint] = row
        return known

    def _recent_of(self, ids: Collection[UUID], number: int) -> dict[UUID, list[FlowRunRow]]:
        runs = flow_runs.recent_of_flows(self._session(), ids, number, self._now)
        self.see_runs([row for rows in runs.values() for row in rows])
        return runs

    def _summaries_of(self, ids: Collection[UUID], number: int) -> dict[UUID, list[RunSummary]]:
        return flow_runs.recent_summaries_of_flows(self._session(), ids, number, self._now)

    def _strips_of(self, ids: Collection[UUID], number: int) -> dict[UUID, list[StripRun]]:
        return flow_runs.strips_of_flows(self._session(), ids, number, self._now)


def by_id(rows: Iterable[R]) -> dict[UUID, R]:
    """Rows by id."""
    return {row.id: row for row in rows}


def by_flow(rows: Iterable[F]) -> dict[UUID, list[F]]:
    """Rows by flow, in their original order."""
    groups: dict[UUID, list[F]] = {}
    for row in rows:
        groups.setdefault(row.flow_id, []).append(row)
    return groups

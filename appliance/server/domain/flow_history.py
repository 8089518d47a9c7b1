"""What past runs say of a flow: typical durations, causes of failures, and the tasks that decide how long it takes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from appliance.protocol.flow_history import FailureCause, PastRun, TaskFigures
from appliance.protocol.states import TERMINAL, StateType
from appliance.server.domain.failures import Failure
from appliance.server.domain.transitions import FAILED, SUCCESS

MOST_STORED = 60_000
"""Rows of states and task runs that runs may have stored together, so that their task runs are looked at."""
_NOT_RUN = frozenset({"Cached", "Skipped", "TriggerFailed"})


class StoredRun(Protocol):
    """A run, and how much it has stored."""

    @property
    def stored_rows(self) -> int: ...


class TaskSpan(Protocol):
    """When a task run was under way, and how it ended."""

    @property
    def flow_run_id(self) -> UUID: ...
    @property
    def task_slug(self) -> str: ...
    @property
    def map_index(self) -> int: ...
    @property
    def state_type(self) -> str: ...
    @property
    def state_name(self) -> str: ...
    @property
    def run_count(self) -> int: ...
    @property
    def start_time(self) -> datetime | None: ...
    @property
    def end_time(self) -> datetime | None: ...


R = TypeVar("R", bound=StoredRun)
S = TypeVar("S", bound=TaskSpan)


@dataclass(frozen=True)
class FailedRun:
    """A run that failed, when, and why."""

    id: UUID
    at: datetime
    failure: Failure


def successful(runs: Iterable[PastRun]) -> list[float]:
    """How many seconds each of these runs that succeeded took."""
    return [run.seconds for run in runs if run.state_type == SUCCESS and run.seconds is not None]


def is_over(state_type: StateType) -> bool:
    """Whether the tasks of a run in a state of this type count: it has ended."""
    return state_type in TERMINAL


def affordable(runs: Iterable[R], most: int = MOST_STORED) -> list[R]:
    """The runs whose task runs may be read: the newest that have stored so much together at most. Larger ones are passed over."""
    chosen, stored = [], 0
    for run in runs:
        if stored + run.stored_rows <= most:
            chosen.append(run)
            stored += run.stored_rows
    return chosen


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least this share of them does not exceed; None of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def ranked(failed: Sequence[FailedRun], known: frozenset[tuple[str, str]]) -> list[FailureCause]:
    """The causes of these runs, of which the newest is the first: the most frequent first, and of equals the latest. `known` are tasks and
    fingerprints."""
    causes: dict[tuple[str, str], list[FailedRun]] = defaultdict(list)
    for run in failed:
        causes[run.failure.task_slug, run.failure.fingerprint].append(run)
    ranking = [
        FailureCause(
            task_slug=cause[0], fingerprint=cause[1], message=runs[0].failure.message, runs=len(runs),
            first_run_id=runs[-1].id, first_at=runs[-1].at, last_run_id=runs[0].id, last_at=runs[0].at,
            known=cause in known,
        )
        for cause, runs in causes.items()
    ]  # fmt: skip
    return sorted(ranking, key=lambda cause: cause.runs, reverse=True)


def critical_path(spans: Mapping[str, tuple[float, float]], edges: Iterable[tuple[str, str]]) -> dict[str, float]:
    """How many seconds each task on a run's critical path took. `spans` are the start and the end of each task.

    The path is walked back from the task that ended last, each time to the upstream task that ended last. What counts is the time from the end of
    this upstream task, or from the task's own start if that was later, to the task's end. So no moment counts twice, and the time between two
    tasks, in which neither works, doesn't count.
    """
    upstreams: dict[str, list[str]] = defaultdict(list)
    for upstream, downstream in edges:
        if upstream in spans:
            upstreams[downstream].append(upstream)
    path: dict[str, float] = {}
    at: str | None = max(spans, key=lambda slug: spans[slug][1], default=None)
    while at is not None and at not in path:
        before = max(upstreams[at], key=lambda slug: spans[slug][1], default=None)
        start, end = spans[at]
        path[at] = max(0.0, end - (start if before is None else max(start, spans[before][1])))
        at = before
    return path


@dataclass
class _Task:
    ended: int = 0
    failed: int = 0
    retries: int = 0
    seconds: list[float] = field(default_factory=list)


def figures(
    task_runs: Sequence[S], edges: Mapping[UUID, Iterable[tuple[str, str]]], hidden: frozenset[str]
) -> list[TaskFigures]:
    """Each task in the runs, the largest share of their critical paths first; `edges` are those of each run. Hidden tasks are left out, though the
    paths lead through them."""
    mapped = {(run.flow_run_id, run.task_slug) for run in task_runs if run.map_index >= 0}
    tasks: dict[str, _Task] = defaultdict(_Task)
    spans: dict[UUID, dict[str, tuple[float, float]]] = defaultdict(dict)
    for run in task_runs:
        if run.map_index < 0 and (run.flow_run_id, run.task_slug) in mapped:
            continue  # its children count
        _count(tasks[run.task_slug], run)
        if run.start_time is not None and run.end_time is not None:
            of_run, (start, end) = spans[run.flow_run_id], (run.start_time.timestamp(), run.end_time.timestamp())
            first, last = of_run.get(run.task_slug, (start, end))
            of_run[run.task_slug] = min(first, start), max(last, end)
    critical: dict[str, float] = defaultdict(float)
    for run_id, of_run in spans.items():
        for slug, seconds in critical_path(of_run, edges.get(run_id, ())).items():
            critical[slug] += seconds
    total = math.fsum(critical.values()) or 1.0
    ranking = [
        TaskFigures(
            slug=slug, ended=task.ended, failed=task.failed, retries=task.retries,
            median_seconds=percentile(task.seconds, 0.5), p95_seconds=percentile(task.seconds, 0.95),
            critical_share=critical[slug] / total,
        )
        for slug, task in tasks.items()
        if slug not in hidden
    ]  # fmt: skip
    return sorted(ranking, key=lambda task: (-task.critical_share, task.slug))


def _count(task: _Task, run: TaskSpan) -> None:
    task.retries += max(0, run.run_count - 1)
    if run.state_name in _NOT_RUN or run.state_type not in (SUCCESS, FAILED):
        return
    task.ended += 1
    if run.state_type == FAILED:
        task.failed += 1
    elif run.start_time is not None and run.end_time is not None:
        task.seconds.append((run.end_time - run.start_time).total_seconds())

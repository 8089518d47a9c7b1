"""Counts of a run's tasks by progress, from their state changes. Recording a change is cheap; counting happens at intervals."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from appliance.core.states import Failed, Finished, Mapped, Paused, Queued, Resume, Retrying, Running, Scheduled, State
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.task_runner import TaskRunner
from appliance.kit.plurals import counted

_WAITING = frozenset({Paused, Retrying, Scheduled, Queued, Resume})
Change = Callable[[str, int, State, State, int], None]


@dataclass(slots=True)
class Row:
    """One task and its mapped children."""

    slug: str
    total: int
    mapped: bool
    done: int
    failed: int
    running: int = 0
    waiting: list[datetime | None] = field(default_factory=list)


class Counts:
    """All tasks of a run. State changes may come from any thread; everything else is called from one."""

    def __init__(self, name: str, slugs: Mapping[Any, str], earlier: Mapping[tuple[str, int], State]) -> None:
        self.name = name
        self._tasks = len(slugs)
        self._running: dict[
            Any, None
        ] = {}  # by slug, or (slug, map index) for children: this creates the fewest objects
        self._waiting: dict[Any, datetime | None] = {}
        self._widths: dict[str, int] = {}
        self._ended: dict[type[State], deque[str]] = defaultdict(deque)
        self._done, self._failed = Counter[str](), Counter[str]()
        self._lock = threading.Lock()
        for (slug, _), state in earlier.items():
            if isinstance(state, Finished) and not isinstance(state, Mapped):
                self._ended[type(state)].append(slug)

    @classmethod
    def of(cls, runner: FlowRunner) -> Counts:
        """Counts that follow a run that is about to begin."""
        counts = cls(runner.flow.name, runner.flow.slugs, runner.initial_task_states)
        make = runner.make_task_runner

        def make_and_follow() -> TaskRunner:
            tasks = make()
            tasks.state_changed = counts.follow(tasks)  # type: ignore[method-assign, assignment] # for this run only
            return tasks

        runner.make_task_runner = make_and_follow  # type: ignore[method-assign]
        return counts

    def follow(self, tasks: TaskRunner) -> Change:
        """The runner's hook, extended to record the change. It is called twice for each task, so it must stay this small."""
        running, waiting, ended = self._running, self._waiting, self._ended
        own = tasks.state_changed if type(tasks).state_changed is not TaskRunner.state_changed else None

        def state_changed(slug: str, map_index: int, old: State, new: State, run_count: int) -> None:
            kind = new.__class__
            key = slug if map_index < 0 else (slug, map_index)
            if waiting:
                waiting.pop(key, None)
            if kind is Running:
                running[key] = None
            elif kind in _WAITING:
                running.pop(key, None)
                waiting[key] = new.start_time  # type: ignore[attr-defined] # all of them have one
            elif kind is Mapped:
                self._widths[slug] = new.n_map_states  # type: ignore[attr-defined]
            else:
                running.pop(key, None)
                if new.is_finished():
                    ended[kind].append(slug)
            if own is not None:
                own(slug, map_index, old, new, run_count)

        return state_changed

    def catch_up(self) -> None:
        """Count the tasks that have ended since the last call."""
        with self._lock:
            for kind, slugs in list(self._ended.items()):
                counts = Counter(slugs.popleft() for _ in range(len(slugs)))
                self._done.update(counts)
                if issubclass(kind, Failed):
                    self._failed.update(counts)

    def rows(self) -> list[Row]:
        """The tasks worth showing: running, waiting, failed, or mapped and not finished."""
        rows: dict[str, Row] = {}

        def row(slug: str) -> Row:
            if slug not in rows:
                total = self._widths.get(slug)
                rows[slug] = Row(slug, total or 1, total is not None, self._done[slug], self._failed[slug])
            return rows[slug]

        for key in list(self._running):
            row(_slug(key)).running += 1
        for key, at in list(self._waiting.items()):
            row(_slug(key)).waiting.append(at)
        for slug in [*self._failed, *(slug for slug, width in list(self._widths.items()) if self._done[slug] < width)]:
            row(slug)
        return list(rows.values())

    def line(self) -> str:
        """`37 of 100 tasks done, 2 failed, 5 running, 1 waiting`."""
        total = self._tasks + sum(list(self._widths.values())) - len(self._widths)
        parts = [f"{self._done.total()} of {counted(total, 'task')} done"]
        for count, word in (
            (self._failed.total(), "failed"),
            (len(self._running), "running"),
            (len(self._waiting), "waiting"),
        ):
            if count:
                parts.append(f"{count} {word}")
        return ", ".join(parts)


def _slug(key: Any) -> str:
    return key if isinstance(key, str) else str(key[0])

"""Child runs of a run that a server tracks: started there under the run's token, and waited for without holding up other tasks. One thread
learns from the server which children have ended; a task that waits only looks whether its own is among them."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from appliance.client import run_protocol as runs
from appliance.client.errors import (
    ClientError,
    Outage,
    ServerFault,
    StaleAttempt,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from appliance.client.transport import Transport
from appliance.core.child_flows import Child, ChildRun, ChildTask
from appliance.core.child_run_tasks import ReadChild, TaskResult
from appliance.core.results import Unloaded
from appliance.core.states import Failed, Queued, Scheduled, State, TimedOut
from appliance.engine.task_run import Runner, TaskRun
from appliance.kit import clock, crash
from appliance.protocol.run_protocol import LONGEST_CHILD_WAIT, AskChild, AwaitChildren, ChildAnswer, ChildResult

_PASSING = (Outage, TooManyRequests, ServerFault, Unavailable, StaleAttempt, Unauthenticated)
"""The server can be asked again; if the attempt is over, the reporter learns that too and ends the process."""
_AWAY = 2.0
_GIVEN_BACK_FOR = timedelta(seconds=30)
_LOOK_AFTER = 0.2
_PER_CHILD = 0.002
"""Many tasks that wait look less often, so that looking takes a few percent of a core at most."""
_ASK_AFTER, _ASK_WHILE_RUNNING = 5.0, 60.0
_MARK = "gives_back"
_EARLIER = "The server is of an earlier release, which can't start runs for tasks; upgrade it."

Key = tuple[str, int]
_logger = logging.getLogger(__name__)


@dataclass
class _Wait:
    """A task run that waits for a child, and when to ask the server again if nothing happens."""

    message: str
    ask_at: float
    child: UUID | None = None
    news: int = 0
    """What the watcher had learned before the server was asked: only what it learns later counts."""


class _News(NamedTuple):
    """What the watcher has learned last: which children have ended."""

    number: int = 0
    ended: frozenset[UUID] = frozenset()


class TrackedChildren:
    """The children of one attempt."""

    def __init__(self, transport: Transport, flow_run_id: UUID, attempt: int, *, server_starts_runs: bool) -> None:
        self._transport, self._run, self._attempt = transport, flow_run_id, attempt
        self._server_starts_runs = server_starts_runs
        self._found: dict[Key, Child | State] = {}
        self._waiting: dict[Key, _Wait] = {}
        self._since: dict[Key, float] = {}
        self._news = _News()
        self._some_wait = threading.Event()
        self._watcher: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def flow_run_id(self) -> str:
        return str(self._run)

    def take(self, slug: str, map_index: int) -> Child | State:
        return self._found.pop((slug, map_index))

    def follow(self, runner: Runner, run: TaskRun) -> State | None:
        """A step: None for other tasks and once the child has ended; else Queued, to look again soon."""
        task = run.task
        if not isinstance(task, ChildTask) or run.existing is not None:
            return None
        key = run.task_slug, run.map_index
        known, now, news = self._waiting.get(key), clock.monotonic(), self._news
        late = known is not None and task.timeout is not None and now - self._since[key] > task.timeout
        if known is not None and not late and now < known.ask_at and not _has_ended(known, news):
            return self._queued(run, key, known.message)
        answer = _late(known, task) if known is not None and late else self._ask(task, run)
        if isinstance(answer, str):  # why the server can't be asked at the moment
            self._wait(key, _Wait(answer, now + _AWAY))
            return self._queued(run, key, answer)
        if isinstance(answer, ChildAnswer) and not answer.over:
            if answer.gives_back:
                return self._give_back(run, key, answer)
            pause = (_ASK_AFTER if answer.reason else _ASK_WHILE_RUNNING) * max(1.0, len(self._waiting) / 50)
            self._wait(key, _Wait(_waits(answer), now + pause, answer.flow_run_id, news.number))
            return self._queued(run, key, _waits(answer))
        self._waiting.pop(key, None)
        self._since.pop(key, None)
        self._found[key] = answer if isinstance(answer, State) else _child(answer, self._transport.url)
        return None

    def _ask(self, task: ChildTask, run: TaskRun) -> ChildAnswer | State | str:
        if not self._server_starts_runs:
            return Failed(_EARLIER)
        try:
            answer = runs.child(self._transport, self._run, self._request(task, run))
        except _PASSING as error:
            return f"The child run is waiting for the server: {error}"
        except (ClientError, msgspec.MsgspecError, TypeError, ValueError) as error:
            return Failed(_sentence(error))
        crash.point("runner.child.created")
        return answer

    def _request(self, task: ChildTask, run: TaskRun) -> AskChild:
        fields = task.request(run.inputs)
        if "parameters" in fields:
            fields["parameters"] = msgspec.to_builtins(fields["parameters"], str_keys=True)
        return AskChild(
            attempt=self._attempt,
            task_slug=run.task_slug,
            map_index=run.map_index,
            count=run.task_run_count,
            **fields,
        )

    def _wait(self, key: Key, wait: _Wait) -> None:
        self._since.setdefault(key, clock.monotonic())
        self._waiting[key] = wait
        with self._lock:
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="children", daemon=True)
                self._watcher.start()
        self._some_wait.set()

    def _give_back(self, run: TaskRun, key: Key, answer: ChildAnswer) -> State:
        self._waiting.pop(key, None)
        run.ended = True
        message = f"{_waits(answer)} This run gives its place back in the meantime."
        return Scheduled(message, start_time=clock.now() + _GIVEN_BACK_FOR, data={_MARK: True})

    def _queued(self, run: TaskRun, key: Key, message: str) -> State | None:
        """Queued. Only a new message is reported."""
        pause = max(_LOOK_AFTER, _PER_CHILD * len(self._waiting))
        state = Queued(message, start_time=clock.now() + timedelta(seconds=pause))
        run.ended = True
        if isinstance(run.reported, Queued) and run.reported.message == message:
            run.state = state
            return None
        return state

    def _watch(self) -> None:
        mark = ""
        while True:
            self._some_wait.wait()
            if not self._waiting:
                self._some_wait.clear()
                continue
            request = AwaitChildren(attempt=self._attempt, mark=mark, wait_s=LONGEST_CHILD_WAIT)
            try:
                answer = runs.await_children(self._transport, self._run, request)
            except ClientError as error:
                _logger.debug("Can't wait for child runs at the moment: %s", error)
                threading.Event().wait(_AWAY)
                continue
            mark = answer.mark
            self._news = _News(self._news.number + 1, frozenset(answer.ended))


def _has_ended(known: _Wait, news: _News) -> bool:
    return known.child in news.ended and news.number > known.news


def gives_back(state: State) -> bool:
    """Does a task run wait for a place that its own run takes?"""
    return isinstance(state, Scheduled) and _MARK in state.data


def _late(known: _Wait, task: ChildTask) -> TimedOut:
    return TimedOut(f"{known.message} The task's timeout of {task.timeout:g} s is over; the child goes on.")


def _waits(answer: ChildAnswer) -> str:
    where = f"Waits for run {answer.name} of flow {answer.flow!r} (/runs/{answer.flow_run_id})"
    return f"{where}: {answer.reason}" if answer.reason else f"{where}, which is {answer.state_name}."


def _child(answer: ChildAnswer, url: str) -> Child:
    where = f"/runs/{answer.flow_run_id}"
    run = ChildRun(answer.flow, answer.state_name, str(answer.flow_run_id), answer.name, f"{url}{where}")
    what = f"Run {answer.name} of flow {answer.flow!r} ({where})"
    results = None if answer.results is None else tuple(map(_result, answer.results))
    return ReadChild(run, what, answer.state_type, answer.message, results, answer.mapped)


def _result(answer: ChildResult) -> TaskResult:
    """No location: nothing is stored. An empty one: the result is None."""
    value = Unloaded(answer.location, answer.sha256) if answer.location else None
    return TaskResult(answer.state_type, answer.state_name, answer.message, value, is_kept=answer.location is not None)


def _sentence(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"The run was not started: {error}"
    return f"What the task was given can't be sent to the server: {error}."

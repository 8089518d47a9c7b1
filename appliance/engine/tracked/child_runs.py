"""Child runs of a run that a server tracks: started there under the run's token, and waited for without holding up other tasks. One thread
learns from the server which children have ended; a task that waits only looks whether its own is among them."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from appliance.client import run_protocol as runs
from appliance.client.errors import (
    ClientError,
    Outage,
    Refused,
    ServerFault,
    StaleAttempt,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from appliance.client.transport import Transport
from appliance.core.child_flows import ChildRun, RunFlow, ended
from appliance.core.states import Failed, Queued, Scheduled, State, Success
from appliance.engine.task_run import Runner, TaskRun
from appliance.kit import clock
from appliance.protocol.run_protocol import LONGEST_CHILD_WAIT, AskChild, AwaitChildren, ChildAnswer

_PASSING = (Outage, TooManyRequests, ServerFault, Unavailable, StaleAttempt, Unauthenticated)
"""The server can be asked again; if the attempt is over, the reporter learns that too and ends the process."""
_AWAY = 2.0
_GIVEN_BACK_FOR = timedelta(seconds=30)
_LOOK_AFTER = 0.2
_PER_CHILD = 0.002
"""Many tasks that wait look less often, so that looking takes a few percent of a core at most."""
_ASK_AFTER, _ASK_WHILE_RUNNING = 5.0, 60.0
_MARK = "gives_back"

Key = tuple[str, int]
_logger = logging.getLogger(__name__)


@dataclass
class _Wait:
    """A task run that waits for its child, and when to ask the server again if nothing happens."""

    message: str
    ask_at: float


class TrackedChildren:
    """The children of one attempt."""

    def __init__(self, transport: Transport, flow_run_id: UUID, attempt: int) -> None:
        self._transport, self._run, self._attempt = transport, flow_run_id, attempt
        self._outcomes: dict[Key, State] = {}
        self._waiting: dict[Key, _Wait] = {}
        self._ended: frozenset[Key] = frozenset()
        self._some_wait = threading.Event()
        self._number = 0
        self._watcher: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def flow_run_id(self) -> str:
        return str(self._run)

    def outcome(self, slug: str, map_index: int) -> State:
        return self._outcomes.pop((slug, map_index))

    def follow(self, runner: Runner, run: TaskRun) -> State | None:
        """A step: None for other tasks and once the child has ended; else Queued, to look again soon."""
        task = run.task
        if not isinstance(task, RunFlow) or run.existing is not None:
            return None
        key = run.task_slug, run.map_index
        known = self._waiting.get(key)
        if known is not None and key not in self._ended and clock.monotonic() < known.ask_at:
            return self._queued(run, key, known.message)
        try:
            answer = runs.child(self._transport, self._run, self._request(task, run))
        except _PASSING as error:
            self._wait(key, f"The child run is waiting for the server: {error}", _AWAY)
            return self._queued(run, key, self._waiting[key].message)
        except (ClientError, msgspec.MsgspecError, TypeError, ValueError) as error:
            self._settle(key, Failed(_sentence(task, error)))
            return None
        if answer.over:
            self._settle(key, _outcome(task, answer, self._transport.url))
            return None
        if answer.gives_back:
            return self._give_back(run, key, answer)
        self._wait(key, _waits(answer), _ASK_AFTER if answer.reason else _ASK_WHILE_RUNNING)
        return self._queued(run, key, _waits(answer))

    def _request(self, task: RunFlow, run: TaskRun) -> AskChild:
        return AskChild(
            attempt=self._attempt,
            task_slug=run.task_slug,
            map_index=run.map_index,
            count=run.task_run_count,
            parameters=msgspec.to_builtins(task.values(**run.inputs), str_keys=True),
            labels=task.child_labels,
            name=task.run_name,
            wait=task.waits,
        )

    def _settle(self, key: Key, outcome: State) -> None:
        self._waiting.pop(key, None)
        self._outcomes[key] = outcome

    def _wait(self, key: Key, message: str, seconds: float) -> None:
        self._waiting[key] = _Wait(message, clock.monotonic() + seconds * max(1.0, len(self._waiting) / 50))
        self._ended -= {key}
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
        while True:
            self._some_wait.wait()
            if not self._waiting:
                self._some_wait.clear()
                continue
            request = AwaitChildren(attempt=self._attempt, ended=self._number, wait_s=LONGEST_CHILD_WAIT)
            try:
                answer = runs.await_children(self._transport, self._run, request)
            except ClientError as error:
                _logger.debug("Can't wait for child runs at the moment: %s", error)
                threading.Event().wait(_AWAY)
                continue
            self._number = len(answer.ended)
            self._ended = frozenset((one.task_slug, one.map_index) for one in answer.ended)


def gives_back(state: State) -> bool:
    """Does a task run wait for a place that its own run takes?"""
    return isinstance(state, Scheduled) and _MARK in state.data


def _waits(answer: ChildAnswer) -> str:
    where = f"Waits for run {answer.name} of flow {answer.flow!r} (/runs/{answer.flow_run_id})"
    return f"{where}: {answer.reason}" if answer.reason else f"{where}, which is {answer.state_name}."


def _outcome(task: RunFlow, answer: ChildAnswer, url: str) -> State:
    child = ChildRun(
        flow=answer.flow,
        state=answer.state_name,
        id=str(answer.flow_run_id),
        name=answer.name,
        url=f"{url}/runs/{answer.flow_run_id}",
    )
    what = f"Run {answer.name} of flow {answer.flow!r} (/runs/{answer.flow_run_id})"
    if not task.waits:
        return Success(f"Started {what[0].lower()}{what[1:]}.", child)
    return ended(child, what, answer.state_type, answer.message)


def _sentence(task: RunFlow, error: Any) -> str:
    if isinstance(error, Refused) and error.code == "not_found" and error.status == 404 and "flow" not in str(error):
        return f"The server can't start runs for tasks, which one of an earlier release doesn't: {error}"
    if isinstance(error, ClientError):
        return f"The run of flow {task.child!r} was not started: {error}"
    return f"The parameters for flow {task.child!r} can't be sent as JSON: {error}"

"""Slots under the limits of task tags: requested before a task with such a tag runs, released with the report of its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from appliance.client.errors import ClientError
from appliance.core.states import Cancelled, Finished, Queued, Scheduled, State
from appliance.engine.task_run import Runner, TaskRun
from appliance.engine.tracked.reporter import Reporter
from appliance.kit import clock
from appliance.protocol.run_protocol import LONGEST_SLOT_WAIT, AskSlots, Slots

Ask = Callable[[AskSlots], Slots]
_TURN = timedelta(seconds=0.05)
_AWAY = 2.0
_REPORT_AGAIN_AFTER = timedelta(seconds=10)


class TaskSlots:
    """The slots that one attempt holds. If a task's tags have no limit, no request is made."""

    def __init__(self, ask: Ask, attempt: int, reporter: Reporter) -> None:
        self._ask, self._attempt, self._reporter = ask, attempt, reporter
        self._held: set[tuple[str, int]] = set()
        self._freed: set[tuple[str, int]] = set()
        self._timed: dict[tuple[str, ...], tuple[float, Slots]] = {}
        """Refusals that hold until a time for all tasks with these tags."""

    def take(self, runner: Runner, run: TaskRun) -> State | None:
        """A step: None if the task may run; Queued, to run again soon, if it has to wait. The first request is answered at once, so
        that the wait is visible. Later ones wait at the server, which wakes them."""
        limited = self._reporter.limited_tags
        if not limited or limited.isdisjoint(run.task.tags) or run.existing is not None:
            return None
        key = run.task_slug, run.map_index
        if key in self._held:
            return None  # another round of a loop
        first = not isinstance(run.state, Queued)
        answer = self._request(key, sorted(limited & run.task.tags), 0.0 if first else LONGEST_SLOT_WAIT, runner)
        if answer.granted:
            self._held.add(key)
            if not runner.should_stop() or run.task.runs_on_cancel:
                return None
            run.ended = True
            return Cancelled("The flow run was cancelled before this task started.")
        return _queued(run, answer)

    def release(self, task_slug: str, map_index: int, new: State) -> bool:
        """Release the task run's slots if it ends or waits. Returns whether it did."""
        key = task_slug, map_index
        if key not in self._held or not isinstance(new, Finished | Scheduled):
            return False
        self._held.discard(key)
        self._freed.add(key)
        return True

    def _request(self, key: tuple[str, int], tags: list[str], wait: float, runner: Runner) -> Slots:
        slug, index = key
        if key in self._freed:  # the server must learn of the release before it grants these slots again
            if not self._reporter.settle(LONGEST_SLOT_WAIT, runner.should_stop):
                return Slots(granted=False, reason="The server has not responded yet.", retry_after=_AWAY)
            self._freed.discard(key)
        until, refusal = self._timed.get(tuple(tags), (0.0, None))
        if refusal is not None and (left := until - clock.monotonic()) > 0:
            return replace(refusal, retry_after=left)
        message = AskSlots(attempt=self._attempt, task_slug=slug, map_index=index, tags=tags, wait_s=wait)
        try:
            answer = self._ask(message)
            if answer.timed:
                self._timed[tuple(tags)] = clock.monotonic() + answer.retry_after, answer
            return answer
        except ClientError as error:  # if the attempt is over, the reporter learns that too and ends the process
            return Slots(granted=False, reason=f"The task is waiting for a slot: {error}", retry_after=_AWAY)


def _queued(run: TaskRun, answer: Slots) -> State | None:
    """Queued, to request again a moment later, after others have had their turn. A long wait is reported at most every 10 s."""
    now = clock.now()
    again = now + max(_TURN, timedelta(seconds=answer.retry_after))
    state = Queued(answer.reason, start_time=again)
    run.ended = True
    last = run.reported.start_time if isinstance(run.reported, Queued) else None
    if last is not None and (answer.reason == run.reported.message or now < last + _REPORT_AGAIN_AFTER):
        run.state = state
        return None
    return state

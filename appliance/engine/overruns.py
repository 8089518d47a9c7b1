"""Keeps track of code that goes on after its timeout, because a thread can't be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable

from appliance.core.logs import get_logger
from appliance.core.run_context import FlowRunContext, TaskRunContext, current_task_run

PATIENCE = 60.0
"""Seconds after its timeout in which code must end before anything stops waiting for it."""
_TICK = 0.2
"""Seconds after which a retry that waits notices that its run must stop."""
_logger = get_logger()


class Overrun:
    """The code of one attempt that goes on after its timeout."""

    __slots__ = ("caller", "ended", "run")

    def __init__(self, ended: threading.Event) -> None:
        self.ended = ended
        self.run: TaskRunContext | None = current_task_run.get()
        self.caller: threading.Thread | None = threading.current_thread()
        """The thread that was waiting for the code, until it gives up. Its number may be that of another one later."""


alive: list[Overrun] = []
"""Those that have not ended, as far as is known. Usually empty, so that a look at it costs nothing."""
_lock = threading.Lock()


def add(ended: threading.Event) -> None:
    """The code of the current task run goes on, and sets `ended` when it ends."""
    with _lock:
        alive.append(Overrun(ended))


def outlast_those_of_this_thread() -> None:
    """Return when all code has ended that this thread has stopped waiting for; that code occupies its place."""
    for overrun in _those(lambda one: one.caller is threading.current_thread()):
        _logger.warning(
            "Task %s goes on after its timeout. Until it ends, its worker starts no other task, and it is not retried.",
            _name(overrun),
        )
        if not overrun.ended.wait(PATIENCE):
            overrun.caller = None
            _logger.warning(
                "Task %s has not ended %d s after its timeout. Its worker is given to other tasks now, so there may be more at work "
                "than max_workers.", _name(overrun), PATIENCE,
            )  # fmt: skip


def outlast_earlier_attempt(run: TaskRunContext, should_stop: Callable[[], bool]) -> bool:
    """Before a retry: wait until the earlier attempt has ended, or the run must stop. Returns False if it goes on and on."""
    for overrun in _those(lambda one: _same(one.run, run)):
        _logger.warning(
            "Task %s waits with its retry until its last attempt, which has timed out, ends.", _name(overrun)
        )
        for _ in range(round(PATIENCE / _TICK)):
            if overrun.ended.wait(_TICK) or should_stop():
                break
        else:
            return False
    return True


def report(flow_run: FlowRunContext) -> None:
    """At the end of a run: name the tasks whose code still goes on."""
    for overrun in _those(lambda one: one.run is not None and one.run.flow_run is flow_run):
        _logger.warning(
            "Task %s still runs after its timeout and the end of the flow run; its result is dropped.", _name(overrun)
        )


def _those(fits: Callable[[Overrun], bool]) -> list[Overrun]:
    with _lock:
        alive[:] = [one for one in alive if not one.ended.is_set()]
        return [one for one in alive if fits(one)]


def _same(one: TaskRunContext | None, other: TaskRunContext) -> bool:
    return (
        one is not None
        and one.flow_run is other.flow_run
        and (one.task_slug, one.map_index) == (other.task_slug, other.map_index)
    )


def _name(overrun: Overrun) -> str:
    run = overrun.run
    if run is None:
        return "of an unknown run"
    return f"{run.task_name!r}" if run.map_index < 0 else f"{run.task_name!r}[{run.map_index}]"

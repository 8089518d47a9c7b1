"""Stops what a task has begun elsewhere when its run is cancelled or its timeout passes, in whichever thread the task runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TypeVar

from appliance.core.run_context import stop_requested
from appliance.core.signals import StateSignal
from appliance.core.states import Cancelled
from appliance.core.task import Task
from appliance.kit import clock

_LOOK = 0.1
T = TypeVar("T")


class Stopped(StateSignal):
    """The run is being cancelled, so the task is as well."""

    state_class = Cancelled


class Abandoned(Exception):
    """The task has stopped waiting. Inside of `interruptible`, nobody sees it: the task ends as stopped, or as timed out."""


@contextmanager
def interruptible(task: Task, stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` once, from any thread, if the block must end early.

    In the main thread, an exception interrupts the block, unless it waits in C. In other threads, nothing does: a thread watches over it.
    """
    watch = _Watch(task.timeout, stop)
    try:
        yield
    except Exception as error:
        if watch.cancelled:  # the block failed because of `stop`
            raise Stopped("The task was stopped with its run.") from error
        raise
    except BaseException:  # a timeout, Ctrl-C, or a cancelled run
        watch.fire()
        raise
    finally:
        watch.end()
    if watch.cancelled:
        raise Stopped("The task was stopped with its run.")


def in_thread(work: Callable[[], T], stopped: threading.Event | None = None) -> T:
    """The result of `work`, which may block in C. There, no signal would interrupt the main thread, which waits in Python instead.

    With `stopped`, which the `stop` of `interruptible` sets, other threads don't wait longer than that, either: for clients that nothing interrupts.
    """
    if stopped is None and threading.current_thread() is not threading.main_thread():
        return work()
    result: list[T] = []
    errors: list[BaseException] = []
    ended = threading.Event()

    def carry_out() -> None:
        try:
            result.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            errors.append(error)
        finally:
            ended.set()

    threading.Thread(target=copy_context().run, args=(carry_out,), name="appliance-task-library", daemon=True).start()
    while not ended.wait(_LOOK):
        if stopped is not None and stopped.is_set():
            raise Abandoned
    if errors:
        raise errors[0]
    return result[0]


class _Watch:
    def __init__(self, timeout: float | None, stop: Callable[[], object]) -> None:
        self.cancelled = False
        self._deadline = None if timeout is None else clock.monotonic() + timeout
        self._stop, self._must_stop = stop, stop_requested.get()
        self._ended, self._turn = threading.Event(), threading.Lock()
        threading.Thread(target=self._look, name="appliance-interruption", daemon=True).start()

    def fire(self) -> None:
        with self._turn:
            if not self._ended.is_set():
                self._ended.set()
                with suppress(Exception):  # the task is ending anyway, and says why
                    self._stop()

    def end(self) -> None:
        self._ended.set()

    def _look(self) -> None:
        while not self._ended.wait(_LOOK):
            if self._must_stop():
                self.cancelled = True
                return self.fire()
            if self._deadline is not None and clock.monotonic() > self._deadline:
                return self.fire()
        return None

"""Lets the threads that a task starts, itself or through a pool, belong to the task: its context, its log lines, and its output."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import wraps
from typing import Any

from appliance.core.run_context import current_flow_run, current_task_run, stop_requested
from appliance.engine.output.streams import current_sink

_carried: list[ContextVar[Any]] = [current_flow_run, current_sink, stop_requested]
_lock = threading.Lock()
_followed = False


def carry(variable: ContextVar[Any]) -> None:
    """Let threads of tasks see this variable, too. It needs a default."""
    _carried.append(variable)


def follow() -> None:
    """From now on, threads follow the task that starts them. Outside of tasks, nothing changes."""
    global _followed
    with _lock:
        if not _followed:
            _followed = True
            _follow_threads()
            _follow_pools()


def _follow_threads() -> None:
    start = threading.Thread.start

    @wraps(start)
    def start_in_task(self: threading.Thread) -> None:
        if current_task_run.get() is not None:
            self.run = _in_task(self.run, lasting=True)  # type: ignore[method-assign]
        start(self)

    threading.Thread.start = start_in_task  # type: ignore[method-assign]


def _follow_pools() -> None:
    """A pool may be shared, so each call follows the task that submits it rather than the one that started the thread."""
    submit: Callable[..., Any] = ThreadPoolExecutor.submit

    @wraps(submit)
    def submit_in_task(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return submit(self, fn if current_task_run.get() is None else _in_task(fn), *args, **kwargs)

    ThreadPoolExecutor.submit = submit_in_task  # type: ignore[assignment,method-assign]


def _in_task(function: Callable[..., Any], lasting: bool = False) -> Callable[..., Any]:
    """The function, to be called in another thread as part of the current task. With `lasting`, the thread remains part of it: Python
    reports an exception that ends a thread after its function has returned."""
    run = current_task_run.get()
    # A snapshot, because a thread that outlives its task must not keep the task's inputs in memory.
    values = [(current_task_run, run and run.snapshot()), *((variable, variable.get()) for variable in _carried)]

    @wraps(function, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        tokens = [(variable, variable.set(value)) for variable, value in values]
        try:
            return function(*args, **kwargs)
        finally:
            for variable, token in () if lasting else tokens:
                variable.reset(token)

    return call

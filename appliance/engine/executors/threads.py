"""Runs tasks side by side in threads. A task takes a thread only once everything it waits for is done."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any

from appliance.core.states import Finished, State
from appliance.engine.executors.executor import Call, Executor, Handle, Upstream, reduced
from appliance.kit import clock


class ThreadExecutor(Executor):
    """At most `max_workers` tasks at a time, each in a thread; by default as many as Python's pool takes."""

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is not None and max_workers < 1:
            raise ValueError("max_workers must be at least 1.")
        self.max_workers = max_workers
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        self._pool = ThreadPoolExecutor(self.max_workers, thread_name_prefix="appliance-task")

    def submit(self, call: Call, upstream: Upstream, *args: Any, deferrable: bool = False) -> Handle:
        promise: Future[State] = Future()
        pending = [one for one in _flat(upstream) if isinstance(one, Future)]

        def start() -> None:
            pool = self._pool
            if pool is not None:  # otherwise the run was given up and nobody waits
                with suppress(RuntimeError):  # the pool was shut down in between
                    pool.submit(self._fulfil, promise, call, upstream, args)

        _after(pending, start)
        return promise

    def _fulfil(self, promise: Future[State], call: Call, upstream: Upstream, args: tuple[Any, ...]) -> None:
        if promise.cancelled():
            return
        try:
            state = call({edge: _state(value) for edge, value in upstream.items()}, *args)
            at = None if isinstance(state, Finished) else self.due(state)
            if at is None:
                promise.set_result(state)
            else:
                self._again(at, promise, call, upstream, args)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits, KeyboardInterrupt included
            promise.set_exception(error)

    def _again(self, at: datetime, *rest: Any) -> None:
        def start() -> None:
            pool = self._pool
            if pool is not None:
                with suppress(RuntimeError):
                    pool.submit(self._fulfil, *rest)

        timer = threading.Timer(max(0.0, (at - clock.now()).total_seconds()), start)
        timer.daemon = True
        timer.start()

    def wait(self, handles: Iterable[Handle]) -> list[State]:
        return [handle.result() if isinstance(handle, Future) else handle for handle in handles]

    def shutdown(self, cancel: bool = False) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=cancel)


def _after(pending: list[Future[State]], start: Any) -> None:
    """Call `start` once, when all of `pending` are done."""
    if not pending:
        start()
        return
    lock, left = threading.Lock(), len(pending)

    def done(_future: Future[State]) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            start()

    for future in pending:
        future.add_done_callback(done)


def _flat(upstream: Upstream) -> Iterable[Handle]:
    for value in upstream.values():
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _state(value: Handle | list[Handle]) -> State:
    if isinstance(value, list):
        return reduced([_state(one) for one in value])
    state: State = value.result() if isinstance(value, Future) else value
    return state

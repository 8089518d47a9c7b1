"""Runs tasks in parallel in threads. A task occupies a thread only after everything that it waits for is done.

The threads take ready calls from a queue: tasks in the order in which they became ready, then mapped children by index, so that a child
with a low index passes through all its mapped tasks before the next one begins (depth-first).
"""

from __future__ import annotations

import contextvars
import heapq
import os
import threading
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Never

from appliance.core.states import Finished, State
from appliance.engine import overruns
from appliance.engine.executors.executor import Call, Due, Executor, ExecutorError, Handle, Upstream, not_open, reduced
from appliance.kit import clock, options
from appliance.kit.option_names import refuse_unknown

_LONGEST_NAP = 1.0  # so that a jump of the wall clock is noticed


class _Call:
    """A future call, and later its outcome."""

    __slots__ = ("args", "awaited", "call", "error", "followers", "left", "map_index", "state", "upstream")

    def __init__(self, call: Call, upstream: Upstream, args: tuple[Any, ...], map_index: int) -> None:
        self.call: Call | None = call
        self.upstream, self.args, self.map_index = upstream, args, map_index
        self.left = 0
        self.followers: list[_Call] | None = None
        self.awaited = False
        self.state: State | None = None
        self.error: BaseException | None = None


class ThreadExecutor(Executor):
    """Runs at most `max_workers` tasks at once, each in a thread; by default, four more than there are processors, up to 32.

    Tasks see a copy of the context variables of the thread that runs the flow. When the run is cancelled, tasks that have begun
    run to completion, because a thread can't be stopped; the run waits for them.
    """

    def __init__(self, max_workers: int | None = None, **unknown: Never) -> None:
        refuse_unknown(type(self).__name__, unknown, ("max_workers",))
        self.max_workers = options.whole_number("max_workers", max_workers, 1)
        self._crew: _Crew | None = None

    def start(self) -> None:
        self._crew = _Crew(self.max_workers or self._default_workers(), self.due)

    def submit(self, call: Call, upstream: Upstream, *args: Any, map_index: int = -1) -> Handle:
        if self._crew is None:
            raise not_open(self)
        return self._crew.submit(_Call(call, upstream, args, map_index))

    def wait(self, handles: Iterable[Handle]) -> list[State]:
        handles = list(handles)
        if self._crew is None:
            raise not_open(self)
        self._crew.wait(handles)
        return [_state(one) for one in handles]

    def shutdown(self, cancel: bool = False) -> None:
        if self._crew is not None:
            self._crew.close(cancel)
            self._crew = None

    def _default_workers(self) -> int:
        return min(32, (os.cpu_count() or 1) + 4)


class _Crew:
    """The threads of one run and the queue from which they take their calls."""

    def __init__(self, most: int, due: Due) -> None:
        self._most, self._due = most, due
        self._lock = threading.Lock()
        self._work, self._done = threading.Condition(self._lock), threading.Condition(self._lock)
        self._plain = deque[_Call]()
        self._children: list[tuple[int, int, _Call]] = []
        self._timed: list[tuple[datetime, int, _Call]] = []
        self._count = 0  # numbers the entries of the queues
        self._held = True  # children start only when the submitter waits, so that low indices are not overtaken
        self._closed = self._cancelled = False
        self._idle, self._missing = 0, 0
        self._broken: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._outlasting: set[threading.Thread] = set()  # they wait for code that goes on after its timeout
        self._context = contextvars.copy_context()

    def submit(self, new: _Call) -> _Call:
        """Queue the call, either now or when everything it waits for is done."""
        with self._lock:
            for value in new.upstream.values():
                for one in value if isinstance(value, list) else (value,):
                    if isinstance(one, _Call) and one.call is not None:
                        new.left += 1
                        if one.followers is None:
                            one.followers = []
                        one.followers.append(new)
            if not new.left:
                self._enqueue(new)
        return new

    def wait(self, handles: list[Handle]) -> None:
        """Wait until all are done, or one has raised."""
        with self._lock:
            missing = 0
            for one in handles:
                if isinstance(one, _Call) and one.call is not None and not one.awaited:
                    one.awaited = True
                    missing += 1
            self._missing, self._held = missing, not missing
            self._wake(max(len(self._children), bool(self._timed)))
            try:
                while self._missing and self._broken is None:
                    self._done.wait()
            finally:
                self._held = True
        if self._broken is not None:
            raise self._broken

    def close(self, cancel: bool) -> None:
        """Run the remaining calls, or with `cancel` drop those that have not begun. Then end the threads."""
        with self._lock:
            self._closed, self._held = True, False
            self._timed.clear()
            self._cancelled = cancel
            if cancel:
                self._plain.clear()
                self._children.clear()
            self._wake(len(self._children))
            self._work.notify_all()
            working = [thread for thread in self._threads if thread not in self._outlasting]
        for thread in working:
            thread.join()

    # --- the queue; all of this holds the lock

    def _enqueue(self, call: _Call) -> None:
        if self._cancelled:  # it became ready because a call was stopped
            return
        if call.map_index < 0:
            self._plain.append(call)
        else:
            self._count += 1  # among equal indices, the last one added is the deepest
            heapq.heappush(self._children, (call.map_index, -self._count, call))
            if self._held:
                return
        self._wake(1)

    def _wake(self, count: int) -> None:
        """Have up to `count` threads look for work."""
        self._work.notify(count)
        ready = len(self._plain) + (0 if self._held else len(self._children))
        for _ in range(min(ready - self._idle, self._most - len(self._threads))):
            name = f"appliance-task-{len(self._threads)}"
            thread = threading.Thread(target=self._serve, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the system allows no more threads; the existing ones will do all the work
                if not self._threads:
                    raise ExecutorError(f"No thread can be started for the tasks of the run: {error}.") from error
                self._most = len(self._threads)
                return
            self._threads.append(thread)
            self._idle += 1

    def _next(self) -> _Call | None:
        """Wait for the next call to run and return it, or None if there are no more."""
        while True:
            while self._timed and self._timed[0][0] <= clock.now():
                self._enqueue(heapq.heappop(self._timed)[2])
            if self._plain:
                return self._plain.popleft()
            if self._children and not self._held:
                return heapq.heappop(self._children)[2]
            if self._closed:
                return None
            self._idle += 1
            alone = self._timed and not self._held and self._idle == len(self._threads)
            if alone and clock.skip_to(self._timed[0][0]):
                self._idle -= 1
                continue
            left = (self._timed[0][0] - clock.now()).total_seconds() if self._timed else None
            self._work.wait(None if left is None else max(0.0, min(left, _LONGEST_NAP)))
            self._idle -= 1

    def _finish(self, call: _Call, state: State | None, error: BaseException | None) -> None:
        call.state, call.error = state, error
        call.call, call.upstream, call.args = None, {}, ()
        if error is not None and self._broken is None:
            self._broken = error
            self._done.notify()
        for follower in call.followers or ():
            follower.left -= 1
            if not follower.left:
                self._enqueue(follower)
        call.followers = None
        if call.awaited:
            self._missing -= 1
            if not self._missing:
                self._done.notify()

    def _outlast(self) -> None:
        """Have this thread start nothing else while the code of its last call goes on after its timeout, unless the run is over."""
        if self._closed:
            return
        thread = threading.current_thread()
        self._outlasting.add(thread)
        self._lock.release()
        try:
            overruns.outlast_those_of_this_thread()
        finally:
            self._lock.acquire()
            self._outlasting.discard(thread)

    # --- the threads

    def _serve(self) -> None:
        with self._lock:
            self._idle -= 1
            call = self._next()
        while call is not None:
            state, error, at = self._make(call)
            with self._lock:
                if at is None:
                    self._finish(call, state, error)
                if overruns.alive:
                    self._outlast()
                if at is not None and not self._closed:
                    self._count += 1
                    heapq.heappush(self._timed, (at, self._count, call))
                call = self._next()

    def _make(self, call: _Call) -> tuple[State | None, BaseException | None, datetime | None]:
        """The outcome of the call: a state or an error, and when to repeat it."""
        assert call.call is not None
        try:
            states = {edge: _state(value) for edge, value in call.upstream.items()}
            state = self._context.copy().run(call.call, states, *call.args)
            return state, None, None if isinstance(state, Finished) else self._due(state)
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            return None, error, None


def _state(value: Handle | list[Handle]) -> State:
    if isinstance(value, list):
        return reduced([_state(one) for one in value])
    if isinstance(value, _Call):
        if value.error is not None:
            raise value.error
        value = value.state
    assert isinstance(value, State)
    return value

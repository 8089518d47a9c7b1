"""Ends the code of a task when its timeout has passed, or stops waiting for it where that is impossible."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from appliance.core.async_functions import is_async
from appliance.core.states import TimedOut
from appliance.engine import coroutines, descendants, failures, forks, overruns
from appliance.engine.background import Background
from appliance.kit import clock

Function = Callable[..., Any]
Read = Callable[[Any], Any]

_LONGEST = 1e8
"""Seconds. Longer timeouts exceed the limits of the system's timers."""
_SHORTEST = 0.001
_AGAIN = 0.1
_GRACE = 0.5
"""Seconds after the timeout in which code may clean up before the processes that it has started are killed."""
_STOPPED = " and was stopped."
_LATE = ", so its outcome is dropped."
_GOES_ON = "; outside the main thread it can't be stopped, so it continues in the background and its result is dropped."


class TaskTimeout(BaseException):
    """Raised inside a task that exceeds its timeout. It is not an Exception, so that user code doesn't swallow it by accident."""

    def __init__(self, deadline: Deadline, consequence: str = _STOPPED) -> None:
        super().__init__(f"The task ran longer than its timeout of {deadline.seconds:g} s{consequence}")
        self.deadline = deadline

    def state(self) -> TimedOut:
        """The state of the task. An error that came too late is described in it."""
        return timed_out(str(self), self.__cause__)


def timed_out(message: str, cause: BaseException | None = None) -> TimedOut:
    """The state of a task that has exceeded its timeout. Its result is an exception, as that of every failure."""
    return TimedOut(message, TimeoutError(message), data={} if cause is None else failures.describe(cause))


class Deadline:
    """The time by which one call must end."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.at = clock.monotonic() + min(seconds, _LONGEST)

    def call(self, function: Function, inputs: Mapping[str, Any], read: Read) -> Any:
        """`read(function(**inputs))`, where `read` may run code, too. Raises TaskTimeout in place of any outcome that comes late."""
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
            with descendants.of_this_thread_killed_on(TaskTimeout):
                return self._in_time(lambda: self._in_thread(function, inputs, read))
        with descendants.killed_on(TaskTimeout, KeyboardInterrupt, after=self._left() + _GRACE, every=_GRACE):
            return self._in_time(lambda: self._interruptible(function, inputs, read))

    def _in_time(self, call: Callable[[], Any]) -> Any:
        """Code may swallow a TaskTimeout, and blocks in an event loop or in C, so what counts is when it ends."""
        try:
            result = call()
        except (TaskTimeout, KeyboardInterrupt):
            raise
        except BaseException as error:
            if self._left():
                raise
            raise TaskTimeout(self, _LATE) from error
        if not self._left():
            raise TaskTimeout(self, _LATE)
        return result

    def _interruptible(self, function: Function, inputs: Mapping[str, Any], read: Read) -> Any:
        """Raise TaskTimeout in the code."""
        with _alarm(self._left(), self._raise), forks.contained():
            result = function(**inputs)
            if type(result) not in coroutines.ASYNC:
                return read(result)
        with forks.contained():
            return read(self._finish(result))

    def _in_thread(self, function: Function, inputs: Mapping[str, Any], read: Read) -> Any:
        if is_async(function):  # an event loop can stop it
            return read(self._finish(function(**inputs)))

        def work() -> Any:
            with forks.contained():
                result = function(**inputs)
                return result if type(result) in coroutines.ASYNC else read(result)

        code = Background(work, "appliance-timeout")
        if not code.ended.wait(self._left()):
            descendants.kill_those_of(code.thread)
            overruns.add(code.ended)
            raise TaskTimeout(self, _GOES_ON)
        result = code.result()
        return read(self._finish(result)) if type(result) in coroutines.ASYNC else result

    def _finish(self, code: Any) -> Any:
        return coroutines.finish(code, self._left(), TaskTimeout(self))

    def _raise(self) -> None:
        raise TaskTimeout(self)

    def _left(self) -> float:
        return max(0.0, self.at - clock.monotonic())


@contextmanager
def _alarm(seconds: float, ring: Callable[[], None]) -> Iterator[None]:
    """After so many seconds in the block, call `ring`, once. A signal that comes just before the code waits for a lock does not end that wait, and
    Python can't act on it; so the alarm sounds again until it is heard."""

    def hear(_number: int, _frame: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        ring()

    handler = signal.signal(signal.SIGALRM, hear)
    began = clock.monotonic()
    outer = signal.setitimer(signal.ITIMER_REAL, max(seconds, _SHORTEST), _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if outer[0]:  # a flow run inside a task that has its own timeout: restore that timer
            signal.setitimer(signal.ITIMER_REAL, max(outer[0] - (clock.monotonic() - began), _SHORTEST), outer[1])

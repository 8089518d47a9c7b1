"""Kills the processes that a task has started, and theirs, when the task exceeds its timeout. Only on Linux; elsewhere they go on."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from appliance.engine.watchdog import watched
from appliance.kit import clock

_SET_SUBREAPER, _GET_SUBREAPER = 36, 37
_PATIENCE = 1.0
"""Seconds in which killed processes must disappear. One that waits for a broken disk may take longer and is left to itself."""
_PAUSE = 0.002


@contextmanager
def killed_on(*errors: type[BaseException], after: float, every: float) -> Iterator[None]:
    """If one of these errors ends the block, kill what this thread, and threads that begin in the block, have started in it.

    If the block lasts longer than `after` seconds, kill it then, too, and again `every` so many seconds: the block may be waiting for it,
    even in C, where no signal handler interrupts it. Meanwhile this process adopts the orphans among its descendants, which it
    could not tell from strangers otherwise.
    """
    if sys.platform != "linux":
        yield
        return
    other_threads = {str(thread.native_id) for thread in threading.enumerate()} - {str(threading.get_native_id())}
    earlier = _below(_children_of_this_process()) if _has_children() else set[int]()

    def started() -> set[int]:
        mine = set(_threads(os.getpid())) - other_threads
        return _below(child for one in mine for child in _children(os.getpid(), one) if child not in earlier) - earlier

    before = _adopt_orphans(True)
    try:
        with watched(lambda: _signal(started()), after, every):
            yield
    except errors:
        _kill(started)
        raise
    finally:
        _adopt_orphans(before)


@contextmanager
def of_this_thread_killed_on(*errors: type[BaseException]) -> Iterator[None]:
    """If one of these errors ends the block, kill what this thread has started in it, unless its parent has ended."""
    if sys.platform != "linux":
        yield
        return
    thread = str(threading.get_native_id())
    earlier = set(_children(os.getpid(), thread)) if _has_children() else set[int]()
    try:
        yield
    except errors:
        _kill(lambda: _below(set(_children(os.getpid(), thread)) - earlier))
        raise


def kill_those_of(thread: int) -> None:
    """Kill the processes that a thread of this process has started. `thread` is its native id."""
    if sys.platform == "linux":
        _kill(lambda: _below(_children(os.getpid(), str(thread))))


def _kill(find: Callable[[], set[int]]) -> None:
    """Kill what is found until there is nothing left, because a process may start others while it is being killed."""
    deadline = clock.monotonic() + _PATIENCE
    while (pids := find()) and clock.monotonic() < deadline:
        _signal(pids)
        for pid in pids:
            with suppress(ChildProcessError):  # it is not a child of this process, but one of another that dies, too
                os.waitpid(pid, os.WNOHANG)
        time.sleep(_PAUSE)


def _signal(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(OSError):  # it has ended, or belongs to another user
            os.kill(pid, signal.SIGKILL)


def _below(children: Iterable[int]) -> set[int]:
    """These processes with all their descendants."""
    pids: set[int] = set()
    missing = list(children)
    while missing:
        pid = missing.pop()
        if pid not in pids:
            pids.add(pid)
            missing.extend(child for thread in _threads(pid) for child in _children(pid, thread))
    return pids


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children_of_this_process() -> Iterator[int]:
    for thread in _threads(os.getpid()):
        yield from _children(os.getpid(), thread)


def _threads(pid: int) -> list[str]:
    try:
        return [path.name for path in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:  # it has ended
        return []


def _children(pid: int, thread: str) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split()]
    except OSError:  # it has ended, or the system keeps no such lists
        return []


def _adopt_orphans(on: bool) -> bool:
    """Turn this on or off for this process, and return what it was."""
    import ctypes

    was = ctypes.c_int()
    _libc().prctl(_GET_SUBREAPER, ctypes.byref(was), 0, 0, 0)
    if bool(was.value) != on:
        _libc().prctl(_SET_SUBREAPER, int(on), 0, 0, 0)
    return bool(was.value)


@cache
def _libc() -> Any:
    import ctypes  # takes milliseconds, which a flow without timeouts can save

    return ctypes.CDLL(None)

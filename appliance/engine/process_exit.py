"""A process that ran user code ends like any Python process, within a limit: threads are joined, exit handlers and destructors run, and
files are written.

A run does so before its final state is reported, so that what the flow leaves behind is complete when its run has ended.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import AsyncGeneratorType, CoroutineType, GeneratorType

from appliance.core import flow_file
from appliance.kit import clock

LIMIT = 30.0
"""Seconds that threads and exit handlers may take."""
LIMIT_AFTER_STOP = 3.0
"""The same if the run is being cancelled, because its agent soon kills it."""
_LOOK = 0.1
_FILE = (io.TextIOBase, io.BufferedIOBase)
_HARMLESS = dict.fromkeys(
    map(id, (io.FileIO, io.BufferedReader, socket.socket, GeneratorType, CoroutineType, AsyncGeneratorType)), False
)
"""Types whose destructors only release what the system releases anyway. By id, because types of users may not be hashable."""


def end_user_code(is_stopping: Callable[[], bool], cut: Callable[[str], None]) -> None:
    """Wait for the flow's threads, run exit handlers and let go of the flow's variables. Call this in the main thread.

    When it takes too long, `cut` is called in another thread with a sentence about it. It must end the process.
    """
    turn, done = threading.Lock(), threading.Event()
    began = clock.monotonic()

    def watch() -> None:
        while not done.wait(_LOOK):
            limit = LIMIT_AFTER_STOP if is_stopping() else LIMIT
            if clock.monotonic() - began > limit and turn.acquire(blocking=False):
                cut(_obstacle(limit))

    threading.Thread(target=watch, name="appliance-exit", daemon=True).start()
    for step in (threading._shutdown, atexit._run_exitfuncs, _destroy):  # type: ignore[attr-defined]  # as the interpreter does
        try:
            step()
        except Exception:  # noqa: BLE001 - the interpreter, too, goes on
            traceback.print_exc()
    turn.acquire()  # waits for ever if the process is being ended
    done.set()


def flush_files() -> None:
    """Write what is in the buffers of open files."""
    _flush(*[one for one in _with_destructors() if issubclass(type(one), _FILE)])


def leave(code: int) -> None:
    """Exit without waiting for anything: after `end_user_code`, only libraries could have something left to do, and may crash in it."""
    _flush(sys.stdout, sys.stderr)
    os._exit(code)


def _obstacle(limit: float) -> str:
    threads = [thread.name for thread in threading.enumerate() if not thread.daemon and thread is not _main()]
    what = (
        f"threads of the flow are still running ({', '.join(threads)})"
        if threads
        else "exit handlers are still running"
    )
    return f"The process ends although {what}: they had {limit:g} s after the last task."


def _main() -> threading.Thread:
    return threading.main_thread()


def _destroy() -> None:
    """Write what is in the buffers of open files, and run the destructors of what the flow's variables hold."""
    remaining = _with_destructors()
    _flush(*[one for one in remaining if issubclass(type(one), _FILE)])
    others = any(not thread.name.startswith("appliance-") for thread in threading.enumerate() if thread is not _main())
    if remaining and not others:  # daemon threads would miss the variables
        del remaining
        flow_file.clear()
        gc.collect()


def _with_destructors() -> list[object]:
    """What Python would still call at exit: open files, and whatever else has a destructor."""
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    standard = {id(one) for stream in streams for one in (stream, getattr(stream, "buffer", None))}
    remaining, kinds = [], dict(_HARMLESS)
    for one in gc.get_objects():
        kind = type(one)
        if id(kind) not in kinds:
            own = kind.__module__.startswith("appliance.") if isinstance(kind.__module__, str) else False
            kinds[id(kind)] = not own and any("__del__" in vars(base) for base in kind.__mro__)
        if kinds[id(kind)] and id(one) not in standard:
            remaining.append(one)
    return remaining


def _flush(*files: object) -> None:
    for file in files:
        with suppress(Exception):  # it is closed, or of a class of the user's
            file.flush()  # type: ignore[attr-defined]

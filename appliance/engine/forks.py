"""Ends processes that a task's code has forked when they leave that code: only the process that began a task continues with the run."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

generation = 0
"""How many forks lie between this process and the first one. If it differs after a task's code, the code has forked."""


@contextmanager
def contained() -> Iterator[None]:
    """A process that is forked inside the block ends where it leaves the block. Put it around the code of a task, inside all else:
    what would be cleaned up after the code may need a lock that a thread of the parent held, which the child doesn't have."""
    before = generation
    try:
        yield
    finally:
        if generation != before:
            end()


def end() -> NoReturn:
    """End this process with the exit code that Python would give it after the error that is being handled, if any, without `atexit`
    handlers, as `multiprocessing` does."""
    code = 1
    try:
        code = _say_why(sys.exc_info()[1])
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # an object of the user's, or a closed one
                stream.flush()
    finally:
        os._exit(code)


def _say_why(error: BaseException | None) -> int:
    if error is None:
        sys.stderr.write(
            "A process that a task forked returned from the task's code, and was ended: a task runs only once.\n"
        )
        return 0
    if not isinstance(error, SystemExit):
        traceback.print_exception(error)
        return 1
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1


def _on_fork() -> None:
    global generation
    generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_on_fork)

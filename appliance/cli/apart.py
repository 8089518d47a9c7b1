"""Part of a start in a process of its own: it uses the other core, and what it loads and opens doesn't stay in processes that live long."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

from appliance.cli.prepare import StartError
from appliance.cli.token_pipe import FORK
from appliance.kit import hidden_memory, lifecycle
from appliance.server.errors import ServerError

T = TypeVar("T")


def apart(what: str, work: Callable[[], T], enter: Callable[[], None] = lambda: None) -> Callable[[], T]:
    """Begin the work, as the user that `enter` becomes. The function returned waits for its result, and raises StartError if there is none."""
    reader, writer = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_do, args=(work, enter, writer, os.getpid()), name=what)
    process.start()
    writer.close()

    def result() -> T:
        try:
            value, problem = reader.recv()
        except EOFError:
            value, problem = None, f"The process that {what} died; check the output above, then start again."
        process.join()
        process.close()
        reader.close()
        if problem:
            raise StartError(problem)
        done: T = value
        return done

    return result


def _do(work: Callable[[], T], enter: Callable[[], None], result: Connection, parent: int) -> None:
    enter()  # first, because the kernel forgets at a change of the user with whom a process wants to die
    hidden_memory.hide()
    lifecycle.die_with(parent)  # it holds the lock of the data directory, too
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches the parent as well, which says so
    try:
        result.send((work(), ""))
    except StartError as error:
        result.send((None, error.message))
    except ServerError as error:
        result.send((None, error.message))

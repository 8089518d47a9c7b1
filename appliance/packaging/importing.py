"""Around the import of a flow's file by a command: what the file prints is not part of the command's answer, what takes long is said, and what has no
end is given up."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import FrameType

from appliance.packaging.storage import LoadError

Say = Callable[[str], None]
PATIENCE = 5.0
"""Seconds until the first sentence; each further one comes after twice as long."""
LIMIT = 300.0
"""Seconds until the import is given up."""


class _GivenUp(KeyboardInterrupt):
    """Ends an import, as somebody would who waits no longer."""


@contextmanager
def watched(file: Path, say: Say) -> Iterator[None]:
    """What is printed inside goes to stderr. A sentence says which module an import is in that takes long, or that was interrupted. Raises LoadError for
    one that has not come to its end at the limit."""
    done = threading.Event()
    importer = threading.get_ident()
    threading.Thread(target=_watch, args=(done, importer, file, say), daemon=True).start()
    try:
        with redirect_stdout(sys.stderr), _limited():
            yield
    except _GivenUp as error:
        raise LoadError(
            f"The flow file {file.name} can't be loaded: it was given up after {LIMIT:.0f} s{_within(error)}. Do what takes long in a task."
        ) from error
    except KeyboardInterrupt as error:
        say(f"Interrupted while {file.name} was imported{_within(error)}.")
        raise
    finally:
        done.set()


@contextmanager
def _limited() -> Iterator[None]:
    """Raise _GivenUp at the limit, in the main thread, which alone can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise _GivenUp


def _watch(done: threading.Event, importer: int, file: Path, say: Say) -> None:
    waited, pause = 0.0, PATIENCE
    while not done.wait(pause):
        waited += pause
        pause = waited
        say(f"Still importing {file.name} after {waited:.0f} s{_place(importer)}; press Ctrl-C to give up.")


def _place(importer: int) -> str:
    """The innermost module that the thread imports, and its line."""
    frame = sys._current_frames().get(importer)
    while frame is not None:
        if frame.f_code.co_name == "<module>" and not frame.f_code.co_filename.startswith("<"):
            return f": module {frame.f_globals.get('__name__')}, line {frame.f_lineno}"
        frame = frame.f_back
    return ""


def _within(error: BaseException) -> str:
    place, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "<module>":
            place = f" (module {trace.tb_frame.f_globals.get('__name__')}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place

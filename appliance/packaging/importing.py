"""Around the import of a flow's file by a command: what the file prints is not part of the command's answer, and what takes long is said."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

Say = Callable[[str], None]
PATIENCE = 5.0
"""Seconds until the first sentence; each further one comes after twice as long."""


@contextmanager
def watched(file: Path, say: Say) -> Iterator[None]:
    """What is printed inside goes to stderr. A sentence says which module an import is in that takes long, or that was interrupted."""
    done = threading.Event()
    importer = threading.get_ident()
    threading.Thread(target=_watch, args=(done, importer, file, say), daemon=True).start()
    try:
        with redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt as error:
        say(f"Interrupted while {file.name} was imported{_within(error)}.")
        raise
    finally:
        done.set()


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

"""SIGTERM ends `flow.run()` as Ctrl-C does, with all cleanup, and then the process with the exit status of SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from appliance.kit import lifecycle

EXIT_STATUS = 128 + signal.SIGTERM


@contextmanager
def on_sigterm() -> Iterator[None]:
    """Inside the block, SIGTERM interrupts the main thread once, and raises SystemExit at the end. A handler of the user's stays."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    received = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal received
        if not received:  # the cleanup is not to be interrupted by another one
            received = True
            raise KeyboardInterrupt

    lifecycle.on_signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is interrupt:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if received:
            raise SystemExit(EXIT_STATUS)

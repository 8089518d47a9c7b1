"""Ends this process when its event loop stays silent: it would hold its port and answer nobody, and its supervisor can start another."""

from __future__ import annotations

import asyncio
import faulthandler
import sys

SILENCE = 15.0
_BEAT = 1.0


class LoopWatchdog:
    """Waits outside of Python, so that code that never releases the interpreter can't stop it. It prints where all threads are, then exits with 1."""

    def __init__(self, silence: float = SILENCE) -> None:
        self._silence = silence
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the thread of a running event loop."""
        loop = asyncio.get_running_loop()
        faulthandler.dump_traceback_later(self._silence, exit=True, file=sys.__stderr__ or sys.stderr)
        self._next = loop.call_later(min(_BEAT, self._silence / 3), self.start)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
        faulthandler.cancel_dump_traceback_later()

"""Shuts processes down cleanly: an event that SIGTERM or SIGINT sets, handlers that children don't inherit, and children that die with
their parent."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from appliance.kit import crash

_PR_SET_PDEATHSIG = 1  # from linux/prctl.h

Handler = Callable[[int, FrameType | None], None]


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM or SIGINT sets. Call this once, in the main thread, before any work starts."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stop


def on_signal(number: signal.Signals, handler: Handler) -> None:
    """Handle a signal in this process only: its children start with the default action, whether they are forks or programs."""
    _restore_in_forks()
    signal.signal(number, handler)
    _handlers[number] = handler


def start_afresh() -> None:
    """Undo what a parent ignored or blocked, since whatever this process starts would inherit it."""
    ignored_by_python = {signal.SIGPIPE, signal.SIGXFSZ}  # but not for children
    for number in signal.valid_signals() - ignored_by_python:
        if signal.getsignal(number) is signal.SIG_IGN:
            _set_default(number)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@functools.cache
def _restore_in_forks() -> None:
    os.register_at_fork(before=_hold_signals, after_in_parent=_release_signals, after_in_child=_restore_defaults)


def _hold_signals() -> None:
    """A signal for the child must meet the child's handlers."""
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, _handlers)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)


def _restore_defaults() -> None:
    for number, handler in _handlers.items():
        if signal.getsignal(number) is handler:  # otherwise the user's code has set another
            _set_default(number)
    _handlers.clear()
    _release_signals()


def _set_default(number: int) -> None:
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


_handlers: dict[int, Handler] = {}
_mask = threading.local()


def die_with(parent: int) -> None:
    """Called in a child: from now on the kernel kills this process when its parent dies for any reason (Linux only). If `parent`, the
    pid that forked it, is dead already, end at once: the kernel tells no one of a death that came before the request."""
    crash.point("fork.child")
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)

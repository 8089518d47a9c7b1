"""Turns a task's printed lines into log lines. Only tasks that enable this are affected; other threads print as before."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

_lock = threading.Lock()
_users = 0
_original: TextIO | None = None


class _Lines:
    """Collects text and logs each full line."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger, self.rest = logger, ""

    def write(self, text: str) -> int:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self.logger.info("%s", line)
        return len(text)

    def close(self) -> None:
        if self.rest:
            self.logger.info("%s", self.rest)
            self.rest = ""


_sink: ContextVar[_Lines | None] = ContextVar("stdout_sink", default=None)


class _Proxy(io.TextIOBase):
    """Replaces sys.stdout while any task's output is being captured."""

    def __init__(self, original: TextIO) -> None:
        self._original = original

    def write(self, text: str) -> int:
        sink = _sink.get()
        if sink is None:
            return self._original.write(text)
        token = _sink.set(None)  # a log handler that writes to stdout must not come back here
        try:
            return sink.write(text)
        finally:
            _sink.reset(token)

    def flush(self) -> None:
        if _sink.get() is None:
            self._original.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


@contextmanager
def capture(logger: logging.Logger) -> Iterator[None]:
    """Log everything that this thread prints inside the block, line by line at level INFO."""
    lines = _Lines(logger)
    _install()
    token = _sink.set(lines)
    try:
        yield
    finally:
        lines.close()
        _sink.reset(token)
        _remove()


def _install() -> None:
    global _users, _original
    with _lock:
        _users += 1
        if _users == 1:
            _original, sys.stdout = sys.stdout, _Proxy(sys.stdout)


def _remove() -> None:
    global _users, _original
    with _lock:
        _users -= 1
        if _users == 0 and _original is not None:
            sys.stdout, _original = _original, None

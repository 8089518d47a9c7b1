"""Sends what code writes to sys.stdout and sys.stderr to a sink, which may differ from task to task.

The stream objects themselves stay in place and keep their attributes; only their `write` and `flush` are shadowed while something is
captured. So whatever else replaces, wraps or inspects the streams works as always.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from contextvars import ContextVar
from typing import Any

from appliance.core.logs import get_logger
from appliance.engine.output.descriptors import leads_elsewhere, place_of
from appliance.engine.output.lines import Lines

STDOUT, STDERR = "stdout", "stderr"
Streams = tuple[str, ...]
BOTH: Streams = (STDOUT, STDERR)

Emit = Callable[[str, str], None]
"""Receives the name of a stream and a line."""


class Sink:
    """Logs what is written to `streams`, as lines of the task `name`, if any. Each thread's lines are kept apart."""

    __slots__ = ("_lines", "_name", "streams")

    def __init__(self, streams: Streams, name: str | None = None) -> None:
        self.streams = streams
        self._name = name
        self._lines: dict[tuple[int, str], Lines] = {}

    def lines(self, stream: str) -> Lines:
        """The lines that this thread writes to the stream."""
        key = threading.get_ident(), stream
        lines = self._lines.get(key)
        if lines is None:
            lines = self._lines[key] = Lines(lambda line: log_line(stream, line, self._name))
        return lines

    def close(self) -> None:
        """Log the lines that have no end yet. In a forked child, these are the parent's."""
        if self._lines and not _forked:
            for lines in list(self._lines.values()):
                lines.close()


class _Nowhere(Sink):
    """Drops what is written to `streams`."""

    __slots__ = ()

    def lines(self, stream: str) -> Lines:
        return _NO_LINES


class _NoLines(Lines):
    def write(self, text: str) -> None:
        pass

    def write_bytes(self, data: bytes) -> None:
        pass


_NO_LINES = _NoLines(lambda _line: None)

UNTOUCHED: Sink = _Nowhere(())
"""The output goes to the streams themselves."""
DROPPED: Sink = _Nowhere(BOTH)
"""The output goes nowhere."""

current_sink: ContextVar[Sink | None] = ContextVar("current_sink", default=None)
_default: Sink = UNTOUCHED
_drops: Callable[[str], bool] | None = None
_UNTAPPED = object()
_tapped: tuple[Any, Any] = (_UNTAPPED, _UNTAPPED)
"""The streams for which there is a tap until the process's capture ends."""
_forked = False
"""Is this a child that a task has forked? It writes to the streams themselves, as any program would."""


def logged(streams: Streams, name: str | None = None) -> Sink:
    """A sink that logs each line at level INFO, by the run's logger `NAME.stdout` or `NAME.stderr`."""
    return Sink(streams, name) if streams else DROPPED


def log_line(stream: str, line: str, name: str | None = None, **fields: Any) -> None:
    """Log a line that was written to a stream. What log handlers write in turn is not captured again."""
    if _drops is not None and _drops(line):
        return
    logger = get_logger(f"{name}.{stream}" if name else stream)
    if not logger.isEnabledFor(logging.INFO):
        return
    record = logging.LogRecord(logger.name, logging.INFO, f"<{stream}>", 0, line, None, None)
    vars(record).update(fields, stream=stream)
    token = current_sink.set(UNTOUCHED)
    try:
        logger.handle(record)
    finally:
        current_sink.reset(token)


class capture:
    """Inside the block, what this thread writes goes to the sink, and so does what threads that the task starts write."""

    __slots__ = ("_sink", "_taps", "_token")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def __enter__(self) -> None:
        tapped = sys.stdout is _tapped[0] and sys.stderr is _tapped[1]
        self._taps = () if tapped else _open(self._sink.streams)
        self._token = current_sink.set(self._sink)

    def __exit__(self, *_error: object) -> None:
        if sys.stdout is not _tapped[0] or sys.stderr is not _tapped[1]:
            _flush_wrappers()
        current_sink.reset(self._token)
        self._sink.close()
        if self._taps:
            _close(self._taps)


@contextmanager
def capture_process(sink: Sink, drops: Callable[[str], bool]) -> Iterator[None]:
    """Inside the block, whatever this process writes outside of `capture` goes to the sink. Lines for which `drops` is true are not logged."""
    global _default, _drops, _tapped
    taps = _open(BOTH)
    before = _default, _drops, _tapped
    _default, _drops, _tapped = sink, drops, (sys.stdout, sys.stderr)
    try:
        yield
    finally:
        _flush_wrappers()
        _default, _drops, _tapped = before
        sink.close()
        _close(taps)
        for tap in taps:  # what code wrote while it had led the descriptor elsewhere
            with suppress(Exception):
                tap.stream.flush()


@contextmanager
def kept() -> Iterator[None]:
    """After the block, sys.stdout and sys.stderr are what they were, unless a redirect that someone else has begun is still in effect."""
    before = sys.stdout, sys.stderr
    try:
        yield
    finally:
        if (sys.stdout is not before[0] or sys.stderr is not before[1]) and not _is_redirected():
            sys.stdout, sys.stderr = before


def _is_redirected() -> bool:
    """Is a block of `contextlib.redirect_stdout` or `redirect_stderr` active in any thread? This takes a while."""
    return any(
        issubclass(type(one), redirect_stdout | redirect_stderr) and getattr(one, "_old_targets", None)
        for one in gc.get_objects()
    )


@contextmanager
def dropped() -> Iterator[None]:
    """Inside the block, what this thread writes to captured streams goes nowhere."""
    token = current_sink.set(DROPPED)
    try:
        yield
    finally:
        current_sink.reset(token)


def in_forked_child() -> bool:
    """Is this a process that was forked while output was captured? Nothing reports from there."""
    return _forked


def _target(stream: str) -> Sink | None:
    if _forked:
        return None
    sink = current_sink.get() or _default
    return sink if stream in sink.streams else None


class _Tap:
    """Shadows the methods of one stream object, as long as anyone captures it."""

    def __init__(self, name: str, stream: Any) -> None:
        self.stream = stream
        self.users = 0
        self.place = place_of(stream)
        self._name = name
        self._shadowed: list[tuple[Any, str, Any, Any]] = []  # object, attribute, ours, what it had itself before
        write, flush = stream.write, getattr(stream, "flush", lambda: None)

        def write_text(text: str) -> Any:
            sink = self._sink()
            if sink is None:
                return write(text)
            if not isinstance(text, str):
                raise TypeError(f"write() argument must be str, not {type(text).__name__}")
            sink.lines(name).write(text)
            return len(text)

        def flush_unless_captured() -> None:
            if self._sink() is None:
                flush()

        self._shadow(stream, "write", write_text)
        self._shadow(stream, "flush", flush_unless_captured)
        self._shadow_buffer()

    def _sink(self) -> Sink | None:
        """Where the output goes now. If code has led the stream's descriptor elsewhere, with `os.dup2`, it wants the output there."""
        sink = _target(self._name)
        return None if sink is None or (self.place and leads_elsewhere(self.place)) else sink

    def _shadow_buffer(self) -> None:
        try:
            buffer = self.stream.buffer
            write = buffer.write
        except (AttributeError, ValueError):  # it has none, or was detached
            return

        def write_bytes(data: Any) -> Any:
            sink = self._sink()
            if sink is None:
                return write(data)
            view = memoryview(data)
            sink.lines(self._name).write_bytes(view.tobytes())
            return view.nbytes

        self._shadow(buffer, "write", write_bytes)

    def _shadow(self, target: Any, attribute: str, ours: Any) -> None:
        before = getattr(target, "__dict__", {}).get(attribute)
        with suppress(AttributeError, TypeError):  # an object that can't be changed is left alone
            setattr(target, attribute, ours)
            self._shadowed.append((target, attribute, ours, before))

    def remove(self) -> None:
        for target, attribute, ours, before in self._shadowed:
            if target.__dict__.get(attribute) is not ours:  # someone else has shadowed it after us
                continue
            if before is None:
                delattr(target, attribute)
            else:
                setattr(target, attribute, before)


def _is_to_be_tapped(name: str, stream: Any) -> bool:
    """What code has put in front of a captured stream does its work first, and is not tapped unless it is merely another file object
    for the same descriptor."""
    tapped = _tapped[BOTH.index(name)]
    if tapped is _UNTAPPED or stream is tapped:
        return True
    return type(stream) is io.TextIOWrapper and place_of(stream) == place_of(tapped)


_lock = threading.Lock()
_taps: dict[int, _Tap] = {}  # by the id of the stream object, which the tap keeps alive


def _open(streams: Streams) -> tuple[_Tap, ...]:
    taps = []
    with _lock:
        for name in streams:
            stream = getattr(sys, name)
            if not hasattr(stream, "write") or not _is_to_be_tapped(name, stream):
                continue
            tap = _taps.get(id(stream))
            if tap is None:
                tap = _taps[id(stream)] = _Tap(name, stream)
            tap.users += 1
            taps.append(tap)
    return tuple(taps)


def _close(taps: tuple[_Tap, ...]) -> None:
    with _lock:
        for tap in taps:
            tap.users -= 1
            if not tap.users:
                del _taps[id(tap.stream)]
                tap.remove()


def _flush_wrappers() -> None:
    """Flush objects that code has put in front of the streams, so that what they hold back arrives in time."""
    for stream in (sys.stdout, sys.stderr):
        if id(stream) not in _taps:
            with suppress(Exception):  # an object of the user's, or a closed one
                stream.flush()


def _on_fork() -> None:
    global _forked
    _forked = bool(_taps)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_on_fork)

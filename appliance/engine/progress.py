"""What a person sees of `flow.run()`: live on a terminal, plain lines elsewhere, and a summary at the end."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TextIO

from appliance.core.logs import ROOT, get_logger
from appliance.core.states import State
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.progress_counts import Counts
from appliance.engine.progress_summary import printable, summary
from appliance.kit import clock, env
from appliance.kit.logs import PlainFormatter

_logger = get_logger()
_NARROWEST = 20
"""Columns; on a narrower terminal a tree can't be read."""
_PLAIN_EVERY = 30.0
"""Seconds between two plain lines about a run that goes on."""


def carried_out(runner: FlowRunner, wanted: bool | None) -> State:
    """Run, and show it."""
    name, began = runner.flow.name, clock.monotonic()
    _logger.info("Flow %r started with %d tasks.", name, len(runner.flow.slugs))
    with _shown(runner, wanted):
        state = runner.run()
    level = logging.ERROR if state.is_failed() else logging.INFO
    for line in summary(runner.flow, state, clock.monotonic() - began):
        _logger.log(level, "%s", line)
    return state


def is_live() -> bool:
    """May standard error be drawn on? Not in pipes, CI, on dumb or tiny terminals, nor for people who want no colours."""
    return (
        _is_terminal(sys.stderr)
        and not any(os.environ.get(name) for name in ("NO_COLOR", "CI"))
        and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
        and _width() >= _NARROWEST
    )


def is_someone_there() -> bool:
    """Is there a person at a terminal to answer a question?"""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def asked(slug: str, count: int) -> bool:
    """Ask whether a paused task may go on; Enter means yes, an end of input or Ctrl-C no."""
    children = f" ({count} of its children)" if count > 1 else ""
    print(f"Task {printable(repr(slug))}{children} is paused. Resume? [Y/n] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        line = ""
    if not line:
        print(file=sys.stderr)  # noqa: T201 - a question of ours needs its end of line
        return False
    return line.strip().lower() in ("", "y", "yes")


@contextmanager
def log_lines() -> Iterator[None]:
    """Show the run's log lines on standard error, unless the program has set up logging itself."""
    root = logging.getLogger(ROOT)
    before, handler = root.level, None
    if before == logging.NOTSET:
        root.setLevel(logging.INFO)
    if not root.hasHandlers():
        handler = _StandardError()
        handler.setFormatter(_SafeFormatter() if _is_terminal(sys.stderr) else PlainFormatter())
        root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(before)
        if handler is not None:
            root.removeHandler(handler)


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what sys.stderr is at that moment, so that lines go above a live display."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # the base class keeps it as an attribute
        return sys.stderr


class _SafeFormatter(PlainFormatter):
    """For terminals: control characters of messages are shown, not obeyed."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _shown(runner: FlowRunner, wanted: bool | None) -> AbstractContextManager[Any]:
    if wanted is None:
        setting = env.read(os.environ, "APPLIANCE", ("progress",)).get("progress", "")
        wanted = setting.strip().lower() not in ("off", "0", "false", "no")
    if not wanted:
        return nullcontext()
    if is_live():
        from appliance.engine.progress_live import live

        return live(Counts.of(runner))
    return _plain(Counts.of(runner)) if _logger.isEnabledFor(logging.INFO) else nullcontext()


@contextmanager
def _plain(counts: Counts) -> Iterator[None]:
    """A line now and then about a run that takes its time."""
    over, began = threading.Event(), clock.monotonic()

    def watch() -> None:
        said = ""
        while not over.wait(_PLAIN_EVERY):
            counts.catch_up()
            if (text := counts.line()) != said:
                said = text
                _logger.info("Flow %r after %.0f s: %s.", counts.name, clock.monotonic() - began, text)

    thread = threading.Thread(target=watch, name="appliance-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):  # a terminal that doesn't tell
        return 80

"""What a person sees during `flow.run()`: a live display on a terminal if rich is installed, plain lines otherwise, and a summary at the end."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TextIO

from appliance.core.flow import Flow
from appliance.core.logs import ROOT, get_logger
from appliance.core.states import State
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.progress_counts import Counts
from appliance.engine.progress_summary import summary
from appliance.kit import clock, env
from appliance.kit.distribution import is_installed
from appliance.kit.logs import PlainFormatter
from appliance.kit.printable import printable

_logger = get_logger()
_NARROWEST = 20
"""Columns. On a narrower terminal, the tree is unreadable."""
_PLAIN_EVERY = 30.0
"""Seconds between two plain progress lines."""


def run_with_progress(runner: FlowRunner, enabled: bool | None) -> State:
    """Run the flow and show its progress."""
    began = clock.monotonic()
    _logger.info("%s", start_line(runner.flow))
    with _display(runner, enabled):
        state = runner.run()
    level = logging.ERROR if state.is_failed() else logging.INFO
    for line in summary(runner.flow, state, clock.monotonic() - began):
        _logger.log(level, "%s", line)
    return state


def start_line(flow: Flow) -> str:
    """The first line of the run's log."""
    number = len(flow.slugs)
    return f"Flow {flow.name!r} started with {number:,} {'task' if number == 1 else 'tasks'}."


def is_live() -> bool:
    """Can standard error show a live display? Not in pipes or CI, on dumb or tiny terminals, or if NO_COLOR is set."""
    return (
        _is_terminal(sys.stderr)
        and not any(os.environ.get(name) for name in ("NO_COLOR", "CI"))
        and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
        and _width() >= _NARROWEST
    )


def is_interactive() -> bool:
    """Is there a terminal at which a person can answer a question?"""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def confirm_resume(slug: str, count: int) -> bool:
    """Ask whether to resume a paused task. Enter means yes; end of input or Ctrl-C means no."""
    children = f" ({count} of its children)" if count > 1 else ""
    print(f"Task {printable(repr(slug))}{children} is paused. Resume? [Y/n] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        line = ""
    if not line:
        print(file=sys.stderr)  # noqa: T201 - ends the line of the question
        return False
    return line.strip().lower() in ("", "y", "yes")


@contextmanager
def log_lines() -> Iterator[None]:
    """Write the run's log lines to standard error, unless the program has configured logging."""
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
    """Writes to the current sys.stderr, so that lines appear above a live display."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # the base class keeps it as an attribute
        return sys.stderr


class _SafeFormatter(PlainFormatter):
    """For terminals: control characters in messages are printed as text and have no effect."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _display(runner: FlowRunner, enabled: bool | None) -> AbstractContextManager[Any]:
    if enabled is None:
        setting = env.read(os.environ, "APPLIANCE", ("progress",)).get("progress", "")
        enabled = setting.strip().lower() not in ("off", "0", "false", "no")
    if not enabled:
        return nullcontext()
    if is_live() and is_installed("rich"):
        from appliance.engine.progress_live import live

        return live(Counts.of(runner))
    return _plain(Counts.of(runner)) if _logger.isEnabledFor(logging.INFO) else nullcontext()


@contextmanager
def _plain(counts: Counts) -> Iterator[None]:
    """Log a line at intervals during a long run."""
    over, began = threading.Event(), clock.monotonic()

    def watch() -> None:
        last = ""
        while not over.wait(_PLAIN_EVERY):
            counts.catch_up()
            if (text := counts.line()) != last:
                last = text
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
    except (OSError, ValueError):  # a terminal that doesn't report its size
        return 80

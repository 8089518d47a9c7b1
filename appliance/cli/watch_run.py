"""Follows a run on the terminal: prints its states and log lines as they arrive, until it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

import click

from appliance.cli import zone
from appliance.cli.output import echo
from appliance.client import errors, flow_runs
from appliance.client.transport import Transport
from appliance.kit import backoff
from appliance.kit.printable import entry, one_line
from appliance.protocol.flow_runs import FlowRunView
from appliance.protocol.logs import FoundLine, LogView, Stream, stream_of
from appliance.protocol.states import TERMINAL, StateView

POLL_SECONDS = 0.4
COLOURS = {"SUCCESS": "green", "FAILED": "red", "CANCELLED": "yellow", "RUNNING": "blue", "CANCELLING": "yellow"}
LEVEL_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}

_SOON = (None, "soon", "starting")
"""Reasons that are gone in a moment are not worth a line."""


def say_why_it_waits(transport: Transport, flow_run_id: UUID) -> None:
    """One line for a run that doesn't start in a moment. None for one that can't be asked for: it has been created, which is what counts."""
    with suppress(errors.ClientError):
        _say_why(flow_runs.get(transport, flow_run_id))


def _say_why(run: FlowRunView) -> None:
    if run.wait_code not in _SOON:
        echo(f"Waiting: {zone.in_zone(run.wait_reason or '')}", err=True)


def follow(
    transport: Transport,
    flow_run_id: UUID,
    *,
    quiet: bool = False,
    level: str | None = None,
    stream: Stream | None = None,
) -> FlowRunView:
    """Print what happens until the run ends, and return the run. Of its log lines, only those of a level or higher or of a stream. Keeps trying while the server can't be reached."""
    seen_version, seen_log, reason, is_away = 0, 0, None, False
    pause, away = threading.Event(), backoff.delays(0.5, 5.0)
    while True:
        try:
            run = flow_runs.get(transport, flow_run_id)
            states = [] if quiet else flow_runs.states(transport, flow_run_id)
            logs = (
                []
                if quiet
                else flow_runs.logs(transport, flow_run_id, after=seen_log or None, level=level, stream=stream)
            )
            lines = _in_order([state for state in states if state.version > seen_version], logs)
        except errors.PASSING as error:
            if not is_away:
                echo(f"Waiting for the server: {error}", err=True)
            is_away = True
            pause.wait(next(away))
            continue
        is_away = False
        away = backoff.delays(0.5, 5.0)
        if lines and not seen_version and not seen_log:
            say_zone()
        for line in lines:
            if isinstance(line, StateView):
                seen_version = line.version
            else:
                seen_log = max(seen_log, line.id)  # lines are sorted by time, and those of workers may arrive late
            echo(state_line(line) if isinstance(line, StateView) else log_line(line))
        if run.state_type in TERMINAL:
            return run
        if run.wait_reason != reason:
            _say_why(run)
        reason = run.wait_reason
        pause.wait(POLL_SECONDS)


def say_zone() -> None:
    """Say in which zone the times of the following lines are, apart from the lines themselves."""
    echo(f"Times are in {zone.name()}.", err=True)


def _in_order(states: Iterable[StateView], logs: Iterable[LogView]) -> list[StateView | LogView]:
    """States and log lines in chronological order."""
    news: list[StateView | LogView] = [*states, *logs]
    return sorted(news, key=lambda line: line.at)


def state_line(state: StateView) -> str:
    """A state change as a line."""
    word = click.style(one_line(state.name), fg=COLOURS.get(state.type), bold=True)
    return f"{_clock(state)}  {word}{': ' + entry(state.message) if state.message else ''}"


def log_line(log: LogView) -> str:
    """A log entry as a line, with its task, and with the stream if it was written to standard error."""
    return f"{_clock(log)}  {_entry(log)}"


def found_line(log: FoundLine) -> str:
    """A line of any run, with its date and the flow and name of its run."""
    run = f"{one_line(log.project)}/{one_line(log.flow)} {one_line(log.run_name)}"
    return f"{zone.text(log.at)}  {click.style(run, bold=True)}  {_entry(log)}"


def _entry(log: LogView) -> str:
    level = click.style(f"{log.level:<7}", fg=LEVEL_COLOURS.get(log.level))
    task = f" {one_line(log.task_slug)}{f'[{log.map_index}]' if log.map_index >= 0 else ''}" if log.task_slug else ""
    stream = " (stderr)" if stream_of(log.logger) == "stderr" else ""
    source = f"{task}{stream}"
    return f"{level}{source}{':' if source else ''} {entry(log.message)}"


def _clock(line: StateView | LogView) -> str:
    return zone.local(line.at).strftime("%H:%M:%S.%f")[:-3]

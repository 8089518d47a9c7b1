"""The options that select runs, of lists and of bulk actions alike, and the filter that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from appliance.cli.identifiers import RunId, id_in
from appliance.cli.values import Assignment, Length, Moment, distinct, single
from appliance.protocol.run_filter import RunFilter

F = TypeVar("F", bound=Callable[..., Any])


def run_conditions(prefix: str = "") -> Callable[[F], F]:
    """The options. With a prefix such as `run-`, those have it whose plain names mean the change to make."""

    def decorate(command: F) -> F:
        for option in reversed((_query(), *_names(prefix), *_contents(prefix), *_times())):
            command = option(command)
        return command

    return decorate


def filter_of(options: dict[str, Any]) -> RunFilter:
    """The filter that the options make; they are taken from `options`."""
    flow = options.pop("flow")
    flow_id = None if flow is None else id_in(flow)
    return RunFilter(
        q=options.pop("q"),
        states=list(options.pop("states")),
        flow_id=flow_id,
        flow=flow if flow_id is None else None,
        project=options.pop("project"),
        name=options.pop("name"),
        text=options.pop("text"),
        since=options.pop("since"),
        until=options.pop("until"),
        labels=list(options.pop("run_labels")),
        parameters=dict(options.pop("run_parameters")),
        longer_than=options.pop("longer_than"),
        shorter_than=options.pop("shorter_than"),
        parent=options.pop("parent"),
        include_future=options.pop("include_future"),
    )


def _once(*names: str, **attributes: Any) -> Callable[[F], F]:
    return click.option(*names, multiple=True, callback=single, **attributes)


def _query() -> Callable[[F], F]:
    return _once(
        "--query",
        "q",
        help='Only runs that match this filter, which is written as in the UI: "state:failed flow:etl-* since:7d".',
    )


def _names(prefix: str) -> tuple[Callable[[F], F], ...]:
    return (
        _once("--flow", help="Only runs of this flow: its name, project/flow, or id."),
        _once("--project", help="Only runs of this project."),
        click.option(
            "--state",
            "states",
            multiple=True,
            help="Only runs in this state, by name or type, such as Failed or RUNNING (repeatable).",
        ),
        _once(f"--{prefix}name", "name", help="Only runs of this name."),
        _once("--text", help="Only runs whose name or flow name contains this text."),
        _once("--parent", type=RunId(), help="Only runs that tasks of this run have started."),
    )


def _contents(prefix: str) -> tuple[Callable[[F], F], ...]:
    return (
        click.option(
            f"--{prefix}label", "run_labels", multiple=True, help="Only runs that have this label (repeatable)."
        ),
        click.option(
            *(() if prefix else ("-p",)),
            f"--{prefix}param",
            "run_parameters",
            multiple=True,
            type=Assignment(),
            callback=distinct,
            help="Only runs that have this value of a parameter, as key=json (repeatable).",
        ),
        _once(
            "--longer-than", type=Length(), help="Only runs that took longer than this so far, such as 90s, 10m, or 2h."
        ),
        _once("--shorter-than", type=Length(), help="Only runs that took less time than this so far."),
    )


def _times() -> tuple[Callable[[F], F], ...]:
    return (
        _once("--since", type=Moment(), help="Only runs due at or after this time, or in the last 7d."),
        _once("--until", type=Moment(), help="Only runs due before this time, or longer ago than 1h."),
        click.option("--include-future", is_flag=True, help="Include runs that are not due yet."),
    )

"""`appliance bulk VERB`: one thing done to all runs that match."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.mark import MARKED_STATES
from appliance.cli.output import as_json
from appliance.cli.values import Assignment, AwareTime
from appliance.protocol.verbs import VERBS, Verb

_WITH_OPTIONS = ("restart", "mark", "edit")  # below; the others need only to know which runs
F = TypeVar("F", bound=Callable[..., Any])


@click.group(
    epilog="\b\nExamples:\n  appliance bulk cancel --flow etl --state Late"
    "\n  appliance bulk restart --project finance --state Failed --since 2026-01-31T00:00:00Z --reason 'database is back'"
    "\n  appliance bulk delete --run ID --run ID --yes"
)
def bulk() -> None:
    """Do one thing to all runs that match."""


def _selection(command: F) -> F:
    """The options that say which runs, and how to go about it."""
    for option in reversed(
        (
            click.option("--run", "ids", multiple=True, type=RunId(), help="A run by its id, instead of a filter."),
            click.option("--flow", help="Only runs of this flow."),
            click.option("--project", help="Only runs of this project."),
            click.option("--state", "states", multiple=True, help="Only runs in this state, by name or type."),
            click.option("--text", help="Only runs whose name, or whose flow's name, contains this."),
            click.option("--since", type=AwareTime(), help="Only runs due at this time or later, with an offset."),
            click.option("--until", type=AwareTime(), help="Only runs due before this time, with an offset."),
            click.option("--include-future", is_flag=True, help="Also runs that are scheduled for later."),
            click.option("--reason", default="", help="Why; kept in the runs' histories."),
            click.option("--yes", is_flag=True, help="Don't ask first."),
            click.option("--wait/--no-wait", default=True, help="Follow the job until it is over."),
            as_json,
        )
    ):
        command = option(command)
    return command


def _plain(verb: Verb) -> None:
    """A subcommand that has no options but those of the selection."""

    @bulk.command(verb.command, help=verb.bulk_summary)
    @_selection
    def command(**options: Any) -> int:
        return _do(verb.name, options)


for _verb in VERBS.values():
    if _verb.bulk_summary is not None and _verb.name not in _WITH_OPTIONS:
        _plain(_verb)


@bulk.command(help=VERBS["restart"].bulk_summary)
@click.option("--newest-version", is_flag=True, help="Go on with the newest version of their flows.")
@click.option("--from-task", help="A task, by its slug, that runs again too, with all that comes after it.")
@click.option("-p", "--param", "parameters", multiple=True, type=Assignment(), help="Another value for a parameter.")
@_selection
def restart(
    newest_version: bool, from_task: str | None, parameters: tuple[tuple[str, Any], ...], **options: Any
) -> int:
    return _do("restart", options, newest_version=newest_version, from_task=from_task, parameters=dict(parameters))


@bulk.command(help=VERBS["mark"].bulk_summary)
@click.argument("marked", metavar="STATE", type=click.Choice(MARKED_STATES, case_sensitive=False))
@_selection
def mark(marked: str, **options: Any) -> int:
    return _do("mark", options, state=marked)


@bulk.command(help=VERBS["edit"].bulk_summary)
@click.option("--label", "labels", multiple=True, help="A label that the agent must have, instead of those of now.")
@click.option("--no-labels", is_flag=True, help="Any agent may take them.")
@click.option("--priority", type=int, help="From -1000 to 1000; the highest goes first.")
@click.option("--at", "scheduled_time", type=AwareTime(), help="When they are due, ISO 8601 with an offset.")
@_selection
def edit(
    labels: tuple[str, ...], no_labels: bool, priority: int | None, scheduled_time: datetime | None, **options: Any
) -> int:
    chosen = [] if no_labels else list(labels) or None
    return _do("edit", options, labels=chosen, priority=priority, scheduled_time=scheduled_time)


def _do(action: Any, options: dict[str, Any], **fields: Any) -> int:
    from appliance.cli.watch_job import finish
    from appliance.client import jobs
    from appliance.protocol.jobs import Bulk
    from appliance.protocol.run_filter import RunFilter

    ids: list[UUID] = list(options.pop("ids"))
    json_output, yes, wait = options.pop("json_output"), options.pop("yes"), options.pop("wait")
    reason = options.pop("reason")
    conditions: dict[str, Any] = options | {"states": list(options["states"])}
    wanted = RunFilter(**conditions)
    if ids and wanted != RunFilter():
        raise click.UsageError("Name the runs by --run or by a filter, not both.")
    if not yes:
        what = f"{len(ids)} runs" if ids else "all runs that match"
        click.confirm(f"Really {action.replace('_', ' ')} {what}?", abort=True, err=True)
    request = Bulk(action=action, ids=ids or None, filter=None if ids else wanted, reason=reason, **fields)
    transport = connect()
    return finish(transport, jobs.bulk(transport, request), json_output, wait)

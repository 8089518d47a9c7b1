"""`appliance bulk VERB`: applies one action to all matching runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import click

from appliance.cli.confirmation import confirm
from appliance.cli.connection import connect
from appliance.cli.continuation import anywhere_option
from appliance.cli.identifiers import RunId
from appliance.cli.mark import MARKED_STATES
from appliance.cli.options import key_option, parameter_option, reason_option, wait_option, yes_option
from appliance.cli.output import as_json
from appliance.cli.run_selection import filter_of, run_conditions
from appliance.cli.values import AwareTime
from appliance.kit.plurals import counted
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.verbs import VERBS, Verb

_WITH_OPTIONS = ("resume", "restart", "mark", "edit")  # defined below; the others only need to know which runs
_FILTERS = {
    "cancel": "--flow etl --state Late",
    "pause": "--project finance --include-future",
    "resume": "--flow etl --state Paused",
    "restart": "--project finance --state Failed --since 2026-01-31T00:00:00Z --reason 'database is back'",
    "mark": "Skipped --flow etl --state Late",
    "start_now": "--flow etl --include-future",
    "edit": "--flow etl --state Late --priority 10",
    "delete": "--run ID --run ID --yes",
}
F = TypeVar("F", bound=Callable[..., Any])


def _examples(*verbs: str) -> str:
    lines = [f"\n  appliance bulk {VERBS[verb].command} {_FILTERS[verb]}" for verb in verbs]
    return f"\b\nExample{'s' if len(lines) > 1 else ''}:{''.join(lines)}"


@click.group(epilog=_examples("cancel", "restart", "delete"))
def bulk() -> None:
    """Apply one action to all matching runs."""


def _selection(command: F) -> F:
    """The options that select the runs, and those that every bulk action shares."""
    for option in reversed(
        (
            click.option(
                "--run",
                "ids",
                multiple=True,
                type=RunId(),
                help="A run, by its id or name, instead of a filter (repeatable).",
            ),
            run_conditions("run-"),
            reason_option("in the history of each run"),
            yes_option,
            wait_option,
            key_option,
            as_json,
        )
    ):
        command = option(command)
    return command


def _plain(verb: Verb) -> None:
    """A subcommand that has no options of its own."""

    @bulk.command(verb.command, help=verb.bulk_summary, epilog=_examples(verb.name))
    @_selection
    def command(**options: Any) -> int:
        return _do(verb.name, options)


for _verb in VERBS.values():
    if _verb.bulk_summary is not None and _verb.name not in _WITH_OPTIONS:
        _plain(_verb)


@bulk.command(help=VERBS["resume"].bulk_summary, epilog=_examples("resume"))
@anywhere_option
@_selection
def resume(anywhere: bool, **options: Any) -> int:
    return _do("resume", options, anywhere=anywhere)


@bulk.command(help=VERBS["restart"].bulk_summary, epilog=_examples("restart"))
@click.option("--newest-version", is_flag=True, help="Use the latest version of each flow.")
@click.option("--from-task", help="Slug of a task to rerun too, with everything downstream of it.")
@parameter_option("A new value for a parameter")
@anywhere_option
@_selection
def restart(parameters: tuple[tuple[str, Any], ...], **options: Any) -> int:
    fields = {name: options.pop(name) for name in ("newest_version", "from_task", "anywhere")}
    return _do("restart", options, parameters=dict(parameters), **fields)


@bulk.command(help=VERBS["mark"].bulk_summary, epilog=_examples("mark"))
@click.argument("marked", metavar="STATE", type=click.Choice(MARKED_STATES, case_sensitive=False))
@_selection
def mark(marked: str, **options: Any) -> int:
    return _do("mark", options, state=marked)


@bulk.command(help=VERBS["edit"].bulk_summary, epilog=_examples("edit"))
@click.option(
    "--label", "labels", multiple=True, help="Label that the agent must have (repeatable); replaces the current labels."
)
@click.option("--no-labels", is_flag=True, help="Remove all labels, so that any agent qualifies.")
@click.option("--priority", type=int, help="New priority, from -1000 to 1000; higher starts first.")
@click.option("--at", "scheduled_time", type=AwareTime(), help="New due time, in ISO 8601.")
@_selection
def edit(
    labels: tuple[str, ...], no_labels: bool, priority: int | None, scheduled_time: datetime | None, **options: Any
) -> int:
    new_labels = [] if no_labels else list(labels) or None
    return _do("edit", options, labels=new_labels, priority=priority, scheduled_time=scheduled_time)


def _do(action: Any, options: dict[str, Any], **fields: Any) -> int:
    from appliance.cli.watch_job import finish
    from appliance.client import jobs
    from appliance.protocol.jobs import Bulk

    ids: list[UUID] = list(options.pop("ids"))
    json_output, yes, wait = options.pop("json_output"), options.pop("yes"), options.pop("wait")
    reason = options.pop("reason")
    run_filter = filter_of(options)
    if ids and run_filter != RunFilter():
        raise click.UsageError("Select the runs with --run or with a filter, but not both.")
    confirm(yes, f"Apply `{VERBS[action].command}` to {counted(len(ids), 'run') if ids else 'all matching runs'}?")
    request = Bulk(action=action, ids=ids or None, filter=None if ids else run_filter, reason=reason, **fields)
    transport = connect()
    return finish(transport, jobs.bulk(transport, request), json_output, wait)

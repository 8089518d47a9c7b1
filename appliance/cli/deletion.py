"""Deleting flows and projects on the terminal: what would be deleted, the question whether to do it, and the job."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import click

from appliance.cli.confirmation import confirm_name
from appliance.cli.options import key_option, reason_option, wait_option, yes_option
from appliance.cli.output import as_json, echo, print_json
from appliance.kit.plurals import counted
from appliance.kit.printable import one_line
from appliance.protocol.life_cycle import MOST_COUNTED, DeleteTree, DeletionPreview

if TYPE_CHECKING:
    from appliance.client.transport import Transport

F = TypeVar("F", bound=Callable[..., Any])
_cancel_runs_option = click.option("--cancel-runs", is_flag=True, help="Cancel the runs in progress first.")
_preview_option = click.option("--preview", is_flag=True, help="Only show what would be deleted.")


def options(command: F) -> F:
    """The options of a command that deletes."""
    for option in (as_json, key_option, wait_option, yes_option, reason_option("with the job"), _cancel_runs_option):
        command = option(command)
    return _preview_option(command)


def delete(
    transport: Transport,
    noun: ModuleType,
    id: UUID,
    *,
    preview: bool,
    cancel_runs: bool,
    reason: str,
    yes: bool,
    wait: bool,
    json_output: bool,
) -> int:
    """Show what would be deleted, ask, and follow the job; `noun` is the client's module, and the rest are `options`. Returns the exit code."""
    from appliance.cli.watch_job import finish

    numbers = noun.deletion(transport, id)
    if preview and json_output:
        print_json(numbers)
        return 0
    _show(numbers)
    if preview:
        return 0
    name = numbers.flow if numbers.flow is not None else numbers.project
    confirm_name(yes, name, f"To delete it, type its name ({one_line(name)})")
    job = noun.delete(transport, id, DeleteTree(cancel_runs=cancel_runs, reason=reason))
    return finish(transport, job, json_output, wait)


def _show(preview: DeletionPreview) -> None:
    """Print how much would be deleted, and what would stay."""
    name = f"flow {preview.project}/{preview.flow}" if preview.flow is not None else f"project {preview.project}"
    numbers = [
        *([_number(preview.flows, "flow")] if preview.flow is None else []),
        _number(preview.versions, "version"),
        _number(preview.schedules, "schedule"),
        _number(preview.runs, "run"),
        _number(preview.task_runs, "task run"),
        _number(preview.logs, "log line"),
    ]
    echo(f"Deleting {name} deletes {', '.join(numbers[:-1])}, and {numbers[-1]}.", err=True)
    if preview.live_runs:
        live = _number(preview.live_runs, "run")
        echo(f"In progress: {live}. They must end first; --cancel-runs cancels them.", err=True)
    if preview.results:
        results = _number(preview.results, "stored result")
        echo(f"Not deleted here: {results}. Agents remove those in their folders within hours; others stay.", err=True)


def _number(count: int, noun: str) -> str:
    return f"{'at least ' if count >= MOST_COUNTED else ''}{counted(count, noun)}"

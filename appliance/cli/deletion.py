"""What a deletion would delete, on the terminal, and the question whether to do it."""

from __future__ import annotations

import click

from appliance.protocol.life_cycle import MOST_COUNTED, DeletionPreview

cancel_runs_option = click.option("--cancel-runs", is_flag=True, help="Cancel the runs in progress first.")
preview_option = click.option("--preview", is_flag=True, help="Only show what would be deleted.")


def show(preview: DeletionPreview) -> None:
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
    click.echo(f"Deleting {name} deletes {', '.join(numbers[:-1])}, and {numbers[-1]}.", err=True)
    if preview.live_runs:
        live = _number(preview.live_runs, "run")
        click.echo(f"In progress: {live}. They must end first; --cancel-runs cancels them.", err=True)
    if preview.results:
        results = _number(preview.results, "stored result")
        click.echo(f"Not deleted: {results}, because results are stored where only runs can reach them.", err=True)


def confirm(preview: DeletionPreview) -> None:
    """Ask for the name of what is to be deleted. Raises Abort if it is another one."""
    name = preview.flow if preview.flow is not None else preview.project
    if click.prompt(f"To delete it, type its name ({name})", default="", show_default=False, err=True) != name:
        raise click.Abort


def _number(count: int, noun: str) -> str:
    at_least = "at least " if count >= MOST_COUNTED else ""
    return f"{at_least}{count:,} {noun}{'' if count == 1 else 's'}"

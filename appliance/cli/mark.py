"""`appliance mark RUN STATE`: a person says how a run, or one of its task runs, ended."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.output import as_json, print_run

STATES = ("Success", "Failed", "Cancelled", "Skipped")


@click.command(
    epilog="\b\nExamples:\n  appliance mark RUN Success --reason 'loaded by hand'"
    "\n  appliance mark RUN Success --task load-1 --map-index 3     then restart the run: it goes on from there"
)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.argument("state", type=click.Choice(STATES, case_sensitive=False))
@click.option("--task", "task_slug", help="Only this task of the run, by its slug; the run stays as it is.")
@click.option("--map-index", type=click.IntRange(0), help="Only this mapped child of the task.")
@click.option("--reason", default="", help="Why; kept in the history.")
@as_json
def mark(
    run_id: UUID, state: str, task_slug: str | None, map_index: int | None, reason: str, json_output: bool
) -> None:
    """Set how a run ended. One that is live must be cancelled first."""
    from appliance.client import flow_runs

    if map_index is not None and task_slug is None:
        raise click.UsageError("--map-index needs --task; name the mapped task.")
    index = -1 if map_index is None else map_index
    chosen: flow_runs.MarkedState = state  # type: ignore[assignment]  # the choice allows no other
    run = flow_runs.mark(connect(), run_id, chosen, reason, task_slug=task_slug, map_index=index)
    print_run(run, json_output)

"""`appliance mark RUN STATE`: sets the final state of a run or of one of its task runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.options import key_option, reason_option
from appliance.cli.output import as_json, print_run
from appliance.protocol.verbs import VERBS

if TYPE_CHECKING:
    from appliance.protocol.states import MarkedState

MARKED_STATES = (
    "Success",
    "Failed",
    "Cancelled",
    "Skipped",
)  # as in protocol.states, whose import would slow down every command


@click.command(
    help=VERBS["mark"].summary,
    epilog="\b\nExamples:\n  appliance mark RUN Success --reason 'loaded by hand'"
    "\n  appliance mark RUN Success --task load-1 --map-index 3     then restart the run to continue from there",
)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.argument("state", type=click.Choice(MARKED_STATES, case_sensitive=False))
@click.option("--task", "task_slug", help="Slug of a task to mark instead of the run.")
@click.option("--map-index", type=click.IntRange(0), help="Only this mapped child of the task.")
@reason_option("in the run's history")
@key_option
@as_json
def mark(
    run_id: UUID, state: str, task_slug: str | None, map_index: int | None, reason: str, json_output: bool
) -> None:
    from appliance.client import flow_runs

    if map_index is not None and task_slug is None:
        raise click.UsageError("--map-index requires --task; name the mapped task.")
    index = -1 if map_index is None else map_index
    run = flow_runs.mark(connect(), run_id, cast("MarkedState", state), reason, task_slug=task_slug, map_index=index)
    print_run(run, json_output)

"""`appliance mark RUN STATE`: a person says how a run, or one of its task runs, ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.output import as_json, print_run
from appliance.protocol.verbs import VERBS

if TYPE_CHECKING:
    from appliance.protocol.states import MarkedState

MARKED_STATES = (
    "Success",
    "Failed",
    "Cancelled",
    "Skipped",
)  # of protocol.states, whose import would cost each command


@click.command(
    help=VERBS["mark"].summary,
    epilog="\b\nExamples:\n  appliance mark RUN Success --reason 'loaded by hand'"
    "\n  appliance mark RUN Success --task load-1 --map-index 3     then restart the run: it goes on from there",
)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.argument("state", type=click.Choice(MARKED_STATES, case_sensitive=False))
@click.option("--task", "task_slug", help="Only this task of the run, by its slug; the run stays as it is.")
@click.option("--map-index", type=click.IntRange(0), help="Only this mapped child of the task.")
@click.option("--reason", default="", help="Why; kept in the history.")
@as_json
def mark(
    run_id: UUID, state: str, task_slug: str | None, map_index: int | None, reason: str, json_output: bool
) -> None:
    from appliance.client import flow_runs

    if map_index is not None and task_slug is None:
        raise click.UsageError("--map-index needs --task; name the mapped task.")
    index = -1 if map_index is None else map_index
    run = flow_runs.mark(connect(), run_id, cast("MarkedState", state), reason, task_slug=task_slug, map_index=index)
    print_run(run, json_output)

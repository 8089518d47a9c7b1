"""`appliance resume RUN`: resumes a paused run, or approves one of its paused tasks."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.continuation import anywhere_option, dry_run_option, show, warn
from appliance.cli.identifiers import RunId
from appliance.cli.options import key_option, reason_option
from appliance.cli.output import as_json, print_run
from appliance.protocol.verbs import VERBS


@click.command(
    help=VERBS["resume"].summary,
    epilog="\b\nExamples:\n  appliance resume RUN --task publish-1 --reason 'checked'\n  appliance resume RUN --anywhere --dry-run",
)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option("--task", "task_slug", help="Slug of the only task to resume; the others stay paused.")
@click.option("--map-index", type=int, help="Only this mapped child of the task.")
@reason_option("in the run's history")
@anywhere_option
@dry_run_option
@key_option
@as_json
def resume(
    run_id: UUID,
    task_slug: str | None,
    map_index: int | None,
    reason: str,
    anywhere: bool,
    dry_run: bool,
    json_output: bool,
) -> int:
    from appliance.client import flow_runs

    if map_index is not None and task_slug is None:
        raise click.UsageError("--map-index requires --task; name the mapped task.")
    transport = connect()
    if dry_run:
        return show(transport, run_id, json_output, task_slug=task_slug, map_index=map_index, anywhere=anywhere)
    if not json_output:
        warn(transport, run_id, task_slug=task_slug, map_index=map_index, anywhere=anywhere)
    run = flow_runs.resume(transport, run_id, reason, task_slug=task_slug, map_index=map_index, anywhere=anywhere)
    print_run(run, json_output)
    return 0

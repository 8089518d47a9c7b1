"""`appliance restart RUN`: reruns the unsuccessful tasks of a run that has ended."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.continuation import anywhere_option, dry_run_option, show, warn
from appliance.cli.identifiers import RunId
from appliance.cli.options import key_option, parameter_option, reason_option
from appliance.cli.output import as_json, print_run
from appliance.protocol.verbs import VERBS


@click.command(
    help=VERBS["restart"].summary,
    epilog="\b\nExamples:\n  appliance restart RUN --newest-version --reason 'fixed the query'"
    "\n  appliance restart RUN --dry-run"
    "\n  appliance restart RUN --from-task load-1 -p day='\"2026-01-31\"'",
)
@click.argument("run_id", type=RunId(), metavar="RUN")
@reason_option("in the run's history")
@click.option(
    "--newest-version", is_flag=True, help="Use the latest version of the flow, for example after fixing its code."
)
@click.option("--from-task", help="Slug of a task to rerun too, with everything downstream of it.")
@parameter_option("A new value for a parameter")
@anywhere_option
@dry_run_option
@key_option
@as_json
def restart(
    run_id: UUID,
    reason: str,
    newest_version: bool,
    from_task: str | None,
    parameters: tuple[tuple[str, Any], ...],
    anywhere: bool,
    dry_run: bool,
    json_output: bool,
) -> int:
    from appliance.client import flow_runs

    transport = connect()
    if dry_run:
        return show(
            transport, run_id, json_output, newest_version=newest_version, from_task=from_task, anywhere=anywhere
        )
    if not json_output:
        warn(transport, run_id, newest_version=newest_version, from_task=from_task, anywhere=anywhere)
    run = flow_runs.restart(
        transport,
        run_id,
        reason,
        newest_version=newest_version,
        from_task=from_task,
        parameters=dict(parameters),
        anywhere=anywhere,
    )
    print_run(run, json_output)
    return 0

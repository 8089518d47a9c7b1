"""How a run goes on, on the terminal: what runs again, what is reused, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from appliance.cli.output import echo, print_json, print_table
from appliance.client.errors import ClientError
from appliance.kit.printable import one_line

if TYPE_CHECKING:
    from appliance.client.transport import Transport
    from appliance.protocol.continuation import ContinuedTask

dry_run_option = click.option("--dry-run", is_flag=True, help="Only list which tasks would run again, and why.")
anywhere_option = click.option(
    "--anywhere",
    is_flag=True,
    help="Let any agent take the run. Tasks whose results only some agents can read run again.",
)
_REPEATED = ("not_kept", "elsewhere")


def show(transport: Transport, run_id: UUID, json_output: bool, **options: Any) -> int:
    """Print what the request would do. Returns the exit code: 2 if it would be refused, like the request itself."""
    from appliance.client import flow_runs

    preview = flow_runs.continuation(transport, run_id, **options)
    if json_output:
        print_json(preview)
    elif preview.refusal:
        echo(preview.refusal, err=True)
    else:
        first = preview.run_count - preview.again_count
        counts = {"run again": preview.again_count, "run for the first time": first, "not run": preview.reused_count}
        parts = [f"{count:,} will {what}" for what, count in counts.items() if count]
        echo(f"Task runs: {', '.join(parts)}." if parts else "No task run will run.")
        print_table(
            ("TASK", "RUNS", "COUNT", "CHILDREN", "WHY"),
            [_row(one, "again" if one.begun else "yes") for one in preview.runs]
            + [_row(one, "no") for one in preview.reused],
            "The run has no tasks yet.",
        )
        if preview.omitted:
            echo(f"... and {preview.omitted:,} more.")
        if preview.place:
            echo(preview.place)
    return 2 if preview.refusal else 0


def warn(transport: Transport, run_id: UUID, **options: Any) -> None:
    """Say which tasks are about to run again although they succeeded. A server of an earlier release doesn't know."""
    from appliance.client import flow_runs

    try:
        preview = flow_runs.continuation(transport, run_id, **options)
    except ClientError:
        return
    repeated = [one for one in preview.runs if one.reason in _REPEATED]
    if repeated and not preview.refusal:
        names = ", ".join(one_line(one.name) for one in repeated[:5]) + (", ..." if len(repeated) > 5 else "")
        echo(
            f"These tasks succeeded and run again, because their results are not kept where the run goes on: {names}.",
            err=True,
        )


def _row(one: ContinuedTask, runs: str) -> Sequence[Any]:
    children = ",".join(map(str, one.indexes)) + ("..." if one.count > len(one.indexes) else "") if one.indexes else ""
    return (one.slug, runs, one.count, children, one.sentence)

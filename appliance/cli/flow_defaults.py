"""`appliance flow defaults`: what new runs of a flow have beside what its code says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import find_flow
from appliance.cli.options import key_option, parameter_option, reason_option
from appliance.cli.output import as_json, echo, print_json
from appliance.cli.projects import project_option
from appliance.cli.run_config_options import run_config_of, run_config_options


@click.command(
    epilog="\b\nExamples:\n  appliance flow defaults finance/etl\n  appliance flow defaults finance/etl -p region=eu --env MODE=full"
    "\n  appliance flow defaults finance/etl --drop parameters.region --drop env.MODE"
)
@click.argument("flow_name", metavar="FLOW")
@project_option
@parameter_option("A default parameter")
@click.option(
    "--label", "labels", multiple=True, help="A label that the agent must have, in place of those of the code."
)
@run_config_options
@click.option(
    "--drop",
    multiple=True,
    metavar="FIELD",
    help="Take from the code again: parameters, labels, run_config, parameters.NAME, or env.NAME (repeatable).",
)
@reason_option("in the audit log")
@key_option
@as_json
def defaults(
    flow_name: str,
    project: str | None,
    parameters: tuple[tuple[str, Any], ...],
    labels: tuple[str, ...],
    run_config_file: Path | None,
    env: tuple[tuple[str, str], ...],
    drop: tuple[str, ...],
    reason: str,
    json_output: bool,
) -> None:
    """Show what new runs of FLOW have beside what its code says, or change it. Schedules and single runs say more than this."""
    from appliance.client import flows
    from appliance.protocol.flows import SetFlowDefaults

    transport = connect()
    flow = find_flow(transport, flow_name, project)
    config = run_config_of(run_config_file, env)
    if parameters or labels or config or drop:
        now = _without(flows.get(transport, UUID(flow["id"]))["defaults"], drop)
        own = now["run_config"]
        request = SetFlowDefaults(
            parameters={**now["parameters"], **dict(parameters)},
            labels=list(labels) or now["labels"],
            run_config=config if run_config_file is not None else {**own, "env": {**own.get("env", {}), **dict(env)}},
            reason=reason,
        )
        flow = flows.set_defaults(transport, UUID(flow["id"]), request)
    if json_output:
        print_json(flow["defaults"])
        return
    said = list(_lines(flow["defaults"]))
    name = f"{flow['project']}/{flow['name']}"
    echo(f"New runs of {name} have:" if said else f"New runs of {name} are as its code says.")
    for line in said:
        echo(f"  {line}")


def _without(now: dict[str, Any], drop: tuple[str, ...]) -> dict[str, Any]:
    """The defaults without these fields. Raises UsageError for one that isn't there."""
    kept = {"parameters": dict(now["parameters"]), "labels": now["labels"], "run_config": dict(now["run_config"])}
    for field in drop:
        part, _, name = field.partition(".")
        if field in kept:
            kept[field] = None if field == "labels" else {}
            continue
        names = {"parameters": kept["parameters"], "env": kept["run_config"].get("env")}.get(part)
        if not names or name not in names:
            raise click.UsageError(f"The flow has no default {field!r} that could be dropped.")
        del names[name]
    return kept


def _lines(defaults: dict[str, Any]) -> Iterator[str]:
    for name, value in defaults["parameters"].items():
        yield f"parameter {name} = {json.dumps(value)}"
    if defaults["labels"] is not None:
        yield f"labels {', '.join(defaults['labels']) or 'none'}"
    for name, value in defaults["run_config"].items():
        yield f"environment variables {', '.join(sorted(value))}" if name == "env" else f"{name} {json.dumps(value)}"

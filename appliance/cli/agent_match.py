"""`appliance agent match`: which agents would take a run, and what the others lack."""

from __future__ import annotations

from typing import Any

import click

from appliance.cli.connection import connect
from appliance.cli.output import as_json, echo, print_json, print_table

EPILOG = """\b
Examples:
  appliance agent match --label gpu --label linux
  appliance agent match --label gpu --project finance --kind docker --storage git --json
  appliance agent match --user etl --python 3.12

The exit code is 0 if an agent would take the run, and 1 if none would."""


@click.command(epilog=EPILOG)
@click.option("--label", "labels", multiple=True, help="A label that the run has (repeatable).")
@click.option("--project", help="The project of its flow [any].")
@click.option("--kind", help="The kind of its run config, such as process or docker [universal].")
@click.option("--storage", help="Where its code is, such as bundle or git [local].")
@click.option("--user", help="The user that its run config names.")
@click.option("--python", help="The Python that its run config names, such as 3.12.")
@as_json
def match(labels: tuple[str, ...], json_output: bool, **question: str | None) -> int:
    """Find out which agents would take a run, and what the others lack."""
    from appliance.client import agents

    answer = agents.match(connect(), labels, **question)
    if json_output:
        print_json(answer)
    else:
        echo(f"{answer['sentence']}\n")
        print_table(("AGENT", "HEALTH", "RUNS", "LACKS"), map(_row, answer["agents"]), "No agents have enrolled yet.")
    return 0 if answer["taking"] else 1


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    lacks = " ".join(part["sentence"] for part in one["missing"])
    return one["name"], one["health"], f"{one['running']}/{one['capacity']}", lacks or "nothing"

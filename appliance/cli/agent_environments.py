"""`appliance agent environments`: what the agents on this machine have built for the packages of flows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance import config
from appliance.cli.output import as_json, echo, print_json, print_table, size_text

if TYPE_CHECKING:
    from appliance.agents.environment_folder import Record
    from appliance.agents.environments import Environments

EPILOG = """\b
Examples:
  appliance agent environments list
  appliance agent environments list --json --data-dir /var/lib/appliance
  appliance agent environments remove 1f4c0a9be37d2568

An environment that was removed is built again when a run needs it."""

data_option = click.option("--data-dir", metavar="DIR", help="The agent's data directory [APPLIANCE_DATA_DIR, ./data].")
state_option = click.option("--state-dir", metavar="DIR", help="The --state-dir of one agent, if it has one.")


@click.group(epilog=EPILOG)
def environments() -> None:
    """List and remove the environments that agents on this machine have built for flows."""


@environments.command("list", epilog=EPILOG)
@data_option
@state_option
@as_json
def list_environments(data_dir: str | None, state_dir: str | None, json_output: bool) -> None:
    """List environments: those used last come first."""
    built = [(agent, *each) for agent, place in _places(data_dir, state_dir) for each in place.records()]
    if json_output:
        print_json([_document(*each) for each in built])
        return
    rows = [
        [
            record.key,
            agent,
            record.python,
            record.packages,
            size_text(record.size),
            "now" if in_use else used_at,
            _short(record.requirements),
        ]
        for agent, record, used_at, in_use in built
    ]
    columns = ["key", "agent", "python", "packages", "size", "used", "requirements"]
    print_table(columns, rows, "No environment has been built.")


@environments.command(epilog=EPILOG)
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@data_option
@state_option
def remove(keys: tuple[str, ...], data_dir: str | None, state_dir: str | None) -> None:
    """Remove environments, or what is known of builds that failed. One in which a run is active stays."""
    places = list(_places(data_dir, state_dir))
    for key in keys:
        if not any([place.remove(key) for _agent, place in places]):
            raise click.ClickException(
                f"There is no environment {key} that could be removed: a run or a warm pool may use it (`appliance agent environments list` says so)."
            )
        echo(f"Removed {key}.")


def _places(data_dir: str | None, state_dir: str | None) -> Iterator[tuple[str, Environments]]:
    from appliance.agents.environments import NO_ENVIRONMENTS, Environments

    if state_dir is not None:
        folders = [Path(state_dir)]
    else:
        data = config.load(data_dir=data_dir).data_path
        if not data.is_dir():
            raise click.ClickException(f"There is no data directory {data}; name the agent's with --data-dir.")
        folders = sorted((data / "agent").glob("*"))
    for folder in folders:
        yield folder.name, Environments(folder / "environments", NO_ENVIRONMENTS)


def _document(agent: str, record: Record, used_at: datetime, in_use: bool) -> dict[str, Any]:
    return {
        "agent": agent,
        "key": record.key,
        "python": record.python,
        "requirements": record.requirements,
        "packages": record.packages,
        "bytes": record.size,
        "built_at": record.built_at,
        "used_at": used_at,
        "in_use": in_use,
    }


def _short(requirements: list[str]) -> str:
    first = ", ".join(requirements[:3])
    return f"{first} and {len(requirements) - 3} more" if len(requirements) > 3 else first

"""Runs on the command line: by their ids, or by their names."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

if TYPE_CHECKING:
    from appliance.client.transport import Transport

_MOST_LISTED = 10


class RunId(click.ParamType[UUID]):
    """A run's id."""

    name = "run"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> UUID:
        try:
            return value if isinstance(value, UUID) else UUID(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a run id; run `appliance get flow-runs` to list runs.", param, ctx)


def find_run(transport: Transport, id_or_name: str) -> UUID:
    """The id of the run that a person means. Raises UsageError unless exactly one run has the name."""
    from appliance.client import flow_runs

    try:
        return UUID(id_or_name)
    except ValueError:
        pass
    runs = flow_runs.each(transport, name=id_or_name, include_future=True)
    named = list(islice((run for run in runs if run.name == id_or_name), _MOST_LISTED + 1))
    if not named:
        raise click.UsageError(f"There is no run {id_or_name!r}; run `appliance get flow-runs` to list runs.")
    if len(named) == 1:
        return named[0].id
    lines = [f"  {run.id}  {run.project}/{run.flow}, {run.state}" for run in named[:_MOST_LISTED]]
    count = len(named) if len(named) <= _MOST_LISTED else f"More than {_MOST_LISTED}"
    listed = "\n".join([f"{count} runs are named {id_or_name!r}; specify one by its id:", *lines])
    raise click.UsageError(listed + ("" if len(named) <= _MOST_LISTED else "\n  and older ones"))

"""Run ids on the command line."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click


class RunId(click.ParamType[UUID]):
    """A run's id."""

    name = "run"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> UUID:
        try:
            return value if isinstance(value, UUID) else UUID(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a run id; run `appliance get flow-runs` to list runs.", param, ctx)

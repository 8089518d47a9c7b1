"""Lengths of time on the command line."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import click

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Duration(click.ParamType[Any]):
    """`90m`, `12h`, `30d` or `8w`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        match = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", str(value))
        if match is None:
            self.fail(f"{value!r} is not a duration; write 90m, 12h, 30d or 8w.", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})

"""Lengths of time on the command line."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Duration(click.ParamType[Any]):
    """`90m`, `12h`, `30d` or `8w`."""

    name = "duration"
    units = "mhdw"
    examples = "90m, 12h, 30d or 8w"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(rf"([1-9][0-9]{{0,4}})([{self.units}])", str(value))
        if match is None:
            self.fail(f"{value!r} is not a {self.name}; write {self.examples}.", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


class Period(Duration):
    """`10s`, `1m`, `1h` or `1d`."""

    name = "period"
    units = "smhd"
    examples = "10s, 1m, 1h or 1d"

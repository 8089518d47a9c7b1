"""Values on the command line: parameters as `key=json`, and times with a UTC offset."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
import msgspec

from appliance.kit import clock


class Assignment(click.ParamType[Any]):
    """`key=json`."""

    name = "key=json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        key, sign, text = str(value).partition("=")
        if not sign or not key:
            self.fail(f"{value!r} is not in the form key=json; write it like -p pages=20.", param, ctx)
        try:
            return key, msgspec.json.decode(text)
        except msgspec.DecodeError:
            return key, text


class AwareTime(click.ParamType[Any]):
    """A time with a UTC offset."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return clock.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)

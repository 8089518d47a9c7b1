"""Values on the command line: parameters as `key=json`, and times."""

from __future__ import annotations

import json
import math
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

import click
import msgspec

from appliance.cli import zone
from appliance.kit import clock, json_texts
from appliance.protocol import filter_texts

VALUES_HELP = """Parameter values are JSON, such as 20, true, null, [1, 2], or {"a": 1}. Anything that doesn't begin like JSON is text, and
-p note= is the empty text. Put a text that looks like JSON in double quotes: -p id='"20"' -p title='"[draft]"'."""
_BEGINNINGS = ("{", "[", '"')


class Assignment(click.ParamType[Any]):
    """`key=json`."""

    name = "key=json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        key, sign, text = str(value).partition("=")
        if not sign or not key:
            self.fail(f"{value!r} is not in the form key=json; write it like -p pages=20.", param, ctx)
        try:
            parsed = _parse(text)
            msgspec.json.encode(parsed)
            return key, parsed
        except (ValueError, RecursionError) as error:
            self.fail(
                f"the value of {key} looks like JSON but is not valid: {_reason(text, error)}; correct it, or put it in "
                "double quotes to pass it as text.",
                param,
                ctx,
            )


class Address(click.ParamType[Any]):
    """`HOST:PORT`, or a port of the loopback alone, to listen on."""

    name = "[host:]port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        host, colon, port = str(value).rpartition(":")
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536) or bool(colon) != bool(host):
            self.fail(f"{value!r} is no address to listen on; write it like 9100 or 0.0.0.0:9100.", param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)


def variables(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Environment variables, by name."""
    for value in values:
        if "=" not in value or value.startswith("="):
            raise click.BadParameter(f"{value[:80]!r} has no name and value; write it as in --env TZ=Europe/Zurich.")
    return dict(value.split("=", 1) for value in values)


def distinct(
    _context: click.Context, _option: click.Parameter, pairs: tuple[tuple[str, Any], ...]
) -> tuple[tuple[str, Any], ...]:
    """The assignments as they are. Raises UsageError if one name has two: nobody could say which of them counts."""
    if (name := filter_texts.twice(pairs)) is not None:
        raise click.UsageError(f"The parameter {name!r} is given twice; give it one value.")
    return pairs


def single(_context: click.Context, option: click.Parameter, values: tuple[Any, ...]) -> Any:
    """The value of an option that may be given once, among others that are repeatable. Raises UsageError."""
    if len(values) > 1:
        raise click.UsageError(f"The option {option.opts[-1]} is given twice; give it once.")
    return values[0] if values else None


def _parse(text: str) -> Any:
    """JSON without any loss, or the text itself if it doesn't even begin like JSON. Raises ValueError or RecursionError."""
    try:
        return json.loads(
            text, parse_int=_whole, parse_float=_exact, parse_constant=_no_constant, object_pairs_hook=json_texts.unique
        )
    except (json.JSONDecodeError, _NoNumber):
        if text.lstrip().startswith(_BEGINNINGS):
            raise
        return text


class _NoNumber(ValueError):
    """A word that Python reads as a number, but that isn't JSON."""


def _no_constant(name: str) -> NoReturn:
    raise _NoNumber(f"{name} is not a JSON number")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"a number of {len(text)} digits is too long") from None


def _exact(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large for a JSON number")
    if Decimal(text) != Decimal(repr(value)):
        raise ValueError(f"{text} has more digits than a JSON number keeps ({value!r})")
    return value


def _reason(text: str, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeError):
        return "it is not valid Unicode"
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    if error.msg.startswith("Unterminated string"):
        return f"the text that begins at character {error.pos + 1} has no closing quote"
    if error.pos >= len(text):
        return "it ends too early"
    return f"unexpected {text[error.pos]!r} at character {error.pos + 1}"


class Length(click.ParamType[Any]):
    """A length of time in seconds, written like 90s, 10m, 2h, or 7d."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return filter_texts.seconds(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class Moment(click.ParamType[Any]):
    """A time, or a length of time before now, such as 7d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return filter_texts.moment(str(value), clock.now(), zone.instant)
        except (ValueError, OverflowError) as error:
            self.fail(f"{error}.", param, ctx)


class AwareTime(click.ParamType[Any]):
    """A time; one without a UTC offset is in the zone of the command."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return filter_texts.time(str(value), zone.instant)
        except (ValueError, OverflowError) as error:
            self.fail(f"{error}.", param, ctx)

"""The one time zone of a command: of the times that it prints, and of those that it reads without an offset. JSON is always in UTC."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import click

from appliance.kit import clock, suggestions

F = TypeVar("F", bound=Callable[..., Any])
_KEY = "appliance.zone"
_LOCALTIME = Path("/etc/localtime")
_IN_UTC = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC\b")


def zone_option(command: F) -> F:
    """--timezone, for the whole command line or for one command."""
    return click.option(
        "--timezone",
        expose_value=False,
        is_eager=True,
        metavar="NAME",
        callback=_choose,
        help="Time zone of times that are printed, such as Europe/Berlin [this machine's].",
    )(command)


def name() -> str:
    """The name of the zone."""
    chosen = _chosen()
    return _machine() if chosen is None else chosen.key


def local(time: datetime | str) -> datetime:
    """A time in the zone. Texts are in ISO 8601 with an offset."""
    aware = datetime.fromisoformat(time) if isinstance(time, str) else time
    return aware.astimezone(_chosen())


def text(time: datetime | str) -> str:
    """A time in the zone, to the second, without the zone's name."""
    return local(time).strftime("%Y-%m-%d %H:%M:%S")


def named(time: datetime | str) -> str:
    """A time with the zone's name."""
    return f"{text(time)} {name()}"


def in_zone(sentence: str) -> str:
    """A sentence of the server, whose times are in UTC, with its times in the zone."""
    return _IN_UTC.sub(lambda match: named(f"{match[1]}+00:00"), sentence)


def instant(wall: datetime) -> datetime:
    """The instant, in UTC, of a time without an offset."""
    from appliance.schedules.zones import instant_of

    zone = _chosen() or _zone(_machine())
    return wall.astimezone(UTC) if zone is None else instant_of(wall, zone)


def _choose(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    zone = _zone(value)
    if zone is None:
        meant = suggestions.closest(value[:60], available_timezones())
        way_out = "use an IANA name such as Europe/Berlin." if meant is None else f"did you mean {meant!r}?"
        raise click.UsageError(f"There is no time zone {value[:60]!r}; {way_out}")
    ctx.meta[_KEY] = zone


def _chosen() -> ZoneInfo | None:
    context = click.get_current_context(silent=True)
    chosen: ZoneInfo | None = None if context is None else context.meta.get(_KEY)
    return chosen


def _machine() -> str:
    """The name of this machine's zone; if it has none, the abbreviation in use now."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if "TZ" not in os.environ and _LOCALTIME.is_symlink():
        named = str(_LOCALTIME.resolve()).partition("zoneinfo/")[2]
    if named and _zone(named) is not None:
        return named
    return clock.now().astimezone().tzname() or "local time"


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None

"""How filters are written as text, in REST and on the command line: times, lengths of time, and values of parameters."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from appliance.kit import clock

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_LONGEST = 100 * 366 * 86_400.0


def seconds(text: str) -> float:
    """A length of time such as 90, 1.5h, or 7d; without a unit, in seconds. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([smhdw]?)", text.strip())
    length = float(match[1]) * _UNITS[match[2] or "s"] if match else math.inf
    if length > _LONGEST:
        raise ValueError(f"{text[:40]!r} is not a length of time; write it like 90s, 10m, 2h, or 7d")
    return length


def moment(text: str, now: datetime, of_wall: Callable[[datetime], datetime] | None = None) -> datetime:
    """A time, or a length of time before `now`, such as 7d. Raises ValueError."""
    if re.fullmatch(r"[0-9.]+[smhdw]", text.strip()):
        return now - timedelta(seconds=seconds(text))
    try:
        return time(text, of_wall)
    except ValueError as error:
        raise ValueError(f"{error}, or like 7d for seven days ago") from None


def time(text: str, of_wall: Callable[[datetime], datetime] | None = None) -> datetime:
    """A time in ISO 8601, with a UTC offset unless `of_wall` says what one without means. Raises ValueError."""
    example = "2026-01-31T06:30:00" if of_wall is not None else "2026-01-31T06:30:00+00:00"
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a time; write it like {example}") from None
    if value.tzinfo is None:
        if of_wall is None:
            raise ValueError(f"{text[:40]!r} has no UTC offset; write it like {example}")
        value = of_wall(value)
    return clock.parse(value.isoformat())


def parameter(text: str) -> tuple[str, Any]:
    """The name and value of `name=value`, where the value is JSON or else text. Raises ValueError."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ValueError(f"{text[:40]!r} is not in the form name=value")
    try:
        return name, msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return name, value


def twice(pairs: Iterable[tuple[str, Any]]) -> str | None:
    """A name that several of the pairs have."""
    return next((name for name, count in Counter(name for name, _value in pairs).items() if count > 1), None)


def parameter_text(name: str, value: Any) -> str:
    """The text that `parameter` reads."""
    return f"{name}={msgspec.json.encode(value).decode()}"

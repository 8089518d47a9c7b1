"""How long a failed task waits before it is retried: fixed, listed or growing delays, spread by jitter."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from appliance.core.errors import TaskDefinitionError
from appliance.core.scalars import is_number, is_whole
from appliance.core.states import Failed, TriggerFailed

MOST_RETRIES = 100_000
LONGEST_WAIT = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class ExponentialBackoff:
    """Delays that grow by `factor` with each attempt, up to `limit`."""

    base: timedelta
    factor: float
    limit: timedelta

    def after(self, run_count: int) -> timedelta:
        """The delay after the failed try number `run_count`, which counts from 1."""
        doublings = math.log(self.limit / self.base, self.factor) if self.factor > 1 else math.inf
        if run_count - 1 >= doublings:  # no power of it is worked out that no float can hold
            return self.limit
        return min(self.limit, self.base * self.factor ** (run_count - 1))


Delay = timedelta | tuple[timedelta, ...] | ExponentialBackoff
DelayOption = timedelta | float | Iterable[timedelta | float] | ExponentialBackoff | None


def exponential_backoff(
    base: timedelta | float, factor: float = 2, limit: timedelta | float | None = None
) -> ExponentialBackoff:
    """`retry_delay=exponential_backoff(1, limit=60)`: 1 s, 2 s, 4 s ... and at most 60 s between tries.

    `base` and `limit` are timedeltas or seconds; without a limit a delay never exceeds 365 days. Raises TaskDefinitionError.
    """
    first = duration(base, "base of exponential_backoff")
    most = LONGEST_WAIT if limit is None else duration(limit, "limit of exponential_backoff")
    if not first:
        raise TaskDefinitionError("base of exponential_backoff must be more than zero seconds.")
    if not is_number(factor) or not 1 <= factor < math.inf:
        raise TaskDefinitionError("factor of exponential_backoff must be a number, 1 or more.")
    if most < first:
        raise TaskDefinitionError("limit of exponential_backoff must not be less than its base.")
    return ExponentialBackoff(first, float(factor), most)


def delay_of(option: Any) -> Delay | None:
    """The option `retry_delay` in a single form. Raises TaskDefinitionError for negative and infinite ones, TypeError for others."""
    if option is None or isinstance(option, ExponentialBackoff):
        return option
    if isinstance(option, timedelta) or is_number(option):
        return duration(option, "retry_delay")
    if isinstance(option, str | bytes | dict) or not isinstance(option, Iterable):
        raise TypeError(
            "retry_delay must be a timedelta, a number of seconds, a list of them, or exponential_backoff(...)."
        )
    delays = tuple(duration(item, "each retry_delay") for item in option)
    if not delays:
        raise TaskDefinitionError("retry_delay must not be an empty list; give at least one delay.")
    return delays


def wait(delay: Delay, run_count: int, jitter: float, draw: float) -> timedelta:
    """The wait after the failed try `run_count` (from 1): `draw` in [0, 1) picks from [delay*(1-jitter), delay*(1+jitter)]."""
    if isinstance(delay, tuple):
        plain = delay[min(run_count, len(delay)) - 1]
    else:
        plain = delay if isinstance(delay, timedelta) else delay.after(run_count)
    return plain * (1 + jitter * (2 * draw - 1)) if jitter else plain


def is_due(task: Any, run_count: int, state: Failed) -> bool:
    """May the failure of try `run_count` (from 1) be retried? Tasks that never started may not."""
    if run_count > task.max_retries or isinstance(state, TriggerFailed):
        return False
    return not task.retry_on or isinstance(state.result, task.retry_on)


def duration(value: Any, name: str) -> timedelta:
    """Seconds or a timedelta as a timedelta of 0 to 365 days."""
    if is_number(value):
        if not 0 <= value <= LONGEST_WAIT.total_seconds():  # NaN is not, either
            raise TaskDefinitionError(f"{name} must be between 0 seconds and 365 days.")
        return timedelta(seconds=float(value))
    if not isinstance(value, timedelta):
        raise TypeError(f"{name} must be a timedelta or a number of seconds.")
    if not timedelta(0) <= value <= LONGEST_WAIT:
        raise TaskDefinitionError(f"{name} must be between 0 seconds and 365 days.")
    return value


def count_of(option: Any) -> int:
    """The option `max_retries`."""
    if not is_whole(option) or not 0 <= option <= MOST_RETRIES:
        raise TaskDefinitionError(f"max_retries must be a whole number from 0 to {MOST_RETRIES:,}.")
    return int(option)


def jitter_of(option: Any) -> float:
    """The option `retry_jitter`."""
    if not is_number(option) or not 0 <= option <= 1:
        raise TaskDefinitionError("retry_jitter must be a fraction of the delay, from 0 to 1.")
    return float(option)


def exceptions_of(option: Any) -> tuple[type[BaseException], ...]:
    """The option `retry_on`."""
    if option is None:
        return ()
    classes = (option,) if isinstance(option, type) or not isinstance(option, Iterable) else tuple(option)
    if not all(isinstance(cls, type) and issubclass(cls, BaseException) for cls in classes):
        raise TypeError("retry_on must be an exception class or a list of them.")
    return classes

"""What may be deleted, how large a batch is, how long a disk lasts: rules over facts, with no clock and no database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from appliance.kit.plurals import counted
from appliance.protocol.states import TERMINAL

ENDED = tuple(sorted(TERMINAL))
STREAMS_RESUME = timedelta(hours=1)
"""How long a live stream that was cut finds every event again, whatever the limits say."""
REMOVED_RUNS_KNOWN = timedelta(days=30)
"""How long agents can ask which runs were deleted: longer than a host is usually away, and the rows don't pile up forever."""
ARTIFACT_KEYS_KNOWN = timedelta(days=30)
"""How long the versions of a key go on where they ended, after its last artifact was removed."""
DONE_AT = 0.9
"""Deleting by bytes goes this far below the limit, so that it doesn't start again with the next line."""

_KEYS_DAYS = 30.0
_BATCH_SECONDS = 0.02
_SMALLEST, _LARGEST = 50, 2_000
_LEAST_SPAN = timedelta(hours=6)
_WARN_DAYS = 7.0
_WARN_SHARE = 0.1


@dataclass(frozen=True)
class Keep:
    """How long (days) and how much (bytes) of each class is kept; 0 is forever."""

    runs_days: float = 0
    logs_days: float = 0
    events_days: float = 0
    rollups_days: float = 0
    runs_bytes: int = 0
    logs_bytes: int = 0
    events_bytes: int = 0


def cutoff(days: float, now: datetime) -> datetime | None:
    """What is older than this may go; None keeps everything."""
    return now - timedelta(days=days) if days > 0 else None


def keys_cutoff(keep: Keep, now: datetime) -> datetime:
    """Idempotency keys used before this are forgotten: after a month, or with the events if those go sooner, but never within a day."""
    return now - timedelta(days=max(1.0, min(_KEYS_DAYS, keep.events_days or _KEYS_DAYS)))


def tighter(keep: Keep, floor_days: float) -> Iterator[Keep]:
    """Ever shorter ages for runs, logs and events, each half of the one before, down to `floor_days`: for a disk that is full."""
    days = max(keep.runs_days, keep.logs_days, keep.events_days) or 365.0
    while days > floor_days:
        days = max(floor_days, days / 2 if days > 1 / 24 else 0.0)
        yield replace(
            keep,
            runs_days=_shorter(keep.runs_days, days),
            logs_days=_shorter(keep.logs_days, days),
            events_days=_shorter(keep.events_days, days),
        )


def _shorter(keep: float, days: float) -> float:
    return max(1e-9, min(keep or days, days))  # never 0, which would keep forever


def share_to_delete(size: int, limit: int) -> float:
    """Which part of a class, the oldest first, must go so that it is below its limit again."""
    if limit <= 0 or size <= limit:
        return 0.0
    return 1.0 - DONE_AT * limit / size


def next_batch(rows: int, seconds: float) -> int:
    """How many rows to delete in the next transaction, when the last one of `rows` took so long: writers wait for one at most."""
    if seconds > 1.5 * _BATCH_SECONDS:
        rows //= 2
    elif seconds < 0.75 * _BATCH_SECONDS:
        rows = rows * 3 // 2
    return max(_SMALLEST, min(_LARGEST, rows))


@dataclass(frozen=True)
class Sample:
    """How full a disk was at a moment; `free` is None where the disk can't be seen."""

    at: datetime
    used: int  # bytes of the database that hold something
    free: int | None = None


def days_left(samples: Sequence[Sample], free: int | None, budget: int) -> float | None:
    """Days until the disk or the budget is full, at the rate of the samples; None when it doesn't grow or there are too few."""
    if not samples or samples[-1].at - samples[0].at < _LEAST_SPAN:
        return None
    used = [(item.at, float(item.used)) for item in samples]
    estimates = []
    if budget > 0 and (growth := _per_day(used)) > 0:
        estimates.append(max(0.0, budget - used[-1][1]) / growth)
    taken = [(item.at, -float(item.free)) for item in samples if item.free is not None]
    if free is not None and len(taken) > 1 and (growth := _per_day(taken)) > 0:
        estimates.append(max(0, free) / growth)
    return min(estimates, default=None)


def _per_day(points: Sequence[tuple[datetime, float]]) -> float:
    """The slope of the straight line that fits best."""
    days = [(at - points[0][0]).total_seconds() / 86_400 for at, _value in points]
    middle = sum(days) / len(days)
    spread = sum((day - middle) ** 2 for day in days)
    if spread == 0:
        return 0.0
    return sum((day - middle) * value for day, (_at, value) in zip(days, points, strict=True)) / spread


def warnings(
    *,
    free: int | None,
    total: int | None,
    used: int,
    budget: int,
    days: float | None,
    reserve_missing: bool,
) -> list[str]:
    """What an administrator should know in time, a sentence each."""
    sentences = []
    if free is not None and total and free < _WARN_SHARE * total and free < 5 * 2**30:
        sentences.append(f"Only {free // 2**20} MB are free on the database's disk.")
    if 0 < budget < used:
        sentences.append(f"The database holds {used // 2**20} MB, more than its budget of {budget // 2**20} MB.")
    if days is not None and days < _WARN_DAYS:
        sentences.append(f"At its current rate of growth, the disk will be full in {counted(round(days, 1), 'day')}.")
    if reserve_missing:
        sentences.append("The reserve of disk space has been used; it is restored when there is room for it.")
    return sentences


def add_sample(samples: Sequence[Sample], new: Sample, most: int, apart: timedelta) -> list[Sample]:
    """The samples with a new one, when the last is old enough; the oldest go."""
    if samples and timedelta(0) <= new.at - samples[-1].at < apart:
        return list(samples)
    return [*[item for item in samples if item.at < new.at], new][-most:]

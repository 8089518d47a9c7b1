"""The rules of keeping and deleting: cut-offs, batches, tighter limits, forecasts and warnings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.server.domain.retention import (
    Keep,
    Sample,
    add_sample,
    cutoff,
    days_left,
    next_batch,
    share_to_delete,
    tighter,
    warnings,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
GB = 2**30


def _falling(days: int, per_day: int, free: int) -> list[Sample]:
    hours = days * 24
    return [
        Sample(NOW - timedelta(hours=hours - hour), per_day * hour // 24, free + per_day * (hours - hour) // 24)
        for hour in range(hours + 1)
    ]


def test_nothing_has_an_age_without_a_limit() -> None:
    assert cutoff(0, NOW) is None
    assert cutoff(30, NOW) == NOW - timedelta(days=30)


@pytest.mark.parametrize(("size", "limit", "share"), [(100, 0, 0), (100, 100, 0), (99, 100, 0), (200, 100, 0.55)])
def test_by_bytes_the_oldest_share_goes(size: int, limit: int, share: float) -> None:
    assert share_to_delete(size, limit) == pytest.approx(share)


def test_batches_shrink_when_slow_and_grow_when_fast_within_bounds() -> None:
    assert next_batch(400, 0.2) == 200
    assert next_batch(400, 0.02) == 400
    assert next_batch(400, 0.001) == 600
    assert next_batch(50, 9.0) == 50
    assert next_batch(2_000, 0.001) == 2_000


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 400), st.floats(0, 30))
def test_tighter_limits_only_ever_get_tighter_and_end_at_the_floor(
    runs: int, logs: int, events: int, floor: float
) -> None:
    keep = Keep(runs_days=runs, logs_days=logs, events_days=events, rollups_days=7)
    steps = list(tighter(keep, floor))
    assert len(steps) < 30
    last: Keep | None = None
    for step in steps:
        assert step.rollups_days == 7
        for name in ("runs_days", "logs_days", "events_days"):
            kept, new = getattr(keep, name), getattr(step, name)
            assert new > 0, "0 would keep for ever"
            assert not kept or new <= kept
            assert last is None or new <= getattr(last, name)
        last = step
    if steps:
        longest = max(steps[-1].runs_days, steps[-1].logs_days, steps[-1].events_days)
        assert longest == pytest.approx(max(floor, 1e-9))


def test_the_forecast_follows_the_growth() -> None:
    samples = _falling(days=5, per_day=GB, free=10 * GB)
    assert days_left(samples, 10 * GB, 0) == pytest.approx(10, rel=0.01)
    assert days_left(samples, 10 * GB, 7 * GB) == pytest.approx(2, rel=0.05), "the budget is nearer than the disk"
    assert days_left(samples, -5, 0) == 0


def test_no_forecast_without_growth_or_knowledge() -> None:
    assert days_left([], GB, 0) is None
    assert days_left(_falling(days=5, per_day=0, free=GB), GB, 0) is None
    assert days_left(_falling(days=5, per_day=-GB // 100, free=GB), GB, 0) is None
    assert days_left([Sample(NOW, 1, 9), Sample(NOW + timedelta(hours=1), 2, 8)], 8, 0) is None, "an hour says little"
    unseen = [Sample(NOW + timedelta(hours=hour), hour) for hour in range(48)]
    assert days_left(unseen, None, 0) is None
    assert days_left(unseen, None, 71) == pytest.approx(1, rel=0.01)


def test_warnings_come_before_it_hurts() -> None:
    calm = {"free": 50 * GB, "total": 100 * GB, "used": GB, "budget": 0, "days": None, "reserve_missing": False}
    assert warnings(**calm) == []  # type: ignore[arg-type]
    for change in ({"free": GB}, {"budget": GB // 2}, {"days": 3.0}, {"reserve_missing": True}):
        assert len(warnings(**(calm | change))) == 1, change  # type: ignore[arg-type]


def test_samples_are_apart_and_few_and_survive_a_clock_that_was_ahead() -> None:
    hour = timedelta(hours=1)
    samples: list[Sample] = []
    for minute in range(0, 600, 10):
        samples = add_sample(samples, Sample(NOW + timedelta(minutes=minute), minute), 5, hour)
    assert [item.used for item in samples] == [300, 360, 420, 480, 540]
    back = add_sample(samples, Sample(NOW + timedelta(minutes=400), 1), 5, hour)
    assert [item.used for item in back] == [300, 360, 1]

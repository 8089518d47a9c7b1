"""Planning a schedule: which due times get a run, whenever and however often it is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.errors import ScheduleError
from appliance.server.domain.scheduling import Plan, plan

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTELY = {"kind": "cron", "cron": "* * * * *", "timezone": "UTC"}


def minutes(first: int, last: int) -> list[datetime]:
    return [NOON + timedelta(minutes=number) for number in range(first, last + 1)]


def test_a_new_schedule_gets_its_next_times() -> None:
    assert plan(MINUTELY, NOON, NOON, 10, "latest", 100) == Plan(minutes(1, 10), 0, NOON + timedelta(minutes=10))


def test_one_that_is_planned_gets_nothing() -> None:
    until = NOON + timedelta(minutes=10)
    assert plan(MINUTELY, until, NOON, 10, "latest", 100) == Plan([], 0, until)
    assert plan(MINUTELY, until, NOON + timedelta(minutes=3), 10, "latest", 100).due == minutes(11, 13)


@pytest.mark.parametrize(
    ("policy", "cap", "past", "missed"),
    [
        ("all", 100, minutes(-30, 0), 0),
        ("all", 5, minutes(-4, 0), 26),
        ("latest", 100, minutes(0, 0), 30),
        ("none", 1, [], 31),
    ],
)
def test_missed_times_by_policy(policy: str, cap: int, past: list[datetime], missed: int) -> None:
    found = plan(MINUTELY, NOON - timedelta(minutes=31), NOON, 2, policy, cap)
    assert found == Plan(past + minutes(1, 2), missed, NOON + timedelta(minutes=2))


def test_a_long_absence_is_looked_through_in_pages() -> None:
    found = plan(MINUTELY, NOON - timedelta(days=3), NOON, 1, "all", 10_000)
    assert (len(found.due), found.missed) == (3 * 1440 + 1, 0)


def test_the_end_of_a_schedule() -> None:
    ending = MINUTELY | {"end": "2026-03-02T12:03:00+00:00"}
    found = plan(ending, NOON, NOON, 10, "latest", 100)
    assert found.due == minutes(1, 3)
    assert plan(ending, NOON + timedelta(hours=1), NOON + timedelta(hours=1), 10, "latest", 100).due == []


def test_a_malformed_one_says_so() -> None:
    with pytest.raises(ScheduleError):
        plan({"kind": "cron", "cron": "no"}, NOON, NOON, 10, "latest", 100)


@given(
    st.lists(st.integers(1, 9 * 60), min_size=1, max_size=60),
    st.integers(10, 12),
    st.sampled_from(["all", "latest", "none"]),
)
@settings(max_examples=60, deadline=None)
def test_rounds_at_any_moments_give_each_minute_once(steps: list[int], ahead: int, policy: str) -> None:
    now = until = NOON
    due: list[datetime] = []
    for step in [0, *steps]:
        now += timedelta(seconds=step)
        found = plan(MINUTELY, until, now, ahead, policy, 100)
        due += found.due
        assert found.until is not None and found.until >= until
        until = found.until
    assert due == minutes(1, len(due))
    assert len([time for time in due if time > now]) == ahead

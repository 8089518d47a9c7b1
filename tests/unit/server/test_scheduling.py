"""Planning a schedule: which due times get a run, whenever and however often it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.schedules import Rule, ScheduleError, parse
from appliance.server.domain import scheduling
from appliance.server.domain.scheduling import CatchUp, Passed, Plan, plan
from tests import depth

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTELY = {"kind": "cron", "cron": "* * * * *", "timezone": "UTC"}


def minutes(first: int, last: int) -> list[datetime]:
    return [NOON + timedelta(minutes=number) for number in range(first, last + 1)]


ONE = timedelta(minutes=1)


def test_a_new_schedule_gets_its_next_times() -> None:
    assert plan(parse(MINUTELY), NOON, NOON, 10, CatchUp()) == Plan(minutes(1, 10), None, NOON + 10 * ONE, NOON + ONE)


def test_one_that_is_planned_gets_nothing() -> None:
    until = NOON + 10 * ONE
    assert plan(parse(MINUTELY), until, NOON, 10, CatchUp()) == Plan([], None, until, NOON + ONE)
    assert plan(parse(MINUTELY), until, NOON + 3 * ONE, 10, CatchUp()).due == minutes(11, 13)


@pytest.mark.parametrize(
    ("catch_up", "past", "missed"),
    [
        (CatchUp("all"), minutes(-30, 0), 0),
        (CatchUp("all", 5), minutes(-4, 0), 26),
        (CatchUp("all", 100, 600.0), minutes(-10, 0), 20),
        (CatchUp("latest"), minutes(0, 0), 30),
        (CatchUp("latest", window=0.0), minutes(0, 0), 30),
        (CatchUp("none"), [], 31),
    ],
)
def test_missed_times_by_policy(catch_up: CatchUp, past: list[datetime], missed: int) -> None:
    found = plan(parse(MINUTELY), NOON - 31 * ONE, NOON, 2, catch_up)
    assert (found.due, found.until) == (past + minutes(1, 2), NOON + 2 * ONE)
    if not missed:
        assert found.skip is None
        return
    assert found.skip is not None
    assert (found.skip.first, found.skip.count, found.skip.counted) == (NOON - 30 * ONE, missed, True)
    assert found.skip.last == NOON - 30 * ONE + (missed - 1) * ONE


def test_a_window_leaves_out_even_the_newest() -> None:
    found = plan(parse(MINUTELY), NOON - 31 * ONE, NOON + timedelta(seconds=30), 1, CatchUp("latest", window=10.0))
    assert found.due == minutes(1, 1)
    assert found.skip is not None and (found.skip.last, found.skip.count) == (NOON, 31)


@pytest.mark.parametrize(
    "document", [MINUTELY, {"kind": "interval", "seconds": 1}, {"kind": "cron", "cron": "*/7 9-17 * * 1-5"}]
)
@pytest.mark.parametrize("catch_up", [CatchUp("all", 10_000), CatchUp("all", 50), CatchUp("latest"), CatchUp("none")])
def test_a_very_long_absence_keeps_the_newest_and_loses_none(
    document: dict[str, Any], catch_up: CatchUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short way gives what listing every due time would have given."""
    away = timedelta(days=1) if "seconds" in document else timedelta(days=40)
    monkeypatch.setattr(scheduling, "_COUNTED", 10**9)
    listed = plan(parse(document), NOON - away, NOON, 3, catch_up)
    monkeypatch.setattr(scheduling, "_COUNTED", 1000)
    found = plan(parse(document), NOON - away, NOON, 3, catch_up)
    assert (found.due, found.until, found.again) == (listed.due, listed.until, listed.again)
    assert (found.skip is None) == (listed.skip is None)
    if found.skip is not None and listed.skip is not None:
        assert (found.skip.first, found.skip.last) == (listed.skip.first, listed.skip.last)
        assert found.skip.count <= listed.skip.count


def test_a_schedule_of_rare_bursts_costs_a_bounded_look_back(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = 0
    compute = Rule.times

    def counted(rule: Rule, after: datetime) -> Iterator[datetime]:
        nonlocal computed
        for time in compute(rule, after):
            computed += 1
            yield time

    monkeypatch.setattr(Rule, "times", counted)
    burst = {
        "kind": "interval",
        "seconds": 1,
        "filters": [{"kind": "between_dates", "start_month": 1, "start_day": 1, "end_month": 1, "end_day": 2}],
    }
    found = plan(
        parse(burst), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC), 1, CatchUp("all", 20)
    )
    assert [time.second for time in found.due[18:20]] == [58, 59]
    assert len(found.due) == 21
    assert 20 < computed < 100_000


def test_the_end_of_a_schedule() -> None:
    ending = MINUTELY | {"end": "2026-03-02T12:03:00+00:00"}
    found = plan(parse(ending), NOON, NOON, 10, CatchUp())
    assert (found.due, found.again) == (minutes(1, 3), None)
    assert plan(parse(ending), NOON + timedelta(hours=1), NOON + timedelta(hours=1), 10, CatchUp()) == Plan(
        [], None, NOON + timedelta(hours=1), None
    )


def test_a_malformed_one_says_so() -> None:
    with pytest.raises(ScheduleError):
        plan(parse({"kind": "cron", "cron": "no"}), NOON, NOON, 10, CatchUp())


@given(
    st.lists(st.integers(1, 9 * 60), min_size=1, max_size=60),
    st.integers(10, 12),
    st.sampled_from(["all", "latest", "none"]),
)
@settings(max_examples=depth.examples(60), deadline=None)
def test_rounds_at_any_moments_give_each_minute_once(steps: list[int], ahead: int, policy: str) -> None:
    now = until = NOON
    due: list[datetime] = []
    for step in [0, *steps]:
        now += timedelta(seconds=step)
        found = plan(parse(MINUTELY), until, now, ahead, CatchUp(policy))
        due += found.due
        assert found.skip is None and found.until is not None and found.until >= until
        until = found.until
    assert due == minutes(1, len(due))
    assert len([time for time in due if time > now]) == ahead


@pytest.mark.parametrize(
    ("catch_up", "kept"),
    [
        (CatchUp("all"), [1, 2, 3, 4, 5]),
        (CatchUp("all", 2), [4, 5]),
        (CatchUp("all", 100, 120.0), [3, 4, 5]),
        (CatchUp("latest"), [5]),
        (CatchUp("none"), []),
    ],
)
@pytest.mark.parametrize("settled", [set(), {2}, {5}, {1, 2, 3}])
def test_planned_runs_of_an_outage_by_policy(catch_up: CatchUp, kept: list[int], settled: set[int]) -> None:
    """At 12:05, after an outage since noon: what others have settled stays out of it, but counts as the newest where it is."""
    now, until = NOON + 5 * ONE, NOON + 8 * ONE
    minute = {time: number for number, time in enumerate(minutes(1, 5), 1)}
    waiting = frozenset(time for time, number in minute.items() if number not in settled)
    passed = Passed(now, waiting, frozenset(minute) - waiting)
    found = plan(parse(MINUTELY), until, now, 3, catch_up, passed)
    given_up = [number for number in range(1, 6) if number not in kept and number not in settled]
    assert [minute[time] for time in found.given_up] == given_up
    assert (found.due, found.until) == ([], until)
    assert (found.skip.count if found.skip else 0) == len(given_up)


@pytest.mark.parametrize("policy", ["all", "latest", "none"])
def test_planned_and_unplanned_times_are_judged_together(policy: str) -> None:
    now, until = NOON + 8 * ONE, NOON + 5 * ONE
    found = plan(parse(MINUTELY), until, now, 1, CatchUp(policy), Passed(now, frozenset(minutes(1, 5))))
    past = {"all": minutes(6, 8), "latest": minutes(8, 8), "none": []}[policy]
    assert found.due == past + minutes(9, 9)
    assert found.given_up == ([] if policy == "all" else minutes(1, 5))
    assert (found.skip.count if found.skip else 0) == 8 - (8 if policy == "all" else len(past))


def test_planned_runs_of_a_very_long_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "_COUNTED", 50)
    now, waiting = NOON + 200 * ONE, frozenset(minutes(1, 10))
    found = plan(parse(MINUTELY), NOON + 10 * ONE, now, 1, CatchUp("latest"), Passed(now, waiting))
    assert (found.due, found.given_up) == ([now, now + ONE], minutes(1, 10))
    assert found.skip is not None and (found.skip.first, found.skip.last) == (NOON + ONE, now - ONE)

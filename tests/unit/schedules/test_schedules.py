"""Times of schedules, above all on the days when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.schedules import parse, validate
from appliance.schedules.clocks import CronClock, IntervalClock
from appliance.schedules.errors import ScheduleError
from appliance.schedules.schedule import CronSchedule, IntervalSchedule, Schedule
from tests import depth

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(expression: str, zone: str = "UTC", **more: Any) -> dict[str, Any]:
    return {"kind": "cron", "cron": expression, "timezone": zone, **more}


def walls(document: dict[str, Any], after: datetime, n: int) -> list[str]:
    zone = ZoneInfo(document["timezone"])
    return [t.astimezone(zone).strftime("%d %H:%M%z") for t in parse(document).next(n, after)]


def test_times_lie_strictly_after_and_are_utc() -> None:
    times = parse(cron("*/5 * * * *", BERLIN)).next(3, utc("2026-01-01T00:05:00"))
    assert times == [utc("2026-01-01T00:10:00"), utc("2026-01-01T00:15:00"), utc("2026-01-01T00:20:00")]
    assert all(t.tzinfo is UTC for t in times)
    assert parse(cron("0 0 * * *")).next(1, utc("2026-01-01T23:59:59.999999")) == [utc("2026-01-02T00:00:00")]
    assert parse(cron("0 0 * * *")).next(1, utc("2026-01-02T00:00:00.000001")) == [utc("2026-01-03T00:00:00")]
    assert parse(cron("* * * * *")).next(0, utc("2026-01-01T00:00:00")) == []


@pytest.mark.parametrize(
    ("alias", "expected"), [("@hourly", "01:00"), ("@daily", "00:00"), ("@weekly", "00:00"), ("@MONTHLY", "00:00")]
)
def test_aliases(alias: str, expected: str) -> None:
    assert walls(cron(alias), utc("2026-01-01T00:00:00"), 1)[0][3:8] == expected


def test_cron_when_new_york_springs_forward() -> None:
    before = utc("2026-03-07T12:00:00")  # 8 March, 02:00 -> 03:00
    assert walls(cron("30 2 * * *", NEW_YORK), before, 3) == ["08 03:00-0400", "09 02:30-0400", "10 02:30-0400"]
    assert walls(cron("0,30 2,3 * * *", NEW_YORK), before, 3) == ["08 03:00-0400", "08 03:30-0400", "09 02:00-0400"]
    assert walls(cron("30 * * * *", NEW_YORK), utc("2026-03-08T06:00:00"), 3) == [
        "08 01:30-0500",
        "08 03:30-0400",
        "08 04:30-0400",
    ]


def test_cron_when_new_york_falls_back() -> None:
    fixed = cron("30 1 * * *", NEW_YORK)  # 1 November, 02:00 -> 01:00
    assert walls(fixed, utc("2026-10-31T12:00:00"), 2) == ["01 01:30-0400", "02 01:30-0500"]
    for minute in range(
        30, 180, 10
    ):  # asked anywhere after it, also inside the second 01:00 hour, it never comes again
        after = utc("2026-11-01T05:00:00") + timedelta(minutes=minute)
        assert walls(fixed, after, 1) == ["02 01:30-0500"]
    assert len(parse(cron("*/30 * * * *", NEW_YORK)).next(50, utc("2026-11-01T03:59:59"))) == 50
    hours = parse(cron("0 * * * *", NEW_YORK)).next(26, utc("2026-11-01T03:59:59"))
    assert {b - a for a, b in pairwise(hours)} == {timedelta(hours=1)}


def test_cron_in_berlin_on_both_days() -> None:
    assert walls(cron("30 2 * * *", BERLIN), utc("2026-03-28T12:00:00"), 2) == ["29 03:00+0200", "30 02:30+0200"]
    assert walls(cron("30 2 * * *", BERLIN), utc("2026-10-24T12:00:00"), 2) == ["25 02:30+0200", "26 02:30+0100"]


def interval(seconds: float, anchor: str, zone: str, **more: Any) -> dict[str, Any]:
    return {"kind": "interval", "seconds": seconds, "anchor": anchor, "timezone": zone, **more}


def test_intervals_of_days_keep_the_wall_time() -> None:
    daily = interval(86_400, "2026-03-01T07:30:00+00:00", NEW_YORK)  # 02:30 in New York
    assert walls(daily, utc("2026-03-07T00:00:00"), 4) == [
        "07 02:30-0500",
        "08 03:00-0400",
        "09 02:30-0400",
        "10 02:30-0400",
    ]
    late = interval(86_400, "2026-10-01T05:30:00+00:00", NEW_YORK)  # 01:30 in New York
    assert walls(late, utc("2026-10-31T12:00:00"), 2) == ["01 01:30-0400", "02 01:30-0500"]
    assert walls(late, utc("2026-11-01T05:30:00"), 1) == ["02 01:30-0500"]
    assert walls(late, utc("2026-11-01T06:00:00"), 1) == ["02 01:30-0500"]


def test_shorter_intervals_are_absolute() -> None:
    half_days = interval(43_200, "2026-03-01T05:00:00+00:00", NEW_YORK)
    times = parse(half_days).next(6, utc("2026-03-07T12:00:00"))
    assert {b - a for a, b in pairwise(times)} == {timedelta(hours=12)}
    assert parse(interval(300, "2026-01-01T00:00:00Z", "UTC")).next(1, utc("2026-01-01T00:05:00")) == [
        utc("2026-01-01T00:10:00")
    ]
    assert parse(interval(0.1 * 10 + 0.1, "2026-01-01T00:00:00Z", "UTC")).next(10, utc("2026-01-01T00:00:00"))[
        -1
    ] == utc("2026-01-01T00:00:11")


def test_start_and_end_count_themselves() -> None:
    bounds = {"start": "2026-01-01T00:10:00Z", "end": "2026-01-01T00:20:00Z"}
    expected = [utc("2026-01-01T00:10:00"), utc("2026-01-01T00:15:00"), utc("2026-01-01T00:20:00")]
    assert parse(cron("*/5 * * * *", **bounds)).next(9, utc("2025-12-01T00:00:00")) == expected
    assert parse(interval(300, "2020-01-01T00:00:00Z", "UTC", **bounds)).next(9, utc("2025-12-01T00:00:00")) == expected


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"kind": "weekly"}, "cron, interval, dates or rrule"),
        (cron("61 * * * *"), "bad minute"),
        (cron("* * * *"), "not valid"),
        (cron(""), "needs an expression"),
        (cron("0 0 31 2 *"), "not valid|never"),
        (cron("* * * * *", "Mars/Base"), "no time zone 'Mars/Base'"),
        (cron("* * * * *", "../../etc/passwd"), "no time zone"),
        (cron("* * * * *", start="soon"), "start of a schedule"),
        (cron("* * * * *", start="2026-01-02T00:00:00Z", end="2026-01-01T00:00:00Z"), "after its start"),
        (cron("* * * * *", color="red"), "no field 'color'"),
        ({"kind": "interval", "seconds": 0.5}, "at least 1"),
        ({"kind": "interval", "seconds": True}, "at least 1"),
        ({"kind": "interval", "seconds": 60, "anchor": "2026-01-01T00:00:00"}, "anchor"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(document: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        validate(document)
    assert issubclass(ScheduleError, ValueError)


def test_clocks_merge_without_doubles() -> None:
    schedule = Schedule(
        [CronClock("0 * * * *", parameters={"n": 1}), IntervalClock(timedelta(minutes=30), labels=["b", "a"])]
    )
    times = schedule.next(4, after=utc("2026-01-01T00:00:00"))
    assert [t.strftime("%H:%M") for t in times] == ["00:30", "01:00", "01:30", "02:00"]
    due = schedule.due(utc("2026-01-01T00:30:00"))
    assert due is not None
    assert [clock.parameters for clock in due[1]] == [{"n": 1}, {}]
    assert schedule.clocks[1].to_document()["labels"] == ["a", "b"]


def test_factories() -> None:
    document = IntervalSchedule(timedelta(days=1), datetime(2026, 1, 1, 6), timezone=BERLIN).clocks[0].to_document()  # noqa: DTZ001
    assert document["anchor"] == document["start"] == "2026-01-01T05:00:00.000000Z"
    assert document["seconds"] == 86_400
    berlin = CronSchedule("0 6 * * *", start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(BERLIN)))
    assert berlin.clocks[0].document["timezone"] == BERLIN
    assert CronSchedule("@daily", end_date=datetime(2026, 1, 1)).next(3, after=utc("2026-02-01T00:00:00")) == []  # noqa: DTZ001
    with pytest.raises(ScheduleError):
        CronSchedule("nonsense")
    with pytest.raises(ScheduleError, match="no time zone"):
        CronSchedule("@daily", timezone="X/Y", start_date=datetime(2026, 1, 1))  # noqa: DTZ001


ANY_SCHEDULE = st.one_of(
    st.builds(
        cron,
        st.sampled_from(
            [
                "*/7 * * * *",
                "30 2 * * *",
                "0,30 1-3 * * *",
                "15 */2 * * *",
                "0 0 * * 0",
                "59 23 28-31 * *",
                "30 1 * 3,10,11 *",
            ]
        ),
        st.sampled_from([NEW_YORK, BERLIN, "Australia/Lord_Howe", "UTC", "Asia/Kolkata"]),
    ),
    st.builds(
        interval,
        st.sampled_from([1.0, 90.5, 3_600.0, 43_200.0, 86_400.0, 604_800.0]),
        st.sampled_from(["2026-01-01T00:00:00Z", "2025-03-09T07:30:00Z", "2027-06-01T01:30:00Z"]),
        st.sampled_from([NEW_YORK, BERLIN, "Australia/Lord_Howe", "UTC"]),
    ),
)


@settings(max_examples=depth.examples(150), deadline=None)
@given(ANY_SCHEDULE, st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_asking_in_steps_gives_the_same_times(document: dict[str, Any], after: datetime) -> None:
    times = parse(document).next(6, after)
    assert times == sorted(set(times))
    assert times[0] > after
    one_by_one = []
    for _ in times:
        after = parse(document).next(1, after)[0]
        one_by_one.append(after)
    assert one_by_one == times

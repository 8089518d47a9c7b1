"""Filters, adjustments and calendars: which of a clock's times count, where they go, and that the work for it is bounded."""

from __future__ import annotations

import json
import time as stopwatch
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.flow import Flow
from appliance.core.serialize import serialize
from appliance.schedules import adjustments, filters, parse, validate
from appliance.schedules.calendars import Blackout, Calendar
from appliance.schedules.clocks import Clock, CronClock, DatesClock, IntervalClock
from appliance.schedules.errors import ScheduleError
from appliance.schedules.schedule import CronSchedule, DatesSchedule, RRuleSchedule, Schedule
from tests import depth

BERLIN = "Europe/Berlin"
ZONE = ZoneInfo(BERLIN)
FRIDAY = datetime(2026, 3, 6, 12, tzinfo=UTC)


def hits(schedule: Schedule, n: int = 3, after: datetime = FRIDAY) -> list[str]:
    found = schedule.next(n, after=after)
    in_code = [parse(json.loads(json.dumps(c.to_document()))).next(n, after) for c in schedule.clocks]
    assert found == sorted({t for times in in_code for t in times})[:n]  # the server gets the same from the JSON
    return [t.astimezone(ZONE).strftime("%d.%m %H:%M") for t in found]


def daily(expression: str = "30 6 * * *", **rules: Any) -> Schedule:
    return Schedule([CronClock(expression, timezone=BERLIN)], **rules)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (filters.on_datetime(datetime(2026, 3, 10, 6, 30)), ["10.03 06:30"]),  # noqa: DTZ001 - on the schedule's wall
        (filters.on_datetime(datetime(2026, 3, 10, 5, 30, tzinfo=UTC)), ["10.03 06:30"]),
        (filters.on_date(12, 25), ["25.12 06:30", "25.12 06:30", "25.12 06:30"]),
        (filters.at_time("06:30"), ["07.03 06:30", "08.03 06:30", "09.03 06:30"]),
        (filters.between_times(time(6), time(6, 30)), ["07.03 06:30", "08.03 06:30", "09.03 06:30"]),
        (filters.between_times("22:00", "06:30"), ["07.03 06:30", "08.03 06:30", "09.03 06:30"]),
        (filters.between_dates(12, 31, 1, 1), ["31.12 06:30", "01.01 06:30", "31.12 06:30"]),
        (filters.between_dates(3, 8, 3, 9), ["08.03 06:30", "09.03 06:30", "08.03 06:30"]),
        (
            filters.between_datetimes(datetime(2026, 3, 8), datetime(2026, 3, 9, 6, 30)),  # noqa: DTZ001
            ["08.03 06:30", "09.03 06:30"],
        ),
        (filters.is_weekday, ["09.03 06:30", "10.03 06:30", "11.03 06:30"]),
        (filters.is_weekend, ["07.03 06:30", "08.03 06:30", "14.03 06:30"]),
        (filters.is_month_start, ["01.04 06:30", "01.05 06:30", "01.06 06:30"]),
        (filters.is_month_end, ["31.03 06:30", "30.04 06:30", "31.05 06:30"]),
        (filters.is_day_of_week(0), ["08.03 06:30", "15.03 06:30", "22.03 06:30"]),
        (filters.is_day_of_week(1), ["09.03 06:30", "16.03 06:30", "23.03 06:30"]),
        (filters.is_day_of_week(7), ["08.03 06:30", "15.03 06:30", "22.03 06:30"]),
        (filters.is_day_of_week("saturday"), ["07.03 06:30", "14.03 06:30", "21.03 06:30"]),
    ],
)
def test_each_filter(condition: filters.Filter, expected: list[str]) -> None:
    assert hits(daily(filters=[condition])) == expected
    found = daily(filters=[condition]).next(1, after=FRIDAY)[0]
    assert condition(found.astimezone(ZONE))


def test_all_any_and_none_of_the_filters() -> None:
    some = [filters.is_day_of_week("mon"), filters.is_day_of_week("wed"), filters.is_day_of_week("sat")]
    schedule = daily(filters=[filters.is_weekday], or_filters=some, not_filters=[filters.on_date(3, 11)])
    assert hits(schedule) == ["09.03 06:30", "16.03 06:30", "18.03 06:30"]


def test_dense_clocks_reach_far_and_narrow_filters() -> None:
    every_second = IntervalClock(timedelta(seconds=1), timezone=BERLIN)
    assert hits(Schedule([every_second], filters=[filters.at_time("03:00")]), 2) == ["07.03 03:00", "08.03 03:00"]
    assert hits(daily("* * * * *", filters=[filters.on_date(12, 25)]), 1) == ["25.12 00:00"]
    closed = Calendar(blackouts=[Blackout(datetime(2026, 3, 6), datetime(2026, 5, 1))])  # noqa: DTZ001
    assert hits(daily("* * * * *", calendar=closed), 1) == ["01.05 00:00"]


def test_dense_clocks_pass_hours_that_are_left_out() -> None:
    every_second = IntervalClock(timedelta(seconds=1), timezone=BERLIN)
    nights = Schedule([every_second], not_filters=[filters.between_times("18:00", "08:00")])
    assert hits(nights, 1, FRIDAY.replace(hour=17)) == ["07.03 08:00"]
    some = Schedule([every_second], or_filters=[filters.at_time("03:00"), filters.is_month_end])
    assert hits(some, 2) == ["07.03 03:00", "08.03 03:00"]


def test_a_filter_sees_both_passes_of_an_hour_that_comes_twice() -> None:
    schedule = daily("*/30 * * * *", filters=[filters.between_times("02:00", "02:30")])
    assert [t.hour for t in schedule.next(5, after=datetime(2026, 10, 24, 12, tzinfo=UTC))] == [0, 0, 1, 1, 1]


def test_the_search_is_bounded() -> None:
    with pytest.raises(ScheduleError, match="None of 10,000 consecutive times"):
        daily(filters=[filters.is_weekday, filters.is_weekend])
    ended = daily(filters=[filters.between_datetimes(datetime(2020, 1, 1), datetime(2020, 1, 2))])  # noqa: DTZ001
    assert ended.next(3, after=FRIDAY) == []
    assert ended.due(FRIDAY) is None


def test_adjustments() -> None:
    assert hits(daily(adjustments=[adjustments.next_weekday])) == ["09.03 06:30", "10.03 06:30", "11.03 06:30"]
    assert hits(daily("0 9 1 * *", adjustments=[adjustments.add(timedelta(days=-1))])) == [
        "31.03 09:00",
        "30.04 09:00",
        "31.05 09:00",
    ]
    over_change = daily("0 9 28 3 *", adjustments=[adjustments.add(timedelta(days=1))])
    assert hits(over_change, 1) == ["29.03 09:00"]  # whole days keep the wall time
    assert hits(daily("0 9 28 3 *", adjustments=[adjustments.add(timedelta(hours=25))]), 1) == ["29.03 11:00"]
    both = [adjustments.add(timedelta(days=1)), adjustments.next_weekday]
    assert hits(daily("0 6 * * 5", adjustments=both), 2) == ["09.03 06:00", "16.03 06:00"]
    saturday = datetime(2026, 3, 7, 12, tzinfo=UTC)
    assert hits(daily(adjustments=[adjustments.next_weekday]), 1, saturday) == ["09.03 06:30"]
    assert adjustments.next_weekday(saturday) == saturday + timedelta(days=2)
    dense = daily("0 */6 * * *", adjustments=[adjustments.next_weekday]).next(9, after=FRIDAY)
    assert dense == sorted(set(dense))


def test_a_calendar_skips_or_moves() -> None:
    week = ["mon", "tue", "wed", "thu", "fri"]
    closed: dict[str, Any] = {"holidays": ["03-10", date(2026, 3, 11)], "business_days": week}
    assert hits(daily(calendar=Calendar(**closed))) == ["09.03 06:30", "12.03 06:30", "13.03 06:30"]
    moving = Calendar(**closed, when_closed="move")
    assert hits(daily("30 6 10 * *", calendar=moving), 2) == ["12.03 06:30", "10.04 06:30"]
    assert hits(daily("30 6 7,10 3 *", calendar=moving), 2) == ["09.03 06:30", "12.03 06:30"]
    inside = datetime(2026, 3, 11, 12, tzinfo=UTC)  # asked on the second holiday, the time of the first still comes
    assert hits(daily("30 6 10 * *", calendar=moving), 1, inside) == ["12.03 06:30"]
    long_closed = Calendar(blackouts=[Blackout("2026-03-07T00:00:00", "2026-06-01T00:00:00")], when_closed="move")
    assert hits(daily("0 0 8 * *", calendar=long_closed), 1) == ["08.06 00:00"]  # 8 May is 24 days off, 8 March 85


def test_blackouts_of_every_day() -> None:
    night = Blackout("22:00", "06:00")
    assert hits(daily("0 */4 * * *", calendar=Calendar(blackouts=[night]))) == [
        "06.03 16:00",
        "06.03 20:00",
        "07.03 08:00",
    ]
    moved = Calendar(blackouts=[night], when_closed="move")
    assert hits(daily("0 */4 * * *", calendar=moved), 4) == ["06.03 16:00", "06.03 20:00", "07.03 06:00", "07.03 08:00"]
    at_night = datetime(2026, 3, 7, 2, tzinfo=UTC)
    assert hits(daily("0 0 * * *", calendar=moved), 1, at_night) == ["07.03 06:00"]
    friday = Calendar(blackouts=[Blackout(time(16), time(2), days=["fri"])])
    assert hits(daily("0 17,23 * * *", calendar=friday), 2) == ["07.03 17:00", "07.03 23:00"]


def test_a_flow_registers_one_document_for_each_clock_with_all_rules() -> None:
    clocks_given = [CronClock("@daily", parameters={"n": 1}, labels=["a"]), IntervalClock(timedelta(hours=1))]
    schedule = Schedule(clocks_given, filters=[filters.is_weekday], calendar=Calendar(holidays=["12-25"]))
    documents = serialize(Flow("f", schedule=schedule))["schedules"]
    assert [d["filters"] for d in documents] == [[{"kind": "is_weekday"}]] * 2
    assert documents[0]["parameters"] == {"n": 1}
    assert documents[0]["labels"] == ["a"]
    assert documents[1]["calendar"]["holidays"] == ["12-25"]
    due = schedule.due(FRIDAY)
    assert due is not None
    assert (due[0], [clock.parameters for clock in due[1]]) == (datetime(2026, 3, 6, 13, tzinfo=UTC), [{}])
    due = schedule.due(FRIDAY.replace(hour=23, minute=30))
    assert due is not None
    assert (due[0], [clock.parameters for clock in due[1]]) == (datetime(2026, 3, 9, tzinfo=UTC), [{"n": 1}, {}])


def test_dates_and_recurrences() -> None:
    given_dates = [date(2026, 5, 1), datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, tzinfo=UTC)]  # noqa: DTZ001
    assert hits(DatesSchedule(given_dates, timezone=BERLIN), 9) == ["29.03 03:00", "01.05 00:00"]
    rule = RRuleSchedule("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=6", timezone=BERLIN)
    assert hits(rule, 2) == ["27.03 06:00", "24.04 06:00"]
    nightly = RRuleSchedule("DTSTART:20260301T023000\nRRULE:FREQ=DAILY", timezone=BERLIN)
    assert hits(nightly, 2, datetime(2026, 3, 28, 12, tzinfo=UTC)) == ["29.03 03:00", "30.03 02:30"]
    assert hits(nightly, 2, datetime(2026, 10, 24, 12, tzinfo=UTC)) == ["25.10 02:30", "26.10 02:30"]
    assert hits(RRuleSchedule("FREQ=DAILY;COUNT=3", datetime(2026, 3, 5, 9), BERLIN), 9) == ["07.03 09:00"]  # noqa: DTZ001


def test_a_day_may_have_to_match_both_day_fields() -> None:
    friday_13 = CronSchedule("0 6 13 * 5", timezone=BERLIN, day_or=False)
    assert hits(friday_13, 3) == ["13.03 06:00", "13.11 06:00", "13.08 06:00"]
    assert hits(CronSchedule("0 6 13 * 5", timezone=BERLIN), 3) == ["13.03 06:00", "20.03 06:00", "27.03 06:00"]
    assert friday_13.describe() == "At 06:00 (Europe/Berlin), on the 13th of the month if that is also on Fridays"
    (clock,) = friday_13.clocks
    assert Clock(clock.to_document() | {"parameters": {}, "labels": []}).next(1, FRIDAY) == clock.next(1, FRIDAY)
    assert "day_or" not in CronClock("0 6 13 * 5").to_document(), "a server one release older knows no such field"


UNTIL: dict[str, tuple[Any, list[str]]] = {
    "a wall time": ("FREQ=DAILY;BYHOUR=0;UNTIL=20260308T000000", ["07.03 00:00", "08.03 00:00"]),
    "an instant in UTC": ("FREQ=DAILY;BYHOUR=0;UNTIL=20260307T230000Z", ["07.03 00:00", "08.03 00:00"]),
    "an instant before midnight": ("FREQ=DAILY;BYHOUR=0;UNTIL=20260307T225959Z", ["07.03 00:00"]),
    "a start with its zone": (
        "DTSTART;TZID=Europe/Berlin:20260301T000000\nRRULE:FREQ=DAILY;UNTIL=20260307T230000Z",
        ["07.03 00:00", "08.03 00:00"],
    ),
    "a start in UTC": (
        "DTSTART:20260301T230000Z\nRRULE:FREQ=DAILY;UNTIL=20260307T230000Z",
        ["07.03 00:00", "08.03 00:00"],
    ),
    "the last year of all": ("FREQ=YEARLY;UNTIL=99991231T235959Z", ["01.01 00:00", "01.01 00:00", "01.01 00:00"]),
}


@pytest.mark.parametrize("name", UNTIL)
def test_the_end_of_a_rule_may_be_an_instant(name: str) -> None:
    text, times = UNTIL[name]
    assert hits(RRuleSchedule(text, timezone=BERLIN), 3) == times


def test_the_end_of_a_dateutil_rule_is_in_utc() -> None:
    from dateutil import rrule

    berlin = ZoneInfo(BERLIN)
    rule = rrule.rrule(
        rrule.DAILY, dtstart=datetime(2026, 3, 1, tzinfo=berlin), until=datetime(2026, 3, 7, 23, tzinfo=UTC)
    )
    assert hits(RRuleSchedule(rule), 9) == ["07.03 00:00", "08.03 00:00"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: CronClock("@daily", day_or="no"), "day_or of a cron schedule must be true"),
        (lambda: RRuleSchedule("FREQ=DAILY;UNTIL=20270101T000000+01:00"), "with Z at its end"),
        (lambda: filters.on_date(2, 30), "a date"),
        (lambda: filters.on_date(13, 1), "from 1 to 12"),
        (lambda: filters.at_time("25:00"), "time of day"),
        (lambda: filters.is_day_of_week(8), "0 \\(Sunday\\) to 7"),
        (lambda: filters.is_day_of_week("someday"), "such as 'monday'"),
        (lambda: filters.is_weekday(datetime(2026, 1, 1)), "with an offset"),  # noqa: DTZ001
        (lambda: adjustments.add(timedelta(days=400)), "366 days"),
        (lambda: Calendar(holidays=["Christmas"]), "12-25"),
        (lambda: Calendar(business_days=[]), "at least one business day"),
        (lambda: Calendar(when_closed="wait"), "'skip' or 'move'"),
        (lambda: Blackout("22:00", "2026-01-01T00:00:00"), "time with an offset"),
        (lambda: Blackout("2026-01-02T00:00", "2026-01-01T00:00"), "after its start"),
        (lambda: DatesClock([]), "at least one date"),
        (lambda: RRuleSchedule("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"), "is never due"),
        (lambda: RRuleSchedule("FREQ=SECONDLY;INTERVAL=2;BYSECOND=1"), "is never due"),
        (lambda: RRuleSchedule("FREQ=SOMETIMES"), "FREQ must be one of"),
        (lambda: RRuleSchedule("FREQ=DAILY;COUNT=2;UNTIL=20270101"), "can't be combined"),
        (lambda: RRuleSchedule("FREQ=WEEKLY;BYDAY=2MO"), "needs FREQ=MONTHLY"),
        (lambda: daily().next(1, after=datetime(2026, 1, 1)), "must have a UTC offset"),  # noqa: DTZ001
        (lambda: Clock({"kind": "cron", "cron": "@daily", "filters": "is_weekday"}), "must be a list"),
        (
            lambda: Clock({"kind": "cron", "cron": "@daily", "filters": [{"kind": "is_weekday", "x": 1}]}),
            "no field 'x'",
        ),
        (lambda: Clock({"kind": "cron", "cron": "@daily", "adjustments": [{"kind": "jump"}]}), "add or next_weekday"),
    ],
)
def test_each_mistake_is_a_sentence(make: Any, says: str) -> None:
    with pytest.raises(ScheduleError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_function_is_no_filter() -> None:
    with pytest.raises(TypeError, match="can't be registered with a schedule"):
        daily(filters=[lambda at: True])  # type: ignore[list-item]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(
        ["cron", "interval", "dates", "rrule", "*/5 * * * *", "0 0 29 2 1", "FREQ=DAILY", "FREQ=SECONDLY;BYMONTHDAY=31;BYMONTH=2",
         BERLIN, "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "22:00", "12-25", "move",
         "is_weekday", "at_time", "between_times", "add", "next_weekday"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["kind", "start", "end", "at", "day", "month", "seconds", "days", "holidays", "blackouts", "x"]), inner, max_size=5
    ),
    max_leaves=12,
)  # fmt: skip
DOCUMENT = st.dictionaries(
    st.sampled_from(
        ["cron", "seconds", "anchor", "dates", "rrule", "timezone", "start", "end", "filters", "or_filters", "not_filters",
         "adjustments", "calendar", "labels", "other"]
    ),
    JSON,
    max_size=6,
)  # fmt: skip
KINDS = st.sampled_from(
    [{"kind": "cron", "cron": "* * * * *"}, {"kind": "interval", "seconds": 1}, {"kind": "dates", "dates": ["2026-01-01T00:00:00"]},
     {"kind": "rrule", "rrule": "FREQ=DAILY"}, {}]
)  # fmt: skip


@settings(max_examples=depth.examples(400), deadline=None)
@given(KINDS, DOCUMENT, st.datetimes(timezones=st.just(UTC)))
def test_whatever_the_json_says_the_answer_is_times_or_a_sentence(
    kind: dict[str, Any], document: dict[str, Any], after: datetime
) -> None:
    began = stopwatch.process_time()
    whole = document | kind
    for attempt in (lambda: validate(whole).next(5, after), lambda: parse(whole).next(5, after)):
        try:
            times = attempt()
        except ScheduleError as error:
            assert str(error).endswith(".")
        else:
            assert all(a < b for a, b in pairwise([after, *times]))
    assert stopwatch.process_time() - began < 5


FILTERS = st.sampled_from(
    [filters.is_weekday, filters.is_weekend, filters.is_month_end, filters.is_day_of_week(2), filters.between_times("01:30", "03:10"),
     filters.between_times("22:00", "02:30"), filters.at_time("02:00"), filters.between_dates(10, 20, 4, 2), filters.on_date(10, 25)]
)  # fmt: skip
CLOCKS = st.sampled_from(["0 * * * *", "*/30 * * * *", "30 2 * * *", "0 0,2,12 * * *", "15 22 * * 5"])


@settings(max_examples=depth.pick(quick=15, normal=20, full=1200), deadline=None)
@given(
    CLOCKS,
    st.lists(FILTERS, max_size=2),
    st.lists(FILTERS, max_size=2),
    st.lists(FILTERS, max_size=1),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_jumping_finds_what_looking_at_every_time_finds(
    expression: str,
    every: list[filters.Filter],
    some: list[filters.Filter],
    none: list[filters.Filter],
    after: datetime,
) -> None:
    plain = CronClock(expression, timezone=BERLIN)
    expected = [
        time
        for time in plain.next(2000, after)
        if all(f(time.astimezone(ZONE)) for f in every)
        and (not some or any(f(time.astimezone(ZONE)) for f in some))
        and not any(f(time.astimezone(ZONE)) for f in none)
    ][:8]
    try:
        found = Schedule([plain], every, some, none).next(8, after)
    except ScheduleError:
        found = []
    assert found[: len(expected)] == expected

"""The grammar of cron expressions, each hard case with its meaning; recurrence rules against dateutil; schedules in words."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from dateutil.rrule import rrulestr

from appliance.schedules import adjustments, cron, filters, parse, recurrence, validate
from appliance.schedules.calendars import Blackout, Calendar
from appliance.schedules.clocks import CronClock, DatesClock, IntervalClock
from appliance.schedules.errors import ScheduleError
from appliance.schedules.schedule import CronSchedule, IntervalSchedule, Schedule
from appliance.schedules.texts import describe
from tests import depth

AFTER = datetime(2026, 2, 26, 12, 0, tzinfo=UTC)  # a Thursday
BERLIN = "Europe/Berlin"


def due(expression: str, n: int = 2, after: datetime = AFTER) -> list[str]:
    return [t.strftime("%m-%d %H:%M:%S") for t in CronSchedule(expression).next(n, after=after)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * * *", ["02-26 12:00:01", "02-26 12:00:02"]),  # six fields: the seconds come first
        ("0 0 * * 7", ["03-01 00:00:00", "03-08 00:00:00"]),  # 7 is Sunday, as 0 is
        ("0 0 L * *", ["02-28 00:00:00", "03-31 00:00:00"]),
        ("0 0 LW * *", ["02-27 00:00:00", "03-31 00:00:00"]),
        ("0 0 29 2 *", ["02-29 00:00:00", "02-29 00:00:00"]),
        ("0 0 31 * *", ["03-31 00:00:00", "05-31 00:00:00"]),
        ("0 0 13 * 5", ["02-27 00:00:00", "03-06 00:00:00"]),  # either day field fits
        ("0 0 */13 * 5", ["02-27 00:00:00", "03-27 00:00:00"]),  # one begins with a star: both must fit
        ("0 0 * * MON#2", ["03-09 00:00:00", "04-13 00:00:00"]),
        ("0 0 * * 5L", ["02-27 00:00:00", "03-27 00:00:00"]),
        ("0 0 1 jan,Jul *", ["07-01 00:00:00", "01-01 00:00:00"]),
        ("50/5 12 * * *", ["02-26 12:50:00", "02-26 12:55:00"]),
        ("  15   3 * * *  ", ["02-27 03:15:00", "02-28 03:15:00"]),
        ("@Monthly", ["03-01 00:00:00", "04-01 00:00:00"]),
    ],
)
def test_what_an_expression_means(expression: str, expected: list[str]) -> None:
    assert due(expression) == expected


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: CronSchedule("0 0 30 2 *"), "is never due"),
        (lambda: CronSchedule("0 0 */31 * MON#2"), "is never due"),
        (lambda: CronSchedule("@reboot"), "can't use @reboot"),
        (lambda: CronSchedule("*/0 * * * *"), "bad minute '\\*/0'"),
        (lambda: CronSchedule("*/0"), "it has 1 field;"),
        (lambda: CronSchedule("99 * * * *"), "bad minute '99', which must be between 0 and 59"),
        (lambda: CronSchedule("R * * * *"), "bad minute 'R'"),
        (lambda: CronSchedule("H 0 * * *"), "bad minute 'H'"),
        (lambda: CronSchedule("0 0 15W * *"), "bad day-of-month '15W'"),
        (lambda: CronSchedule("0 0 ? * *"), "bad day-of-month"),
        (lambda: CronSchedule("0 0 * * 8"), "bad day-of-week"),
        (lambda: CronSchedule("0 0 * * MON#6"), "counts from #1 to #5"),
        (lambda: CronSchedule("0 20-4 * * *"), "range is descending"),
        (lambda: CronSchedule("0,, * * * *"), "bad minute"),
        (lambda: CronSchedule("-1 * * * *"), "bad minute"),
        (lambda: CronSchedule("٣ * * * *"), "bad minute"),
        (lambda: CronSchedule("* * * * * * *"), "it has 7 fields"),
        (lambda: CronSchedule("0," * 512 + "0 * * * *"), "at most 1000 characters"),
        (lambda: IntervalSchedule(timedelta(0)), "at least 1"),
        (lambda: IntervalSchedule(timedelta(seconds=-1)), "at least 1"),
        (lambda: IntervalSchedule(timedelta(milliseconds=1)), "at least 1"),
        (lambda: IntervalSchedule(timedelta(days=365_250)), "at most ten years"),
        (lambda: CronSchedule("@daily", timezone="Mars/X"), "no time zone 'Mars/X'"),
        (lambda: IntervalSchedule(timedelta(hours=1), timezone="Mars/X"), "no time zone 'Mars/X'"),
        (
            lambda: CronSchedule("@daily", start_date=AFTER, end_date=AFTER - timedelta(days=1)),
            "must be after its start",
        ),
    ],
)
def test_what_is_refused_is_refused_with_one_sentence(make: Any, says: str) -> None:
    with pytest.raises(ScheduleError, match=says) as caught:
        make()
    text = str(caught.value)
    assert text.endswith(".")
    assert len(text) < 300
    assert "\n" not in text


def test_no_time_zone_means_utc() -> None:
    assert CronSchedule("0 6 * * *", timezone=None).next(1, after=AFTER) == [datetime(2026, 2, 27, 6, tzinfo=UTC)]
    assert parse({"kind": "cron", "cron": "0 6 * * *", "timezone": None}).next(1, AFTER)[0].hour == 6


def test_a_long_expression_within_the_limit_is_read() -> None:
    minutes = ",".join(map(str, range(60)))
    assert due(f"{minutes} {','.join(map(str, range(24)))} {minutes[2:82]} * *", 1) == ["02-26 12:01:00"]


def test_the_leap_second_is_refused() -> None:
    with pytest.raises(ScheduleError, match="start of a schedule"):
        validate({"kind": "cron", "cron": "@daily", "start": "2016-12-31T23:59:60Z"})


def test_a_day_that_a_zone_skips() -> None:
    """Apia had no 30 December 2011: what was fixed on it comes once, at the first instant of the 31st."""
    nightly = CronSchedule("30 6 * * *", timezone="Pacific/Apia")
    found = nightly.next(3, after=datetime(2011, 12, 29, 12, tzinfo=UTC))
    assert [t.isoformat() for t in found] == [
        "2011-12-29T16:30:00+00:00",
        "2011-12-30T10:00:00+00:00",
        "2011-12-30T16:30:00+00:00",
    ]
    noon = IntervalSchedule(timedelta(days=1), datetime(2011, 12, 28), timezone="Pacific/Apia")  # noqa: DTZ001
    found = noon.next(3, after=datetime(2011, 12, 29, 9, tzinfo=UTC))
    assert [t.isoformat()[:13] for t in found] == ["2011-12-29T10", "2011-12-30T10", "2011-12-31T10"]


def test_every_second_of_a_day() -> None:
    start = datetime(2026, 3, 8, tzinfo=UTC)
    times = parse({"kind": "cron", "cron": "* * * * * *", "timezone": "America/New_York"}).next(86_400, start)
    assert len(set(times)) == 86_400
    assert times[-1] - times[0] == timedelta(seconds=86_399)


def _rule(draw: random.Random) -> str:
    frequency = draw.choice(("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"))
    nth = draw.choice((["1", "2", "-1", "-2", "5"], [""])) if frequency in ("MONTHLY", "YEARLY") else [""]
    days = [draw.choice(nth) + day for day in draw.sample(("MO", "TU", "WE", "TH", "FR", "SA", "SU"), 2)]
    options = [
        (0.5, f"INTERVAL={draw.randint(1, 5)}"),
        (0.2, f"BYMONTH={draw.randint(1, 12)},{draw.randint(1, 12)}"),
        (0.2, f"BYMONTHDAY={draw.choice((1, 13, 28, 31, -1, -2))}"),
        (0.1, f"BYYEARDAY={draw.choice((1, 60, 200, 366, -1, -100))}"),
        (0.3, "BYDAY=" + ",".join(days)),
        (0.3, f"BYHOUR={draw.randint(0, 23)},{draw.randint(0, 23)}"),
        (0.2, f"BYMINUTE={draw.randint(0, 59)}"),
        (0.1, f"BYSECOND={draw.randint(0, 59)}"),
        (0.2, f"COUNT={draw.randint(1, 30)}"),
    ]
    parts = [f"FREQ={frequency}", *(text for chance, text in options if draw.random() < chance)]
    if frequency == "MONTHLY" and any(part.startswith("BYDAY") for part in parts):
        parts.append("BYSETPOS=" + draw.choice(("1", "-1", "1,2")))
    return ";".join(parts)


def test_recurrence_rules_agree_with_dateutil() -> None:
    draw = random.Random(11)
    compared = 0
    rules = depth.pick(quick=60, normal=100, full=4000)
    for _ in range(rules):
        text = _rule(draw)
        start = datetime(2020, 1, 1) + timedelta(minutes=draw.randint(0, 1_000_000))  # noqa: DTZ001 - wall times
        after = start + timedelta(minutes=draw.randint(-1000, 9000 if "LY;" not in text[:12] else 300_000))
        try:
            found = list(islice(recurrence.parse(text).walls(start, after), 5))
        except ScheduleError:
            continue  # is never due; dateutil would look on until the year 9999
        found = [wall for wall in found if wall < start + timedelta(days=3000)]
        if found:
            expected = list(islice((wall for wall in rrulestr(text, dtstart=start) if wall > after), len(found)))
            assert found == expected, (text, start, after)
            compared += 1
    assert compared > rules // 2


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (
            Schedule([CronClock("30 6 * * *", BERLIN)], [filters.is_weekday], calendar=Calendar(holidays=["12-25"])),
            "Every day at 06:30 (Europe/Berlin), on weekdays, except holidays",
        ),
        (CronClock("30 6 * * 1-5", BERLIN), "Every day at 06:30 (Europe/Berlin), on weekdays"),
        (CronClock("0 6,18 * * *"), "Every day at 06:00 and 18:00"),
        (CronClock("*/15 8-17 * * *"), "Every 15 minutes from 08:00 to 17:59"),
        (CronClock("*/7 * * * *"), "Every 7 minutes from the start of each hour"),
        (CronClock("5 * * * *"), "Every hour at minute 5"),
        (CronClock("0 */4 * * *"), "Every 4 hours"),
        (CronClock("0 0 L * *"), "At 00:00, on the last day of the month"),
        (CronClock("0 6 13 * 5"), "At 06:00, on the 13th of the month or on Fridays"),
        (CronClock("0 9 * 1,7 MON#2"), "At 09:00, on the second Monday of the month, in January and July"),
        (CronClock("* * * * * *"), "Every second"),
        (IntervalClock(timedelta(hours=12)), "Every 12 hours"),
        (DatesClock([date(2026, 5, 1)], BERLIN), "Once, at 2026-05-01 00:00 (Europe/Berlin)"),
        (
            Schedule(
                [CronClock("0 9 1 * *")], adjustments=[adjustments.add(timedelta(days=-1)), adjustments.next_weekday]
            ),
            "At 09:00, on the 1st of the month, then 1 day earlier, moved to the next weekday",
        ),
        (
            Schedule(
                [CronClock("@hourly")], calendar=Calendar(blackouts=[Blackout("22:00", "06:00")], when_closed="move")
            ),
            "Every hour, except blackouts, moved to the next allowed time",
        ),
        (Schedule([CronClock("@daily"), IntervalClock(timedelta(minutes=5))]), "Every day at 00:00; Every 5 minutes"),
    ],
)
def test_schedules_in_words(schedule: Any, words: str) -> None:
    assert schedule.describe() == words


def test_words_never_fail() -> None:
    assert describe({"kind": "cron", "cron": "nonsense"}) == "nonsense"
    assert describe({"kind": "interval", "seconds": None}) == "A schedule of kind interval"
    assert describe({"kind": "cron", "cron": "@daily", "filters": [3]}) == "@daily"
    assert cron.parse("@daily") is cron.parse("@daily")

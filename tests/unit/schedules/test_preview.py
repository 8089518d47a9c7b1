"""The next due times of a schedule, and what clock changes and calendars do to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from appliance.schedules import parse, preview
from appliance.schedules.preview import MOST_DROPPED

SPRING, AUTUMN = "2026-03-28T00:00:00", "2026-10-24T00:00:00"
"""A day before the clocks change in Berlin, at 01:00 UTC."""


def _notes(after: str, n: int = 10, **document: Any) -> dict[str, list[str]]:
    """The times that have notes, on the clock of Berlin, with their notes."""
    rule = parse({"timezone": "Europe/Berlin", **document})
    shown = preview(rule, n, datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert [time.at for time in shown.times] == rule.next(n, datetime.fromisoformat(after).replace(tzinfo=UTC))
    return {time.local: time.notes for time in shown.times if time.notes}


def test_a_fixed_time_in_a_gap_says_that_it_moves() -> None:
    moved = {"2026-03-29T03:00:00+02:00": ["Clocks go forward: 02:30 doesn't exist, runs at 03:00."]}
    assert _notes(SPRING, kind="cron", cron="30 2 * * *") == moved
    assert _notes(SPRING, kind="interval", seconds=86_400, anchor="2019-01-01T01:30:00+00:00") == moved
    assert _notes(SPRING, kind="rrule", rrule="FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0") == moved
    assert _notes(SPRING, kind="dates", dates=["2026-03-29T02:30:00"]) == moved
    assert _notes(SPRING, kind="cron", cron="0 3 * * *") == {}
    assert _notes(SPRING, kind="cron", cron="0 2 * * *", timezone="UTC") == {}


def test_several_times_in_a_gap_are_one_note() -> None:
    assert _notes(SPRING, kind="cron", cron="5,10,15,20 2 * * *") == {
        "2026-03-29T03:00:00+02:00": ["Clocks go forward: 02:05, 02:10, 02:15 and more don't exist, runs at 03:00."]
    }


def test_a_wildcard_time_in_a_gap_says_that_it_is_skipped() -> None:
    skipped = ["Clocks go forward on 29 March: 02:00 doesn't exist and gets no run."]
    assert _notes("2026-03-29T00:00:00", kind="cron", cron="0 * * * *") == {"2026-03-29T03:00:00+02:00": skipped}
    several = ["Clocks go forward on 29 March: 02:00, 02:30 don't exist and get no run."]
    assert _notes(SPRING, kind="cron", cron="*/30 2 * * *") == {"2026-03-30T02:00:00+02:00": several}


def test_a_time_that_comes_twice_says_which_one_it_is() -> None:
    assert _notes(AUTUMN, kind="cron", cron="30 2 * * *") == {
        "2026-10-25T02:30:00+02:00": ["Clocks go back: 02:30 comes twice, runs the first time only."]
    }
    assert _notes("2026-10-25T00:00:00", 3, kind="cron", cron="0 * * * *") == {
        "2026-10-25T02:00:00+01:00": ["Clocks go back: 02:00 comes twice; this is the second."]
    }
    assert _notes("2026-10-24T23:30:00", 3, kind="interval", seconds=3_600) == {
        "2026-10-25T02:00:00+02:00": ["Clocks go back: 02:00 comes twice; this is the first."],
        "2026-10-25T02:00:00+01:00": ["Clocks go back: 02:00 comes twice; this is the second."],
    }


def test_an_interval_of_elapsed_time_says_that_its_clock_times_shift() -> None:
    elapsed = "because the interval is elapsed time."
    assert _notes(SPRING, kind="interval", seconds=6 * 3_600) == {
        "2026-03-29T08:00:00+02:00": [f"Clocks go forward: from here on 1 hour later by the clock, {elapsed}"]
    }
    assert _notes(AUTUMN, kind="interval", seconds=6 * 3_600) == {
        "2026-10-25T02:00:00+02:00": ["Clocks go back: 02:00 comes twice; this is the first."],
        "2026-10-25T07:00:00+01:00": [f"Clocks go back: from here on 1 hour earlier by the clock, {elapsed}"],
    }


@pytest.mark.parametrize(
    ("zone", "at", "note"),
    [
        ("Australia/Lord_Howe", "2026-10-04T02:30:00+11:00", "Clocks go forward: 02:15 doesn't exist, runs at 02:30."),
        ("Pacific/Apia", None, ""),
    ],
)
def test_odd_zones(zone: str, at: str | None, note: str) -> None:
    notes = _notes("2026-10-02T00:00:00", kind="cron", cron="15 2 * * *", timezone=zone)
    assert notes == ({at: [note]} if at else {})


def _site(**more: Any) -> dict[str, Any]:
    return {"name": "site", "holidays": ["12-25"], "business_days": [1, 2, 3, 4, 5], **more}


def test_what_a_calendar_drops_is_listed_with_the_reason() -> None:
    rule = parse({"kind": "cron", "cron": "0 6 * * *", "calendar": _site()})
    shown = preview(rule, 4, datetime(2026, 12, 23, 12, tzinfo=UTC))
    assert [time.local[:10] for time in shown.times] == ["2026-12-24", "2026-12-28", "2026-12-29", "2026-12-30"]
    assert [(time.local[:16], time.reason) for time in shown.dropped] == [
        ("2026-12-25T06:00", "25 December is a holiday (calendar site)."),
        ("2026-12-26T06:00", "Saturday isn't a business day (calendar site)."),
        ("2026-12-27T06:00", "Sunday isn't a business day (calendar site)."),
    ]


def test_what_a_calendar_moves_says_from_where() -> None:
    blackouts = [{"start": "05:00", "end": "08:00"}]
    rule = parse({"kind": "cron", "cron": "0 6 * * *", "calendar": {"blackouts": blackouts, "when_closed": "move"}})
    shown = preview(rule, 1, datetime(2026, 12, 23, 12, tzinfo=UTC))
    assert [(time.local[:16], time.notes) for time in shown.times] == [
        ("2026-12-24T08:00", ["Moved from 24 December 06:00: Blackout until 24 December 08:00."])
    ]
    assert shown.dropped == []


def test_a_long_list_of_dropped_times_is_cut_and_an_end_is_an_end() -> None:
    rule = parse({"kind": "cron", "cron": "*/5 * * * *", "calendar": _site()})
    shown = preview(rule, 10, datetime(2026, 12, 24, 23, 30, tzinfo=UTC))
    assert len(shown.dropped) == MOST_DROPPED
    over = parse({"kind": "cron", "cron": "0 6 * * *", "end": "2026-01-01T00:00:00Z"})
    assert preview(over, 10, datetime(2026, 2, 1, tzinfo=UTC)).times == []

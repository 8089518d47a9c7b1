"""A rule is parsed once and answers every question about its times."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from appliance.kit import effort
from appliance.schedules import CronClock, Rule, ScheduleError, describe, parse, rule, validate

RECORDED = json.loads((Path(__file__).parent / "recorded" / "times.json").read_text())
"""What the function that parsed a document at every question answered: every document of the oracle, and every selection."""

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
DAILY = {"kind": "cron", "cron": "30 6 * * *", "timezone": "Europe/Berlin"}


def test_a_rule_gives_the_times_that_were_recorded_before_it_existed() -> None:
    assert len(RECORDED) > 100
    for case in RECORDED:
        after = datetime.fromisoformat(case["after"])
        assert [time.isoformat() for time in parse(case["document"]).next(4, after)] == case["times"], case


@pytest.mark.parametrize("case", RECORDED[::3], ids=lambda case: json.dumps(case["document"])[:60])
def test_times_increase_strictly_and_are_the_same_from_anywhere(case: dict[str, Any]) -> None:
    after = datetime.fromisoformat(case["after"])
    schedule = parse(case["document"])
    times = list(islice(schedule.times(after), 40))
    assert all(earlier < later for earlier, later in pairwise([after, *times]))
    assert all(time.tzinfo is UTC for time in times)
    middle = len(times) // 2
    if times:
        assert list(islice(schedule.times(times[middle]), len(times) - middle - 1)) == times[middle + 1 :]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "cron, interval, dates or rrule"),
        ({"kind": "cron"}, "needs an expression"),
        ({"kind": "cron", "cron": "61 * * * *"}, "minute"),
        ({"kind": "interval", "seconds": 0}, "number of seconds"),
        ({"kind": "interval", "seconds": 60, "anchor": "soon"}, "anchor"),
        ({"kind": "dates", "dates": []}, "at least one date"),
        ({"kind": "rrule", "rrule": " "}, "needs a rule"),
        (DAILY | {"timezone": "Mars/Olympus"}, "no time zone"),
        (DAILY | {"start": "yesterday"}, "start"),
        (DAILY | {"filters": [{"kind": "is_sunny"}]}, "filter"),
        (DAILY | {"calendar": {"business_days": []}}, "business day"),
    ],
)
def test_what_is_wrong_is_said_when_the_document_is_parsed(document: dict[str, Any], words: str) -> None:
    for read in (parse, validate):
        with pytest.raises(ScheduleError, match=words):
            read(document)


def test_only_validation_refuses_fields_that_nothing_reads() -> None:
    document = DAILY | {"colour": "blue"}
    assert parse(document).next(1, NEW_YEAR)
    with pytest.raises(ScheduleError, match="no field 'colour'"):
        validate(document)


def test_a_time_without_an_offset_is_refused_before_anything_is_computed() -> None:
    with pytest.raises(ScheduleError, match="UTC offset"):
        parse(DAILY).times(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_asking_again_parses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule, at = parse(DAILY), CronClock("0 6 * * *")
    assert at.next(1, NEW_YEAR)
    parsed: list[object] = []
    monkeypatch.setattr(rule, "series_of", lambda document, _zone: parsed.append(document))
    for _ in range(3):
        assert len(schedule.next(5, NEW_YEAR)) == len(at.next(5, NEW_YEAR)) == 5
    assert parsed == []
    assert parse(DAILY | {"labels": ["beside the times"]}) is schedule and parsed == []
    other = DAILY | {"cron": "59 6 * * *"}
    parse(other)
    assert parsed == [other]


def test_times_that_were_found_are_known() -> None:
    schedule = parse({"kind": "cron", "cron": "58 6 * * *"})
    times = schedule.next(5, NEW_YEAR)
    with effort.limited(0):
        rare = parse({"kind": "rrule", "rrule": "FREQ=MONTHLY;BYMONTH=2;BYDAY=5MO"})
        with pytest.raises(effort.TooLong):
            rare.next(1, NEW_YEAR)
    (first,) = rare.next(1, NEW_YEAR)
    with effort.limited(0):
        assert rare.next(1, NEW_YEAR + timedelta(days=1)) == [first]
        with pytest.raises(effort.TooLong):
            rare.next(2, NEW_YEAR)
    assert schedule.next(3, NEW_YEAR) == times[:3] and schedule.next(2, times[0]) == times[1:3]
    assert schedule.next(1, NEW_YEAR - timedelta(days=9)) < times[:1]


def test_a_count_of_times_far_apart_is_refused() -> None:
    document = {"kind": "rrule", "rrule": "FREQ=DAILY;COUNT=1000;BYMONTH=2;BYMONTHDAY=29"}
    with pytest.raises(ScheduleError, match="give it an UNTIL instead of its COUNT"):
        validate(document | {"anchor": "1900-01-01T00:00:00"})


def test_a_rule_and_a_clock_travel_as_their_documents() -> None:
    schedule, at = parse(DAILY), CronClock("30 6 * * *", "Europe/Berlin")
    assert pickle.loads(pickle.dumps(schedule)).next(3, NEW_YEAR) == schedule.next(3, NEW_YEAR)
    assert "rule" not in at.__getstate__()
    assert pickle.loads(pickle.dumps(at)).next(3, NEW_YEAR) == at.next(3, NEW_YEAR)


def test_a_rule_in_words() -> None:
    schedule = parse(DAILY)
    assert schedule.describe() == describe(DAILY) == "Every day at 06:30 (Europe/Berlin)"
    assert schedule.describe(with_zone=False) == "Every day at 06:30"
    assert isinstance(schedule, Rule) and repr(schedule) == "<Rule Every day at 06:30 (Europe/Berlin)>"
